#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "recipe/recipe.hpp"
#include "store/rows.hpp"

namespace planexe::server {

/// True for names that can be asked for: ^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$ without "..". Attachments of imported runs
/// may have others; they are in the database only.
bool is_listed_name(std::string_view filename);

/// The task and output that a file comes from by its name. `number` counts from 1 for outputs of several files.
struct FileOrigin {
  const recipe::Task* task = nullptr;
  const recipe::Output* output = nullptr;
  int number = 0;
};
FileOrigin file_origin(const recipe::Recipe& recipe, std::string_view filename);

/// A file as lists show it: a row of plan_content without its bytes. sha256 is empty for a file that is still growing.
/// Names, phase and kind are set right for rows that older versions wrote.
store::ContentRow listed_file(store::ContentRow row, const recipe::Recipe& recipe);

/// All rows that can be listed, by order and name.
std::vector<store::ContentRow> listed_files(std::vector<store::ContentRow> rows, const recipe::Recipe& recipe);

/// FileEntry of the contract, of a row from listed_files.
json::object file_entry(const store::ContentRow& file, const recipe::Recipe& recipe);

/// One page of `files`, which are sorted as listed_files does. CURSOR_INVALID.
struct FilePage {
  std::vector<store::ContentRow> files;
  std::string next_cursor;
};
Result<FilePage> file_page(std::vector<store::ContentRow> files, std::optional<std::size_t> limit,
                           std::string_view cursor);

/// The media type with its charset of a kind of file; application/octet-stream for bytes that are no text.
std::string_view media_type(std::string_view content_type, bool is_binary);

/// Content-Disposition of `kind` (attachment or inline) with a quoted ASCII name and filename* (RFC 6266, RFC 8187).
std::string content_disposition(std::string_view kind, std::string_view filename);

}  // namespace planexe::server
