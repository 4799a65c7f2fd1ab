#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "store/sql.hpp"

namespace planexe::store {

/// What a database URL names.
struct DatabaseUrl {
  sql::Dialect dialect = sql::Dialect::sqlite;
  std::filesystem::path file;  ///< SQLite: absolute, or relative to the working directory when the data folder is
  std::string connection;      ///< PostgreSQL: "postgresql://…"; has a password, never to be shown
};

/// Reads "sqlite:///relative.db" (relative to `data_dir`), "sqlite:////absolute.db", "postgresql://…" and its older
/// spellings "postgres://", "postgresql+psycopg2://". Error: INVALID_CONFIG; its text shows no part of the URL but the
/// scheme, since the rest may hold a password.
Result<DatabaseUrl> parse_database_url(std::string_view url, const std::filesystem::path& data_dir);

}  // namespace planexe::store
