#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/sql.hpp"
#include "store/store.hpp"

namespace planexe::store {

/// One numbered step of the schema, as it lies in migrations/ (with the marks of migrations/README.md).
struct Migration {
  int version = 0;
  std::string name;      ///< "0001_initial"
  std::string text;      ///< before rendering
  std::string checksum;  ///< SHA-256 of `text`
};

/// A migration from its file name and text. Error: DATABASE_ERROR for a name without a number.
Result<Migration> make_migration(std::string_view file_name, std::string_view text);

/// The migrations packed into this program, in order, numbered from 1 without gaps.
Result<std::vector<Migration>> embedded_migrations();

/// The SQL of a migration for one database. Error: DATABASE_ERROR for an unknown mark.
Result<std::string> render_migration(std::string_view text, sql::Dialect dialect);

/// The version of the database after checking it against what this program knows: 0 for an empty one or one of the
/// reference. Changes nothing. Errors: DATABASE_TOO_NEW; DATABASE_ERROR when a migration that was applied has another
/// text here; INVALID_CONFIG when the tables are another program's.
Result<int> check_schema(sql::Connection& db, std::span<const Migration> known);

struct MigrationOutcome {
  int from = 0, to = 0;
  bool adopted = false;  ///< the database was one of the reference
};

/// Brings the database to the newest version: one transaction per migration, each under the lock that makes other
/// processes wait. Errors as check_schema, and those of the database; what was committed before stays.
Result<MigrationOutcome> migrate(sql::Connection& db, std::span<const Migration> known);

/// What opening a store does with the schema: migrates, or refuses a version that is not the newest. Gives the version.
/// `shown` is the database as a user may see it. Errors as migrate(), and INVALID_CONFIG.
Result<int> prepare_schema(sql::Connection& db, const OpenOptions& options, std::string_view shown);

}  // namespace planexe::store
