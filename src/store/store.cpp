#include "store/store.hpp"

#include <future>

#include "store/limits.hpp"
#include "store/postgresql/postgresql_store.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/url.hpp"

namespace planexe::store {
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
  PLANEXE_TRY_ASSIGN(const auto url, parse_database_url(options.url, options.data_dir));
  if (url.dialect == sql::Dialect::postgresql) return postgresql::open(url.connection, options);
  return sqlite::open(url.file, options);
}

Result<SchemaStatus> schema_status(const OpenOptions& options) {
  PLANEXE_TRY_ASSIGN(const auto url, parse_database_url(options.url, options.data_dir));
  if (url.dialect == sql::Dialect::postgresql) return postgresql::status(url.connection);
  return sqlite::status(url.file);
}

}  // namespace planexe::store
