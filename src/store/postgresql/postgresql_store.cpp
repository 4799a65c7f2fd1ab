#include "store/postgresql/postgresql_store.hpp"

#include <algorithm>
#include <functional>

#include "store/limits.hpp"
#include "store/migrate.hpp"
#include "store/postgresql/error.hpp"
#include "store/postgresql/reader_pool.hpp"
#include "store/postgresql/writer.hpp"
#include "store/reads.hpp"
#include "store/sql_store.hpp"

namespace planexe::store::postgresql {
namespace {

class PostgresqlStore final : public SqlStore {
 public:
  PostgresqlStore(Address address, const OpenOptions& options, int schema_version)
      : address_(std::move(address)), schema_version_(schema_version), readers_(address_, options.readers) {
    if (options.read_only) return;
    const int count = std::clamp(options.writers, 1, limits::kWritersMax);
    for (int i = 0; i < count; ++i) writers_.push_back(std::make_unique<Writer>(address_));
  }

  Result<DatabaseFacts> facts() override {
    return read([&](auto& db) { return read_facts(db); });
  }
  Result<std::vector<std::string>> check() override;

 protected:
  Result<void> with_reader(const Statements& statements) override;
  bool take(Job& job) override;

 private:
  Result<DatabaseFacts> read_facts(sql::Connection& db) const;

  const Address address_;
  int schema_version_;
  ReaderPool readers_;
  /// Last, so that they end first: their answers may still read.
  std::vector<std::unique_ptr<Writer>> writers_;
};

Result<void> PostgresqlStore::with_reader(const Statements& statements) {
  // A connection may have been closed by the server since its last use, or a standby may have cancelled the read.
  constexpr int kTries = 3;
  for (int tries = 1;; ++tries) {
    PLANEXE_TRY_ASSIGN(auto reader, readers_.borrow());
    auto result = statements(*reader);
    const auto& db = *reader;
    if (result || tries == kTries || !(db.lost() || is_conflict(db.sqlstate()))) return result;
  }
}

bool PostgresqlStore::take(Job& job) {
  if (writers_.empty()) return false;
  // Always the same writer for a plan, so that its transactions keep their order.
  const auto index = std::hash<std::string>()(job.plan_id) % writers_.size();
  writers_[job.plan_id.empty() ? 0 : index]->submit(std::move(job));
  return true;
}

Result<DatabaseFacts> PostgresqlStore::read_facts(sql::Connection& db) const {
  DatabaseFacts facts;
  facts.backend = "postgresql";
  facts.location = address_.shown();
  facts.schema_version = schema_version_;
  PLANEXE_TRY_ASSIGN(facts.size_bytes, sql::number(db, "SELECT pg_database_size(current_database())"));
  PLANEXE_TRY_ASSIGN(facts.plans, sql::number(db, "SELECT COUNT(*) FROM plans"));
  return facts;
}

Result<std::vector<std::string>> PostgresqlStore::check() {
  // It reads everything: row by row, with more time than a read that somebody waits for.
  PLANEXE_TRY_ASSIGN(const auto db, Connection::open(address_, Access::migration));
  PLANEXE_TRY(db->sql::Connection::send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  auto findings = reads::check_rules(*db);
  db->roll_back();
  return findings;
}

}  // namespace

Result<std::unique_ptr<Store>> open(const std::string& url, const OpenOptions& options) {
  PLANEXE_TRY_ASSIGN(auto address, Address::parse(url));
  PLANEXE_TRY_ASSIGN(const auto db, Connection::open(address, Access::migration));
  PLANEXE_TRY_ASSIGN(const int version, prepare_schema(*db, options, address.shown()));
  return std::make_unique<PostgresqlStore>(std::move(address), options, version);
}

Result<SchemaStatus> status(const std::string& url) {
  PLANEXE_TRY_ASSIGN(const auto address, Address::parse(url));
  PLANEXE_TRY_ASSIGN(const auto db, Connection::open(address, Access::migration));
  PLANEXE_TRY_ASSIGN(const auto known, embedded_migrations());
  PLANEXE_TRY_ASSIGN(const int current, check_schema(*db, known));
  return SchemaStatus{current, known.back().version};
}

}  // namespace planexe::store::postgresql
