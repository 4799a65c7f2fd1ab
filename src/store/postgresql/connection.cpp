#include "store/postgresql/connection.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/testpoint.hpp"
#include "store/limits.hpp"
#include "store/postgresql/error.hpp"
#include "store/postgresql/statement.hpp"
#include "store/postgresql/stream.hpp"

namespace planexe::store::postgresql {
namespace {

constexpr std::size_t kCommitPart = std::numeric_limits<std::size_t>::max();
constexpr int kBinaryResults = 1;

}  // namespace

Connection::~Connection() { PLANEXE_ASSERT(stream_ == nullptr); }

std::unexpected<Error> Connection::broken(std::string_view detail) {
  lost_ = true;
  sqlstate_.clear();
  pending_.clear();
  return std::unexpected(make_error({}, detail, address_));
}

Connection::Deadline Connection::deadline() const {
  const auto time = access_ == Access::migration ? limits::kMigrationTime : limits::kStatementTime;
  return std::chrono::steady_clock::now() + time + limits::kAnswerGrace;
}

// ---- sending --------------------------------------------------------------------------------------------------------

Result<std::string> Connection::prepared_name(std::string_view statement) {
  if (const auto found = prepared_.find(statement); found != prepared_.end()) return found->second;
  if (prepared_.size() >= limits::kStatementsMax) {
    PLANEXE_TRY(queue_once("DEALLOCATE ALL"));
    prepared_.clear();
  }
  std::string name = fmt::format("s{}", ++names_given_);
  if (PQsendPrepare(connection_.get(), name.c_str(), number_parameters(statement).text.c_str(), 0, nullptr) == 0)
    return broken(PQerrorMessage(connection_.get()));
  pending_.push_back({Pending::Kind::preparation, part_, std::string(statement), {}});
  prepared_.emplace(statement, name);
  return name;
}

Result<void> Connection::queue(std::string_view statement, sql::Params params, sql::Expected expected) {
  if (lost_) return broken("the connection was lost before");
  if (stream_ != nullptr) PLANEXE_TRY(stream_->keep_rest());
  PLANEXE_TRY_ASSIGN(const auto name, prepared_name(statement));
  const Bound bound(params);
  if (PQsendQueryPrepared(connection_.get(), name.c_str(), bound.size(), bound.values(), bound.lengths(),
                          bound.formats(), kBinaryResults) == 0)
    return broken(PQerrorMessage(connection_.get()));
  pending_.push_back({Pending::Kind::statement, part_, {}, std::move(expected)});
  return {};
}

Result<void> Connection::queue_once(std::string_view statement) {
  if (lost_) return broken("the connection was lost before");
  const std::string text(statement);
  if (PQsendQueryParams(connection_.get(), text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, kBinaryResults) == 0)
    return broken(PQerrorMessage(connection_.get()));
  pending_.push_back({Pending::Kind::statement, part_, {}, {}});
  return {};
}

Result<void> Connection::queue_sync() {
  if (PQpipelineSync(connection_.get()) == 0) return broken(PQerrorMessage(connection_.get()));
  pending_.push_back({Pending::Kind::sync, part_, {}, {}});
  return {};
}

// ---- answers --------------------------------------------------------------------------------------------------------

Result<ResultPtr> Connection::next_result(Deadline deadline) {
  while (PQisBusy(connection_.get()) != 0) {
    const int unsent = PQflush(connection_.get());
    if (unsent < 0) return broken(PQerrorMessage(connection_.get()));
    PLANEXE_TRY(wait_for_socket(unsent > 0, deadline));
    if (PQconsumeInput(connection_.get()) == 0) return broken(PQerrorMessage(connection_.get()));
  }
  return ResultPtr(PQgetResult(connection_.get()));
}

Result<ResultPtr> Connection::answer(Deadline deadline) {
  PLANEXE_TRY_ASSIGN(auto result, next_result(deadline));
  if (!result) return broken("the server gave no answer");
  if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) return result;
  // Each statement has one result, followed by an empty one.
  PLANEXE_TRY_ASSIGN(const auto end, next_result(deadline));
  if (end) return broken("the server gave an answer too many");
  return result;
}

Result<void> Connection::judge(const Pending& pending, const PGresult* result) {
  const auto status = PQresultStatus(result);
  const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE ||
                    status == PGRES_EMPTY_QUERY || status == PGRES_PIPELINE_SYNC;
  if (!good && pending.kind == Pending::Kind::preparation) {
    if (const auto found = prepared_.find(pending.text); found != prepared_.end()) prepared_.erase(found);
  }
  // What was skipped has no error of its own.
  if (status == PGRES_PIPELINE_ABORTED) return {};
  if (!good) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    sqlstate_ = state == nullptr ? "" : state;
    if (ends_connection(sqlstate_)) lost_ = true;
    return std::unexpected(make_error(sqlstate_, words == nullptr ? PQresultErrorMessage(result) : words, address_));
  }
  if (!pending.expected.otherwise) return {};
  const std::string_view rows = PQcmdTuples(const_cast<PGresult*>(result));
  if (rows == std::to_string(pending.expected.rows)) return {};
  sqlstate_.clear();
  return std::unexpected(pending.expected.otherwise());
}

Result<ResultPtr> Connection::read_answers(Deadline deadline) {
  ResultPtr last;
  std::optional<Error> first;
  std::optional<std::size_t> first_part;
  std::string first_state;
  while (!pending_.empty() && !lost_) {
    const Pending pending = std::move(pending_.front());
    pending_.pop_front();
    auto result = answer(deadline);
    auto judged = result ? judge(pending, result->get()) : Result<void>(std::unexpected(result.error()));
    if (!judged && !first) {
      first = std::move(judged).error();
      first_state = sqlstate_;
      if (!lost_ || !sqlstate_.empty()) first_part = pending.part;
    }
    if (result && pending.kind == Pending::Kind::statement) last = *std::move(result);
  }
  if (lost_) pending_.clear();
  if (!first) return last;
  sqlstate_ = first_state;
  failed_part_ = first_part;
  return std::unexpected(*std::move(first));
}

Result<ResultPtr> Connection::answers() {
  failed_part_.reset();
  sqlstate_.clear();
  if (lost_) return broken("the connection was lost before");
  if (pending_.empty()) return ResultPtr();
  const auto until = deadline();
  PLANEXE_TRY(queue_sync());
  PLANEXE_TRY(flush_until(until));
  return read_answers(until);
}

Result<void> Connection::settle() {
  PLANEXE_TRY(answers());
  return {};
}

void Connection::flush() {
  if (lost_ || pending_.empty() || !queue_sync()) return;
  if (PQflush(connection_.get()) < 0) lost_ = true;
}

// ---- statements -----------------------------------------------------------------------------------------------------

sql::Rows Connection::query(std::string_view statement, sql::Params params) {
  if (row_by_row_) return stream(statement, params);
  if (auto queued = queue(statement, params, {}); !queued) return sql::Rows(std::move(queued).error());
  auto result = answers();
  if (!result) return sql::Rows(std::move(result).error());
  return sql::Rows(std::make_unique<Source>(*std::move(result)));
}

sql::Rows Connection::stream(std::string_view statement, sql::Params params) {
  const auto start = [&]() -> Result<void> {
    if (lost_) return broken("the connection was lost before");
    if (stream_ != nullptr) PLANEXE_TRY(stream_->keep_rest());
    PLANEXE_TRY(prepared_name(statement));
    PLANEXE_TRY(settle());
    PLANEXE_TRY(queue(statement, params, {}));
    // Without this mode the rows come all at once, which is as right.
    PQsetSingleRowMode(connection_.get());
    PLANEXE_TRY(queue_sync());
    PLANEXE_TRY(flush_until(deadline()));
    pending_.clear();
    return {};
  };
  if (auto started = start(); !started) return sql::Rows(std::move(started).error());
  return sql::Rows(std::make_unique<Stream>(*this));
}

Result<std::int64_t> Connection::execute(std::string_view statement, sql::Params params) {
  PLANEXE_TRY(queue(statement, params, {}));
  PLANEXE_TRY_ASSIGN(const auto result, answers());
  const bool changes = PQresultStatus(result.get()) == PGRES_COMMAND_OK;
  const std::string_view rows = changes ? PQcmdTuples(result.get()) : "";
  std::int64_t count = 0;
  std::from_chars(rows.data(), rows.data() + rows.size(), count);
  return count;
}

Result<void> Connection::send(std::string_view statement, sql::Params params, sql::Expected expected) {
  return queue(statement, params, std::move(expected));
}

Result<void> Connection::script(std::string_view statements) {
  for (const auto statement : split_script(statements)) {
    if (PLANEXE_TESTPOINT("store.migration_statement")) {
      PLANEXE_TRY(settle());
      return std::unexpected(make_error("53100", "injected by a test point", address_));
    }
    PLANEXE_TRY(queue_once(statement));
  }
  return settle();
}

CommitAnswer Connection::commit(std::optional<Error>& error, bool lose_answer) {
  const auto note = [&error](auto& result) { error = std::move(result).error(); };
  // What was expected of the writes has to be known before they are made to last.
  if (std::ranges::any_of(pending_, [](const auto& pending) { return bool(pending.expected.otherwise); })) {
    if (auto settled = settle(); !settled) return note(settled), CommitAnswer::rolled_back;
  }
  if (lost_) return error = broken("the connection was lost before").error(), CommitAnswer::rolled_back;
  const auto part = std::exchange(part_, kCommitPart);
  auto queued = queue("COMMIT", {}, {});
  part_ = part;
  // A failure to send does not tell how much of it went out.
  if (!queued) return note(queued), CommitAnswer::unknown;
  if (lose_answer) {
    flush();
    ::shutdown(PQsocket(connection_.get()), SHUT_RDWR);
  }
  auto answer = answers();
  if (answer) {
    if (std::string_view(PQcmdStatus(answer->get())) == "COMMIT") return CommitAnswer::committed;
    error = make_error("40000", "the server answered COMMIT with ROLLBACK", address_);
    return CommitAnswer::rolled_back;
  }
  note(answer);
  // An error that the server told is one of COMMIT, or of a statement before it, after which it has skipped COMMIT.
  const bool told = !sqlstate_.empty() && failed_part_.has_value();
  const bool before = told && *failed_part_ != kCommitPart;
  return before || (told && !lost_) ? CommitAnswer::rolled_back : CommitAnswer::unknown;
}

bool Connection::roll_back() {
  // An error among what was sent would make the server skip ROLLBACK with it.
  if (stream_ != nullptr) [[maybe_unused]]
    const auto kept = stream_->keep_rest();
  const auto state = sqlstate_;
  const auto part = failed_part_;
  [[maybe_unused]] const auto settled = settle();
  const bool rolled_back = !lost_ && execute("ROLLBACK").has_value();
  sqlstate_ = state;
  failed_part_ = part;
  if (!rolled_back) lost_ = true;
  return rolled_back;
}

Result<TimePoint> Connection::now() {
  // The time of the statement, not that of BEGIN: a transaction may have waited for a lock.
  auto rows = query("SELECT clock_timestamp()", {});
  const auto now = rows.next() ? rows.time() : TimePoint();
  PLANEXE_TRY(rows.status());
  return now;
}

Result<std::vector<std::string>> Connection::names(std::string_view statement, sql::Params params) {
  auto rows = query(statement, params);
  std::vector<std::string> result;
  while (rows.next()) result.push_back(rows.string());
  PLANEXE_TRY(rows.status());
  return result;
}

Result<std::vector<std::string>> Connection::tables() {
  return names(
      "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') ORDER BY c.relname::text COLLATE \"C\"",
      {});
}

Result<std::vector<std::string>> Connection::columns(std::string_view table) {
  const sql::Param params[] = {table};
  return names(
      "SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
      "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') "
      "AND c.relname = ? AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      params);
}

}  // namespace planexe::store::postgresql
