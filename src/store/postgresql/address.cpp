#include "store/postgresql/address.hpp"

#include <fmt/format.h>

#include <memory>

#include <libpq-fe.h>

#include "base/log.hpp"
#include "base/text.hpp"

namespace planexe::store::postgresql {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

constexpr std::string_view kDefaultPort = "5432";

}  // namespace

Result<Address> Address::parse(const std::string& url) {
  // The reason libpq gives quotes the URL and with it the password.
  char* reason = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.c_str(), &reason));
  PQfreemem(reason);
  if (!options) {
    return fail(ErrorCode::InvalidConfig,
                "DATABASE_URL cannot be read. Write postgresql://user:password@host:5432/database; in the password "
                "write special characters as %40 for '@', %2F for '/', %3A for ':', %25 for '%'.");
  }
  Address address;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (std::string_view(option->keyword).find("password") != std::string_view::npos) register_secret(option->val);
    address.parameters_.emplace_back(option->keyword, option->val);
  }
  address.parameters_.emplace_back("client_encoding", "UTF8");
  address.add_default("fallback_application_name", "planexe");
  // Kerberos encryption is asked for by name only: the try costs a round trip and a look at the user's tickets.
  address.add_default("gssencmode", "disable");
  // A server that vanished without a word is noticed after about a minute.
  address.add_default("keepalives_idle", "30");
  address.add_default("keepalives_interval", "10");
  address.add_default("keepalives_count", "3");
  address.add_default("tcp_user_timeout", "30000");
  address.describe();
  return address;
}

std::string Address::given(std::string_view keyword) const {
  for (const auto& [name, value] : parameters_) {
    if (name == keyword) return value;
  }
  return {};
}

void Address::add_default(std::string_view keyword, std::string_view value) {
  if (given(keyword).empty()) parameters_.emplace_back(keyword, value);
}

void Address::describe() {
  user_ = strip_control(given("user"));
  database_ = strip_control(given("dbname").empty() ? user_ : given("dbname"));
  const std::string host = strip_control(given("host").empty() ? given("hostaddr") : given("host"));
  const std::string port = given("port").empty() ? std::string(kDefaultPort) : strip_control(given("port"));
  const bool socket = host.empty() || host.front() == '/' || host.front() == '@';
  server_ =
      socket ? fmt::format("{} port {}", host.empty() ? "local socket" : host, port) : fmt::format("{}:{}", host, port);
  const std::string user = user_.empty() ? "" : user_ + "@";
  shown_ = socket ? fmt::format("postgresql://{}/{}?host={}&port={}", user, database_, host, port)
                  : fmt::format("postgresql://{}{}:{}/{}", user, host, port, database_);
}

}  // namespace planexe::store::postgresql
