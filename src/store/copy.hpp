#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "store/store.hpp"

namespace planexe::store {

/// A table that was copied: how many rows, and the SHA-256 over all their values in the order of the key, which is the
/// same on both sides.
struct CopiedTable {
  std::string table;
  std::int64_t rows = 0;
  std::string sha256;

  bool operator==(const CopiedTable&) const = default;
};

/// Copies a whole database between SQLite and PostgreSQL, or between two PostgreSQL databases, as it was at one moment;
/// the source is not changed. The target is made or migrated and must hold no plans. Everything is one transaction of
/// the target: before COMMIT its rows are read back and compared with what was read from the source, so that a copy is
/// whole or not there.
///
/// Errors: CONFLICT (target not empty), INVALID_CONFIG (two SQLite files; source of an older schema), DATABASE_ERROR
/// (a value that cannot be read, or a difference), and those of opening.
Result<std::vector<CopiedTable>> copy_database(const OpenOptions& from, const OpenOptions& to);

}  // namespace planexe::store
