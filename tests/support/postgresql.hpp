#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>

namespace planexe::test {

/// A private PostgreSQL server for the tests of this process: its own data in a temporary folder, on a free port of the
/// loopback interface, as an unprivileged user when the tests run as root. Started when it is first needed; a process
/// beside it stops it and removes its data when the tests end, however they end.
class PostgresqlServer {
 public:
  /// Why there can be no server here; "" when there can.
  static std::string missing();
  /// Starts it at the first call; ends the process with a message when that fails.
  static PostgresqlServer& shared();

  ~PostgresqlServer();
  PostgresqlServer(const PostgresqlServer&) = delete;
  PostgresqlServer& operator=(const PostgresqlServer&) = delete;

  /// A URL with user and password.
  [[nodiscard]] std::string url(const std::string& database) const;
  /// A name that no database has yet.
  std::string new_name();

  /// The server goes away as in a crash, or comes back. They wait until it is so.
  void kill();
  void start();

  static constexpr const char* kUser = "planexe";
  static constexpr const char* kPassword = "s3cret-of-the-tests";
  [[nodiscard]] int port() const { return port_; }

 private:
  PostgresqlServer();
  /// Tells the process beside it and waits for its answer.
  bool command(char what);

  int port_ = 0;
  int commands_ = -1, answers_ = -1;
  pid_t keeper_ = -1;
  int names_ = 0;
};

}  // namespace planexe::test
