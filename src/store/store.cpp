#include "store/store.hpp"

#include <future>

#include "store/limits.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/url.hpp"

namespace planexe::store {
namespace {

/// The SQLite file of a URL.
Result<std::filesystem::path> sqlite_file(const OpenOptions& options) {
  PLANEXE_TRY_ASSIGN(auto url, parse_database_url(options.url, options.data_dir));
  if (url.dialect != sql::Dialect::sqlite) {
    return fail(ErrorCode::InvalidConfig,
                "This build stores plans in SQLite only. Set DATABASE_URL to sqlite:///planexe.db or leave it out.");
  }
  return std::move(url.file);
}

}  // namespace

CommitResult Store::commit(Transaction transaction) {
  // Shared, since the answer may come after this call has given up waiting.
  auto promise = std::make_shared<std::promise<CommitResult>>();
  auto answer = promise->get_future();
  submit(std::move(transaction), [promise](CommitResult result) { promise->set_value(std::move(result)); });
  if (answer.wait_for(limits::kCommitWait) == std::future_status::ready) return answer.get();
  return {CommitStatus::unknown,
          Error(ErrorCode::DatabaseUnavailable, "The database did not answer in time. Check the disk.")};
}

Result<std::unique_ptr<Store>> open_store(const OpenOptions& options) {
  PLANEXE_TRY_ASSIGN(const auto file, sqlite_file(options));
  return sqlite::open(file, options);
}

Result<SchemaStatus> schema_status(const OpenOptions& options) {
  PLANEXE_TRY_ASSIGN(const auto file, sqlite_file(options));
  return sqlite::status(file);
}

}  // namespace planexe::store
