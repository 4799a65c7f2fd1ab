#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/postgresql/address.hpp"
#include "store/postgresql/values.hpp"
#include "store/sql.hpp"

namespace planexe::store::postgresql {

enum class Access {
  reader,     ///< every transaction reads only
  writer,     ///< limits for short transactions
  migration,  ///< one statement may take minutes; results are read row by row
};

/// What COMMIT gave.
enum class CommitAnswer {
  committed,
  rolled_back,  ///< nothing was written
  unknown,      ///< COMMIT was sent and no answer came
};

/// A connection to a server with its prepared statements. One thread at a time; no call waits longer than the limits of
/// its access (store/limits.hpp).
///
/// Pipeline mode: statements that were sent are answered together when somebody needs an answer. Then the first failure
/// among them is that call's failure, and the server has skipped all that came after it.
class Connection final : public sql::Connection {
 public:
  /// Connects, checks server and encoding, and sets up the session. Errors: INVALID_CONFIG (password, database,
  /// encoding, version), DATABASE_UNAVAILABLE.
  static Result<std::unique_ptr<Connection>> open(const Address& address, Access access);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  using sql::Connection::execute;
  using sql::Connection::query;
  using sql::Connection::send;
  [[nodiscard]] sql::Dialect dialect() const override { return sql::Dialect::postgresql; }
  sql::Rows query(std::string_view statement, sql::Params params) override;
  Result<std::int64_t> execute(std::string_view statement, sql::Params params) override;
  Result<void> send(std::string_view statement, sql::Params params, sql::Expected expected) override;
  Result<void> script(std::string_view statements) override;
  Result<TimePoint> now() override;
  Result<std::vector<std::string>> tables() override;
  Result<std::vector<std::string>> columns(std::string_view table) override;

  /// Waits for the answers to everything that was sent.
  Result<void> settle();
  /// Ends the transaction; `error` says why it is not committed. `lose_answer`: the connection breaks after COMMIT was
  /// sent, as a network would do it; for tests.
  CommitAnswer commit(std::optional<Error>& error, bool lose_answer = false);
  /// Gives the transaction up; false when the connection is lost with it.
  bool roll_back();
  /// Hands what was sent to the network; its answers are read with the next ones.
  void flush();

  /// Statements that are sent from now on belong to this part of the work.
  void set_part(std::size_t part) { part_ = part; }
  /// The part whose statement made the last error; empty when the error was none of a statement.
  [[nodiscard]] std::optional<std::size_t> failed_part() const { return failed_part_; }

  /// Of no use any more.
  [[nodiscard]] bool lost() const { return lost_; }
  /// The SQLSTATE of the last error; "" when the connection broke, or before any.
  [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }
  /// From now on the rows of a query are read one by one instead of all before the first.
  void read_row_by_row() { row_by_row_ = true; }

 private:
  class Source;
  class Stream;
  using Deadline = std::chrono::steady_clock::time_point;
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  /// A statement that was sent and not answered.
  struct Pending {
    enum class Kind { statement, preparation, sync } kind = Kind::statement;
    std::size_t part = 0;
    std::string text;  ///< of a preparation
    sql::Expected expected;
  };

  Connection(const Address& address, Access access) : address_(address), access_(access) {}
  Result<void> connect();
  Result<void> wait_connected(Deadline deadline);
  Result<void> set_up_session();

  /// Sends one statement; prepared ones are kept by their text.
  Result<void> queue(std::string_view statement, sql::Params params, sql::Expected expected);
  Result<void> queue_once(std::string_view statement);
  Result<std::string> prepared_name(std::string_view statement);
  Result<void> queue_sync();
  sql::Rows stream(std::string_view statement, sql::Params params);
  Result<std::vector<std::string>> names(std::string_view statement, sql::Params params);

  /// The answers to all that is pending; gives that to the last statement.
  Result<ResultPtr> answers();
  Result<ResultPtr> read_answers(Deadline deadline);
  /// The answer to one statement or sync; null after a loss of the connection is an error.
  Result<ResultPtr> answer(Deadline deadline);
  Result<ResultPtr> next_result(Deadline deadline);
  Result<void> judge(const Pending& pending, const PGresult* result);
  Result<void> flush_until(Deadline deadline);
  /// Waits until the socket can be read, or written when something waits to be written.
  Result<void> wait_for_socket(bool write, Deadline deadline);

  std::unexpected<Error> broken(std::string_view detail);
  /// By when the server must have answered what is sent now.
  [[nodiscard]] Deadline deadline() const;

  Address address_;
  Access access_;
  std::unique_ptr<PGconn, Close> connection_;
  std::deque<Pending> pending_;
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> prepared_;
  std::uint64_t names_given_ = 0;
  Stream* stream_ = nullptr;  ///< rows that are still being read
  std::size_t part_ = 0;
  std::optional<std::size_t> failed_part_;
  std::string sqlstate_;
  bool row_by_row_ = false;
  bool lost_ = false;
};

/// The number of a server, 150004 for 15.4, below which it is refused: older ones get no fixes any more.
inline constexpr int kServerVersionMin = 130'000;

}  // namespace planexe::store::postgresql
