#include "store/postgresql/blocks.hpp"

#include <map>
#include <set>

#include "store/apply.hpp"

namespace planexe::store::postgresql {
namespace {

using Wanted = std::map<std::string_view, const TextBlock*>;

/// Another process may delete a text between the insertion and the lock; more often than this is no accident.
constexpr int kRounds = 5;

Wanted blocks_of(std::span<const Job> jobs) {
  Wanted wanted;
  for (const auto& job : jobs) {
    if (!job.transaction) continue;
    for (const auto& write : job.transaction->writes) {
      const auto* put = std::get_if<PutBlocks>(&write);
      if (put == nullptr) continue;
      for (const auto& block : put->blocks) {
        if (writes::check_block(block)) wanted.emplace(block.sha256, &block);
      }
    }
  }
  return wanted;
}

/// An array as the server reads it.
std::string array_of(const Wanted& wanted) {
  std::string text = "{";
  for (const auto& [hash, block] : wanted) {
    text += text.size() == 1 ? "\"" : ",\"";
    for (const char c : hash) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text += '}';
}

/// Takes those that are there out of `wanted`.
Result<void> hold(Connection& db, Wanted& wanted) {
  // KEY SHARE lets others refer to the same texts, and nobody delete them.
  auto rows = db.sql::Connection::query(
      "SELECT sha256 FROM text_blocks WHERE sha256 = ANY (CAST(CAST(? AS TEXT) AS TEXT[])) ORDER BY sha256 FOR KEY "
      "SHARE",
      {array_of(wanted)});
  while (rows.next()) wanted.erase(rows.view());
  return rows.status();
}

}  // namespace

Result<void> store_blocks(Connection& db, std::span<const Job> jobs) {
  auto missing = blocks_of(jobs);
  for (int round = 0; !missing.empty() && round < kRounds; ++round) {
    PLANEXE_TRY(hold(db, missing));
    for (const auto& [hash, block] : missing) PLANEXE_TRY(writes::insert_block(db, *block));
  }
  if (missing.empty()) return {};
  return fail(ErrorCode::DatabaseUnavailable, "Another process deletes what this one stores. Try again in a moment.");
}

}  // namespace planexe::store::postgresql
