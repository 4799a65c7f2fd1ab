#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "base/log.hpp"
#include "store/limits.hpp"
#include "store/postgresql/connection.hpp"
#include "store/postgresql/error.hpp"

/// How a connection comes up, and how it waits.
namespace planexe::store::postgresql {
namespace {

/// The library would write them to the terminal.
void drop_notice(void*, const char*) {}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

/// One round trip for all that a session needs. What the user has set for durability stays, unless it is none.
constexpr std::string_view kSession =
    "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'), "
    "set_config('statement_timeout', ?, false), set_config('lock_timeout', ?, false), "
    "set_config('idle_in_transaction_session_timeout', ?, false), set_config('TimeZone', 'UTC', false), "
    // A node that vanished is noticed by the server too, after about a minute; its locks must not stay longer.
    "set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false), "
    "set_config('tcp_keepalives_count', '3', false), "
    "set_config('client_min_messages', 'warning', false), set_config('standard_conforming_strings', 'on', false), "
    "set_config('default_transaction_isolation', 'read committed', false), "
    "set_config('default_transaction_read_only', ?, false), "
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
    "ELSE current_setting('synchronous_commit') END, false)";

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Address& address, Access access) {
  std::unique_ptr<Connection> connection(new Connection(address, access));
  PLANEXE_TRY(connection->connect());
  PLANEXE_TRY(connection->set_up_session());
  if (access == Access::migration) connection->read_row_by_row();
  return connection;
}

Result<void> Connection::connect() {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  auto wait = limits::kConnectWait;
  for (const auto& [keyword, value] : address_.parameters()) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
    // The library itself looks at it only where it waits by itself.
    if (keyword == "connect_timeout")
      wait = std::clamp(std::chrono::milliseconds(std::chrono::seconds(std::atoi(value.c_str()))),
                        std::chrono::milliseconds(1'000), limits::kConnectWait);
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (!connection_) return fail(ErrorCode::DatabaseUnavailable, "Out of memory while connecting to the database.");
  // The only way to learn the SQLSTATE of a refused connection is its text.
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
  PQsetNoticeProcessor(connection_.get(), drop_notice, nullptr);
  PLANEXE_TRY(wait_connected(std::chrono::steady_clock::now() + wait));
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1)
    return broken(PQerrorMessage(connection_.get()));
  return {};
}

Result<void> Connection::wait_connected(Deadline deadline) {
  auto state = PQstatus(connection_.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    PLANEXE_TRY(wait_for_socket(state == PGRES_POLLING_WRITING, deadline));
    state = PQconnectPoll(connection_.get());
  }
  if (state == PGRES_POLLING_OK) return {};
  lost_ = true;
  const std::string_view message = PQerrorMessage(connection_.get());
  sqlstate_ = sqlstate_in(message);
  return std::unexpected(make_error(sqlstate_, first_line(message), address_));
}

Result<void> Connection::set_up_session() {
  const auto time = [](std::chrono::milliseconds value) { return std::to_string(value.count()); };
  const bool migration = access_ == Access::migration;
  const auto statement = time(migration ? limits::kMigrationTime : limits::kStatementTime);
  const auto lock = time(migration ? limits::kMigrationTime : limits::kLockTime);
  const auto idle = time(migration ? limits::kMigrationTime : limits::kIdleTransactionTime);
  auto rows = sql::Connection::query(kSession, {statement, lock, idle, access_ == Access::reader ? "on" : "off"});
  const int version = rows.next() ? rows.small() : 0;
  PLANEXE_TRY(rows.status());
  if (version < kServerVersionMin) {
    return fail(ErrorCode::InvalidConfig, fmt::format("The database server {} is PostgreSQL {}; at least {} is needed.",
                                                      address_.server(), version / 10'000, kServerVersionMin / 10'000));
  }
  if (const auto encoding = rows.string(); encoding != "UTF8") {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("The database {0} has the encoding {1}; plans need UTF8. Make a new one: "
                            "createdb -E UTF8 -T template0 {0}",
                            address_.database(), encoding));
  }
  return {};
}

Result<void> Connection::wait_for_socket(bool write, Deadline deadline) {
  using std::chrono::milliseconds;
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return broken("no answer in time");
    pollfd socket{PQsocket(connection_.get()), static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0};
    // While it connects the library wants exactly what it asked for.
    if (write && PQstatus(connection_.get()) != CONNECTION_OK) socket.events = POLLOUT;
    const int ready = ::poll(&socket, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return broken("poll failed");
  }
}

Result<void> Connection::flush_until(Deadline deadline) {
  while (true) {
    const int unsent = PQflush(connection_.get());
    if (unsent < 0) return broken(PQerrorMessage(connection_.get()));
    if (unsent == 0) return {};
    PLANEXE_TRY(wait_for_socket(true, deadline));
    // A server that cannot get rid of its answers stops reading.
    if (PQconsumeInput(connection_.get()) == 0) return broken(PQerrorMessage(connection_.get()));
  }
}

}  // namespace planexe::store::postgresql
