#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/apply.hpp"
#include "store/columns.hpp"
#include "store/limits.hpp"

namespace planexe::store::writes {

using sql::text_or_null;

namespace {

struct NewestVersion {
  std::int64_t id = 0, version = 0;
  bool current = false;
  std::string sha256, input_hash;
};

/// Version 0 when there is none. A current version is always the newest one.
Result<NewestVersion> newest_version(const Context& context, const std::string& filename) {
  auto rows = context.db.query(
      "SELECT id, version, is_current, sha256, input_hash FROM plan_content "
      "WHERE plan_id = ? AND filename = ? ORDER BY version DESC LIMIT 1",
      {context.plan_id, filename});
  NewestVersion newest;
  if (rows.next()) newest = {rows.integer(), rows.integer(), rows.boolean(), rows.string(), rows.string()};
  PLANEXE_TRY(rows.status());
  return newest;
}

/// Bytes that are no text keep their exact form in the blob column.
bool must_be_blob(const ContentRow& row) {
  return row.is_binary || row.content.find('\0') != std::string::npos || !valid_utf8(row.content);
}

Result<void> insert_version(const Context& context, const ContentRow& row, const std::string& sha256,
                            std::int64_t version) {
  const bool blob = must_be_blob(row);
  return sql::send_insert(context.db, "plan_content",
                          {{"plan_id", context.plan_id},
                           {"filename", row.filename},
                           {"version", version},
                           {"is_current", true},
                           {"stale", row.stale},
                           {"stage", text_or_null(row.stage)},
                           {"content_type", row.content_type},
                           {"content_size_bytes", row.content.size()},
                           {"sha256", sha256},
                           {"input_hash", text_or_null(row.input_hash)},
                           {"task_key", text_or_null(row.task_key)},
                           {"fencing", context.fence()},
                           {"created_at", or_now(row.created_at, context.now)},
                           {"content", blob ? std::string_view() : std::string_view(row.content)},
                           {"content_blob", blob ? sql::Param(sql::Blob{row.content}) : sql::Param()}});
}

}  // namespace

Result<void> apply(const Context& context, const PutContent& write) {
  const ContentRow& row = write.content;
  if (row.content.size() > limits::kContentBytesMax) {
    return fail(ErrorCode::LimitExceeded, fmt::format("The file {} has {} bytes; at most {} can be stored.",
                                                      row.filename, row.content.size(), limits::kContentBytesMax));
  }
  const std::string sha256 = row.sha256.empty() ? sha256_hex(row.content) : row.sha256;
  PLANEXE_TRY_ASSIGN(const auto newest, newest_version(context, row.filename));
  if (newest.current && newest.sha256 == sha256 && newest.input_hash == row.input_hash) {
    return context.db.send("UPDATE plan_content SET stale = FALSE WHERE id = ? AND stale", {newest.id});
  }
  if (newest.current) {
    PLANEXE_TRY(context.db.send("UPDATE plan_content SET is_current = FALSE WHERE id = ?", {newest.id}));
  }
  return insert_version(context, row, sha256, newest.version + 1);
}

Result<void> apply(const Context& context, const MarkStale& write) {
  return context.db.send("UPDATE plan_content SET stale = TRUE WHERE plan_id = ? AND task_key = ? AND is_current",
                         {context.plan_id, write.task_key});
}

Result<void> apply(const Context& context, const PutFileRow& write) {
  return sql::send_insert(context.db, "plan_files",
                          {{"plan_id", context.plan_id},
                           {"filename", write.filename},
                           {"file_type", write.file_type},
                           {"file_size_bytes", write.size_bytes},
                           {"content_hash", text_or_null(write.content_hash)},
                           {"generated_by_stage", text_or_null(write.generated_by_stage)},
                           {"created_at", context.now},
                           {"updated_at", context.now},
                           {"file_path", write.file_path}},
                          "ON CONFLICT (plan_id, filename) DO UPDATE SET file_type = excluded.file_type, "
                          "file_size_bytes = excluded.file_size_bytes, "
                          "version = plan_files.version + CASE WHEN plan_files.content_hash IS NOT DISTINCT FROM "
                          "excluded.content_hash THEN 0 ELSE 1 END, "
                          "content_hash = excluded.content_hash, generated_by_stage = excluded.generated_by_stage, "
                          "updated_at = excluded.updated_at, file_path = excluded.file_path");
}

Result<void> check_block(const TextBlock& block) {
  if (block.text.size() > limits::kContentBytesMax) {
    return fail(ErrorCode::LimitExceeded, fmt::format("A text of {} bytes is too long to be stored; at most {}.",
                                                      block.text.size(), limits::kContentBytesMax));
  }
  if (block.text.find('\0') != std::string::npos || !valid_utf8(block.text)) {
    return fail(ErrorCode::InvalidArgument, "A part of a prompt is not valid UTF-8 text.", block.sha256);
  }
  return {};
}

Result<void> insert_block(sql::Connection& db, const TextBlock& block) {
  return sql::send_insert(db, "text_blocks",
                          {{"sha256", block.sha256}, {"size_bytes", block.text.size()}, {"text", block.text}},
                          "ON CONFLICT (sha256) DO NOTHING");
}

Result<void> apply(const Context& context, const PutBlocks& write) {
  for (const auto& block : write.blocks) {
    PLANEXE_TRY(check_block(block));
    if (context.blocks == Blocks::absent) PLANEXE_TRY(insert_block(context.db, block));
    if (context.plan_id.empty()) continue;
    PLANEXE_TRY(
        context.db.send("INSERT INTO plan_blocks (plan_id, block_id) "
                        "SELECT ?, id FROM text_blocks WHERE sha256 = ? "
                        "ON CONFLICT (plan_id, block_id) DO NOTHING",
                        {context.plan_id, block.sha256}));
  }
  return {};
}

}  // namespace planexe::store::writes
