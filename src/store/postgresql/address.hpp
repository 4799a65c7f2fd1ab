#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace planexe::store::postgresql {

/// Where a database is and how to get in: what a URL says, completed by what this program wants of every connection.
class Address {
 public:
  /// `url` is "postgresql://user:password@host:port/database?option=value" with the options of libpq. The password is
  /// registered as a secret of the log. Error: INVALID_CONFIG, without any part of the URL.
  static Result<Address> parse(const std::string& url);

  /// "postgresql://user@host:port/database": never the password, never the options.
  [[nodiscard]] const std::string& shown() const { return shown_; }
  /// "server host:port", for messages.
  [[nodiscard]] const std::string& server() const { return server_; }
  [[nodiscard]] const std::string& database() const { return database_; }
  [[nodiscard]] const std::string& user() const { return user_; }
  /// Keywords and values for libpq; holds the password.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& parameters() const { return parameters_; }

 private:
  [[nodiscard]] std::string given(std::string_view keyword) const;
  void add_default(std::string_view keyword, std::string_view value);
  void describe();

  std::vector<std::pair<std::string, std::string>> parameters_;
  std::string shown_, server_, database_, user_;
};

}  // namespace planexe::store::postgresql
