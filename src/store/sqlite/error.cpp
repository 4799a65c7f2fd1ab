#include "store/sqlite/error.hpp"

#include <fmt/format.h>

namespace planexe::store::sqlite {
namespace {

struct Meaning {
  ErrorCode code;
  std::string_view text;  ///< with {} for the file
};

Meaning meaning_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {ErrorCode::IoError,
              "The disk is full: nothing more can be stored in {}. Free some space, then resume the plan."};
    case SQLITE_CANTOPEN:
      return {ErrorCode::IoError,
              "Cannot open the database {}. Check that its folder exists and that you may write to it."};
    case SQLITE_READONLY:
      return {ErrorCode::IoError,
              "The database {} cannot be written. Check the permissions of the file and its folder."};
    case SQLITE_PERM:
    case SQLITE_AUTH: return {ErrorCode::IoError, "No permission to use the database {}. Check the owner of the file."};
    case SQLITE_NOTADB:
      return {ErrorCode::DatabaseError,
              "{} is not a SQLite database. Name another file with DATABASE_URL or --db, or move this one away."};
    case SQLITE_CORRUPT:
      return {
          ErrorCode::DatabaseError,
          "The database {} is damaged. Stop the program, keep a copy, and restore a backup or run `sqlite3 .recover`."};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return {ErrorCode::DatabaseUnavailable, "The database {} is locked by another process. Try again in a moment."};
    case SQLITE_IOERR:
      return {ErrorCode::IoError, "The disk failed while using the database {}. Check the disk, then start again."};
    case SQLITE_NOMEM:
      return {ErrorCode::DatabaseUnavailable,
              "Out of memory while using the database {}. Free memory, then try again."};
    case SQLITE_TOOBIG: return {ErrorCode::LimitExceeded, "A value is too large for the database {}."};
    default: return {ErrorCode::DatabaseError, "The database {} refused a statement."};
  }
}

}  // namespace

Error make_error(int code, std::string_view detail, const std::filesystem::path& file) {
  const auto meaning = meaning_of(code);
  return {meaning.code, fmt::format(fmt::runtime(meaning.text), file.string()),
          fmt::format("SQLite {}: {}", code, detail)};
}

Error last_error(sqlite3* db, const std::filesystem::path& file) {
  if (db == nullptr) return make_error(SQLITE_NOMEM, "no connection", file);
  return make_error(sqlite3_extended_errcode(db), sqlite3_errmsg(db), file);
}

CommitFailure classify_commit_failure(int code) {
  // The commit record is the last frame that is written. A failed write leaves it incomplete and its checksum wrong;
  // a failure after it (flush, index of the log, memory) leaves it whole.
  if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ) {
    return CommitFailure::rolled_back;
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CONSTRAINT: return CommitFailure::rolled_back;
    default: return CommitFailure::unknown;
  }
}

bool must_stop_writing(int code) {
  switch (code) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC: return true;
    default: return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
  }
}

}  // namespace planexe::store::sqlite
