#include "store/postgresql/error.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/text.hpp"

namespace planexe::store::postgresql {
namespace {

struct Meaning {
  std::string_view state;  ///< a whole SQLSTATE, or its class of two characters
  ErrorCode code;
  std::string_view text;  ///< {0} server, {1} database, {2} user
};

/// Whole states before their classes.
constexpr Meaning kMeanings[] = {
    {"28P01", ErrorCode::InvalidConfig,
     "The database server {0} refused the password of user {2}. Correct DATABASE_URL."},
    {"28", ErrorCode::InvalidConfig,
     "The database server {0} does not let user {2} into {1}. Check DATABASE_URL and the server's pg_hba.conf."},
    {"3D000", ErrorCode::InvalidConfig,
     "The server {0} has no database {1}. Create it (createdb {1}), or correct DATABASE_URL."},
    {"3F000", ErrorCode::InvalidConfig,
     "The database {1} has no schema for its tables. Check the search_path of user {2}."},
    {"42501", ErrorCode::InvalidConfig,
     "User {2} may not do this in the database {1}. Make it the owner: ALTER DATABASE {1} OWNER TO {2}."},
    {"25006", ErrorCode::DatabaseUnavailable,
     "The database server {0} only lets read: it is a standby, or set so. Name the primary in DATABASE_URL."},
    {"25P03", ErrorCode::DatabaseUnavailable,
     "The database server {0} ended a transaction that stood still: this process was stopped for too long."},
    {"53300", ErrorCode::DatabaseUnavailable,
     "The database server {0} has no free connection. Raise max_connections, or run fewer programs on it."},
    {"53100", ErrorCode::IoError,
     "The disk is full on the database server {0}: nothing more can be stored. Free some space, then resume the plan."},
    {"53", ErrorCode::DatabaseUnavailable,
     "The database server {0} lacks memory or another resource. Look at its log."},
    {"57014", ErrorCode::DatabaseUnavailable,
     "The database server {0} did not finish a statement in time. It is overloaded, or somebody holds a lock."},
    {"57", ErrorCode::DatabaseUnavailable, "The database server {0} is starting or stopping. Try again in a moment."},
    {"58", ErrorCode::IoError, "The disk of the database server {0} failed. Look at its log."},
    {"08", ErrorCode::DatabaseUnavailable,
     "The connection to the database server {0} broke. Check that the server runs."},
    {"40", ErrorCode::DatabaseUnavailable,
     "The database is busy with conflicting work of other processes. Try again in a moment."},
    {"55P03", ErrorCode::DatabaseUnavailable, "The database is locked by another process. Try again in a moment."},
    {"54", ErrorCode::LimitExceeded, "A value is too large for the database {1}."},
    {"22001", ErrorCode::LimitExceeded, "A value is too large for the database {1}."},
    {"XX001", ErrorCode::DatabaseError,
     "The database {1} is damaged. Stop the programs, keep a copy, and restore a backup."},
    {"XX002", ErrorCode::DatabaseError,
     "The database {1} is damaged. Stop the programs, keep a copy, and restore a backup."},
};

constexpr Meaning kAway = {
    "", ErrorCode::DatabaseUnavailable,
    "The database server {0} cannot be reached. Check that it runs and that DATABASE_URL is right."};
constexpr Meaning kOther = {"", ErrorCode::DatabaseError, "The database {1} refused a statement."};

const Meaning& meaning_of(std::string_view state) {
  if (state.empty()) return kAway;
  const auto* found =
      std::ranges::find_if(kMeanings, [&](const auto& meaning) { return state.starts_with(meaning.state); });
  return found == std::end(kMeanings) ? kOther : *found;
}

bool is_state_char(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); }

}  // namespace

Error make_error(std::string_view sqlstate, std::string_view detail, const Address& address) {
  const auto& meaning = meaning_of(sqlstate);
  const std::string words = redact(strip_control(trim(detail)));
  return {meaning.code,
          fmt::format(fmt::runtime(meaning.text), address.server(), address.database(),
                      address.user().empty() ? "of this process" : address.user()),
          sqlstate.empty() ? words : fmt::format("PostgreSQL {}: {}", sqlstate, words)};
}

std::string sqlstate_in(std::string_view message) {
  // Severity and state are divided by ":  "; the severity is in the language of the server.
  for (auto at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
    const auto state = message.substr(at + 3, 5);
    if (state.size() == 5 && std::ranges::all_of(state, is_state_char) && message.substr(at + 8, 1) == ":")
      return std::string(state);
  }
  return {};
}

bool ends_connection(std::string_view sqlstate) {
  // Idle in a transaction, protocol errors, shutdown; 26000 and 0A000 ("cached plan") mean that what was prepared is
  // void.
  return sqlstate.empty() || sqlstate.starts_with("08") || sqlstate == "25P03" || sqlstate == "57P01" ||
         sqlstate == "57P02" || sqlstate == "57P03" || sqlstate == "57P05" || sqlstate == "26000" ||
         sqlstate == "0A000";
}

bool is_conflict(std::string_view sqlstate) {
  // A foreign key can fail when another transaction deletes what this one refers to; the next try sees that.
  return sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "55P03" || sqlstate == "23503";
}

}  // namespace planexe::store::postgresql
