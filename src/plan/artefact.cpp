#include "plan/artefact.hpp"

#include <array>
#include <utility>

namespace planexe::plan {
namespace {

constexpr std::int64_t kLast = 1'000'000'000;

// Reads up to three digits and the '-' behind them; -1 when something else stands there.
std::int64_t read_part(std::string_view& text) {
  std::int64_t value = 0;
  std::size_t at = 0;
  while (at < text.size() && at < 4 && text[at] >= '0' && text[at] <= '9') value = value * 10 + (text[at++] - '0');
  if (at == 0 || at > 3 || at >= text.size() || text[at] != '-') return -1;
  text.remove_prefix(at + 1);
  return value;
}

}  // namespace

std::int64_t artefact_order(std::string_view filename) {
  const std::int64_t group = read_part(filename);
  if (group < 0) return kLast;
  const std::int64_t index = read_part(filename);
  const std::int64_t number = index < 0 ? -1 : read_part(filename);
  return group * 1'000'000 + (index < 0 ? 0 : index) * 1'000 + (number < 0 ? 0 : number);
}

std::string_view artefact_content_type(std::string_view filename) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTypes{
      {{".json", "json"}, {".md", "markdown"}, {".html", "html"}, {".csv", "csv"}, {".txt", "txt"}}};
  if (filename == "018-3-wbs_level1_project_title.json") return "txt";
  for (const auto& [extension, type] : kTypes)
    if (filename.ends_with(extension)) return type;
  return "unknown";
}

bool is_raw_artefact(std::string_view filename) { return filename.ends_with("_raw.json"); }

}  // namespace planexe::plan
