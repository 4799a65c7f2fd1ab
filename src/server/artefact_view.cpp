#include "server/artefact_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hash.hpp"
#include "plan/artefact.hpp"
#include "server/limits.hpp"
#include "server/view_values.hpp"
#include "store/page_cursor.hpp"

namespace planexe::server {
namespace {

constexpr std::string_view kCursorKind = "f";

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// The number in place of "{n}" of the pattern, or 0.
int number_in(std::string_view pattern, std::string_view filename) {
  const auto mark = pattern.find("{n}");
  if (mark == std::string_view::npos) return 0;
  const auto head = pattern.substr(0, mark), tail = pattern.substr(mark + 3);
  if (filename.size() <= head.size() + tail.size() || !filename.starts_with(head) || !filename.ends_with(tail))
    return 0;
  const auto digits = filename.substr(head.size(), filename.size() - head.size() - tail.size());
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? std::max(0, number) : 0;
}

std::string_view stem_of(std::string_view filename) { return filename.substr(0, filename.rfind('.')); }

/// "012-2-swot_analysis.md" -> "Swot analysis".
std::string words_of(std::string_view filename) {
  auto stem = stem_of(filename);
  const auto word = stem.find_first_not_of("0123456789-");
  if (word != std::string_view::npos) stem.remove_prefix(word);
  return view::humanised(stem);
}

std::string description_of(const store::ContentRow& file, const FileOrigin& origin) {
  if (file.filename == "log.txt") return "Log";
  if (file.filename == view::kMarkerFile) return "Completion marker";
  if (origin.task == nullptr) return words_of(file.filename);
  std::string text = origin.task->title;
  const auto others = std::ranges::count_if(origin.task->outputs,
                                            [](const auto& output) { return !plan::is_raw_artefact(output.filename); });
  std::string part;
  if (plan::is_raw_artefact(file.filename)) {
    part = "raw answer";
  } else if (others > 1) {
    part = origin.output->name;
    std::ranges::replace(part, '_', ' ');
  }
  if (origin.number > 0) part += fmt::format("{}{}", part.empty() ? "" : " ", origin.number);
  return part.empty() ? text : fmt::format("{} ({})", text, part);
}

auto sort_key(const store::ContentRow& file) {
  return std::pair(plan::artefact_order(file.filename), std::string_view(file.filename));
}

/// Stands for a name in a cursor, which holds numbers only.
std::int64_t name_number(std::string_view filename) {
  std::uint64_t number = 0;
  const auto hex = sha256_hex(filename).substr(0, 15);
  std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
  return static_cast<std::int64_t>(number);
}

/// The first file behind the one that the cursor names; when that is gone, the first one with a higher order.
Result<std::size_t> place_behind(const std::vector<store::ContentRow>& files, std::string_view cursor) {
  PLANEXE_TRY_ASSIGN(const auto keys, store::read_cursor(kCursorKind, 2, cursor));
  std::size_t behind = 0;
  while (behind < files.size() && plan::artefact_order(files[behind].filename) < keys[0]) ++behind;
  for (; behind < files.size() && plan::artefact_order(files[behind].filename) == keys[0]; ++behind)
    if (name_number(files[behind].filename) == keys[1]) return behind + 1;
  return behind;
}

}  // namespace

bool is_listed_name(std::string_view filename) {
  if (filename.empty() || filename.size() > limits::kFileNameCharsMax || !is_alnum(filename.front())) return false;
  if (filename.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(filename, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

FileOrigin file_origin(const recipe::Recipe& recipe, std::string_view filename) {
  for (const auto& task : recipe.tasks)
    for (const auto& output : task.outputs) {
      const int number = output.numbered ? number_in(output.filename, filename) : 0;
      if (number > 0 || (!output.numbered && output.filename == filename)) return {&task, &output, number};
    }
  return {};
}

store::ContentRow listed_file(store::ContentRow row, const recipe::Recipe& recipe) {
  constexpr std::array<std::string_view, 6> kTypes{"json", "markdown", "html", "csv", "txt", "unknown"};
  const auto origin = file_origin(recipe, row.filename);
  if (!view::is_task_key(row.task_key)) row.task_key = origin.task != nullptr ? origin.task->key : "";
  if (!view::is_phase(row.stage)) row.stage = origin.task != nullptr ? origin.task->phase : "";
  if (std::ranges::find(kTypes, row.content_type) == kTypes.end())
    row.content_type = plan::artefact_content_type(row.filename);
  return row;
}

std::vector<store::ContentRow> listed_files(std::vector<store::ContentRow> rows, const recipe::Recipe& recipe) {
  std::vector<store::ContentRow> files;
  for (auto& row : rows)
    if (is_listed_name(row.filename)) files.push_back(listed_file(std::move(row), recipe));
  std::ranges::sort(files, {}, sort_key);
  return files;
}

json::object file_entry(const store::ContentRow& file, const recipe::Recipe& recipe) {
  const auto origin = file_origin(recipe, file.filename);
  return {{"filename", file.filename},
          {"content_type", file.content_type},
          {"stage", view::text_or_null(file.stage)},
          {"size_bytes", file.size_bytes},
          {"created_at", format_iso(file.created_at)},
          {"description", description_of(file, origin)},
          {"task_name",
           file.task_key.empty() ? json::value(nullptr) : json::value(view::task_title(recipe, file.task_key))},
          {"order", plan::artefact_order(file.filename)},
          {"task_key", view::text_or_null(file.task_key)},
          {"version", std::max(1, file.version)},
          {"stale", file.stale},
          {"sha256", view::text_or_null(file.sha256)}};
}

Result<FilePage> file_page(std::vector<store::ContentRow> files, std::optional<std::size_t> limit,
                           std::string_view cursor) {
  std::size_t first = 0;
  if (!cursor.empty()) {
    PLANEXE_TRY_ASSIGN(first, place_behind(files, cursor));
  }
  FilePage page;
  const std::size_t last = limit && *limit < files.size() - first ? first + *limit : files.size();
  if (last < files.size() && last > first) {
    const auto& end = files[last - 1].filename;
    page.next_cursor = store::make_cursor(kCursorKind, {plan::artefact_order(end), name_number(end)});
  }
  for (std::size_t i = first; i < last; ++i) page.files.push_back(std::move(files[i]));
  return page;
}

std::string_view media_type(std::string_view content_type, bool is_binary) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTypes{
      {{"json", "application/json; charset=utf-8"},
       {"markdown", "text/markdown; charset=utf-8"},
       {"html", "text/html; charset=utf-8"},
       {"csv", "text/csv; charset=utf-8"},
       {"txt", "text/plain; charset=utf-8"}}};
  if (!is_binary)
    for (const auto& [kind, type] : kTypes)
      if (kind == content_type) return type;
  return "application/octet-stream";
}

std::string content_disposition(std::string_view kind, std::string_view filename) {
  std::string plain, encoded;
  for (const char c : filename) {
    const auto byte = static_cast<unsigned char>(c);
    const bool safe = is_alnum(c) || c == '.' || c == '_' || c == '-';
    plain += safe || c == ' ' ? c : '_';
    if (safe) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return fmt::format("{}; filename=\"{}\"; filename*=UTF-8''{}", kind, plain, encoded);
}

}  // namespace planexe::server
