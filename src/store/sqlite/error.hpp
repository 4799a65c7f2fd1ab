#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "base/error.hpp"

namespace planexe::store::sqlite {

/// What an (extended) SQLite result code means for a user: disk full, no permission, not a database, locked, damaged.
/// `detail` is SQLite's own text. Codes: IO_ERROR, DATABASE_UNAVAILABLE, DATABASE_ERROR.
Error make_error(int code, std::string_view detail, const std::filesystem::path& file);

/// make_error for the last failure of a connection.
Error last_error(sqlite3* db, const std::filesystem::path& file);

/// What a failed COMMIT says about the transaction.
enum class CommitFailure {
  rolled_back,  ///< the log has no valid commit record of it
  unknown,      ///< the commit record may be in the log: a restart may find the transaction
};
CommitFailure classify_commit_failure(int code);

/// True when the process must not go on writing: after a failed flush the kernel may have dropped the pages, and a
/// second flush would succeed without them. Only a restart reads what the disk really has.
bool must_stop_writing(int code);

}  // namespace planexe::store::sqlite
