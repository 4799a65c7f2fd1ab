#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

struct Chapter {
  std::string_view key;
  std::string_view title;
  std::string_view reference;
  bool may_shorten;  // three chapters are short by nature
};

constexpr auto kChapters = std::to_array<Chapter>({
    {"purpose", "Purpose", "identify_purpose.markdown", false},
    {"plan_type", "Plan Type", "plan_type.markdown", false},
    {"physical_locations", "Physical Locations", "physical_locations.markdown", true},
    {"currency_strategy", "Currency Strategy", "currency_strategy.markdown", true},
    {"identify_risks", "Identify Risks", "identify_risks.markdown", true},
    {"make_assumptions", "Make Assumptions", "make_assumptions.markdown", true},
    {"distill_assumptions", "Distill Assumptions", "distill_assumptions.markdown", false},
    {"review_assumptions", "Review Assumptions", "review_assumptions.markdown", true},
});

// Characters above which a chapter is worth a call; in fast mode only the largest ones are.
constexpr std::size_t kShortenAbove = 1500;
constexpr std::size_t kShortenAboveFast = 4000;
// Share of the distinct figures that the short form has to keep; the rest allows for chapter numbers and figures that
// stood twice in words.
constexpr double kNumbersKept = 0.9;
// Less than this share of the length is no short form but a text that broke off.
constexpr double kLeastLength = 0.1;

std::string chapter_text(const BuiltinInput& in, const Chapter& chapter) {
  const json::value& value = read(in, chapter.reference);
  return value.is_string() ? trim(std::string_view(value.get_string())) : std::string{};
}

bool is_heading(std::string_view line) { return line.starts_with('#'); }
bool is_bullet(std::string_view line) { return trim(line).starts_with("- "); }

std::size_t entries_in(std::string_view markdown) {
  return static_cast<std::size_t>(
      std::ranges::count_if(split_lines(markdown), [](std::string_view line) { return line.starts_with("## "); }));
}

// One line of a short form in the agreed notation: "#" or "##", "- ", no bold, no fences. Empty for lines that fall
// away.
std::string tidy_line(std::string_view line) {
  std::string result = replace_all(line, "**", "");
  const std::string inner = trim(result);
  if (inner.starts_with("```")) return {};
  if (inner.starts_with("* ") || inner.starts_with("+ "))
    return std::string(result.find_first_not_of(' '), ' ') + "- " + inner.substr(2);
  if (const std::size_t level = inner.find_first_not_of('#');
      level != std::string::npos && level > 2 && inner[level] == ' ')
    return "##" + inner.substr(level);
  while (!result.empty() && (result.back() == ' ' || result.back() == '\r')) result.pop_back();
  return result;
}

std::string tidy(std::string_view markdown) {
  std::string result;
  bool blank = true;
  bool bullet = false;
  for (const std::string_view raw : split_lines(markdown)) {
    const std::string line = tidy_line(raw);
    if (trim(line).empty()) {
      blank = true;
      continue;
    }
    const bool now_bullet = is_bullet(line) || (bullet && line.starts_with("  "));
    if (!result.empty()) {
      const bool gap = blank || now_bullet != bullet || is_heading(line);
      result += gap && !(now_bullet && bullet) ? "\n\n" : "\n";
    }
    result += line;
    blank = false;
    bullet = now_bullet;
  }
  return result;
}

// Without a first heading that only repeats the chapter's title.
std::string without_title(std::string_view markdown, std::string_view title) {
  const std::string whole = trim(markdown);
  const auto lines = split_lines(whole);
  if (lines.empty() || !is_heading(lines.front())) return whole;
  const std::string heading = trim(lines.front().substr(lines.front().find_first_not_of('#') == std::string_view::npos
                                                            ? lines.front().size()
                                                            : lines.front().find_first_not_of('#')));
  return normalize_name(heading) == normalize_name(title) ? trim(std::string_view(whole).substr(lines.front().size()))
                                                          : whole;
}

// Why a short form cannot stand for the original; "" when it can.
std::string objection(std::string_view original, std::string_view shortened) {
  const std::size_t before = code_points(original);
  const std::size_t after = code_points(shortened);
  if (after == 0) return "it is empty";
  if (after >= before) return "it is not shorter";
  if (static_cast<double>(after) < kLeastLength * static_cast<double>(before)) return "it breaks off";
  const auto lines = split_lines(shortened);
  const auto structure =
      std::ranges::count_if(lines, [](std::string_view line) { return is_heading(line) || line.starts_with("- "); });
  if (static_cast<std::size_t>(structure) < entries_in(original)) return "entries are missing";
  const auto all = numbers_in(original);
  const std::set<std::string> wanted(all.begin(), all.end());
  const auto kept_list = numbers_in(shortened);
  const std::set<std::string> kept(kept_list.begin(), kept_list.end());
  const auto found = std::ranges::count_if(wanted, [&](const std::string& number) { return kept.contains(number); });
  if (static_cast<double>(found) < kNumbersKept * static_cast<double>(wanted.size())) return "figures are missing";
  return {};
}

// Answer of the unit whose element is this chapter; "" when there is none.
std::string short_answer(const BuiltinInput& in, std::string_view key) {
  for (const json::value& item : step_items(in, "shorten")) {
    const json::value* element = find(item, "element");
    const json::value* answer = find(item, "answer");
    if (element == nullptr || answer == nullptr || text(*element, "key") != key) continue;
    if (answer->is_string()) return std::string(std::string_view(answer->get_string()));
  }
  return {};
}

bool was_long(const json::value& sections, std::string_view key) {
  return std::ranges::any_of(list(sections, "long"),
                             [&](const json::value& entry) { return text(entry, "key") == key; });
}

}  // namespace

Result<BuiltinResult> assumption_sections(const BuiltinInput& in) {
  const json::value* speed = in.plan.if_contains("speed");
  const bool fast = speed != nullptr && speed->is_string() && speed->get_string().starts_with("fast");
  const std::size_t limit = fast ? kShortenAboveFast : kShortenAbove;
  json::array sections;
  json::array longer;
  for (const Chapter& chapter : kChapters) {
    const std::string markdown = chapter_text(in, chapter);
    const std::size_t chars = code_points(markdown);
    sections.push_back(json::object{{"key", chapter.key}, {"title", chapter.title}, {"chars", chars}});
    if (!chapter.may_shorten || chars <= limit) continue;
    longer.push_back(json::object{{"key", chapter.key},
                                  {"title", chapter.title},
                                  {"markdown", markdown},
                                  {"chars", chars},
                                  {"entries", entries_in(markdown)},
                                  {"target", chars * 2 / 5}});
  }
  // The longest call decides when all are done, so it starts first.
  std::ranges::sort(longer, std::greater{},
                    [](const json::value& entry) { return get_int(entry, "chars").value_or(0); });
  BuiltinResult result;
  result.answer = json::object{{"sections", std::move(sections)}, {"long", std::move(longer)}};
  return result;
}

Result<BuiltinResult> consolidate_assumptions(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value sections, analysis::need_answer(in, "sections"));
  BuiltinResult result;
  std::string full;
  std::string brief;
  for (const Chapter& chapter : kChapters) {
    const std::string original = chapter_text(in, chapter);
    std::string chosen = original;
    if (was_long(sections, chapter.key)) {
      std::string candidate = tidy(without_title(short_answer(in, chapter.key), chapter.title));
      if (const std::string reason = objection(original, candidate); reason.empty()) {
        chosen = std::move(candidate);
      } else {
        result.degraded = true;
        result.findings.push_back({"not_shortened", std::string(chapter.title),
                                   fmt::format("{} stays at full length: {}.", chapter.title, reason)});
      }
    }
    full += fmt::format("{}# {}\n\n{}\n", full.empty() ? "" : "\n", chapter.title, original);
    brief += fmt::format("{}# {}\n\n{}\n", brief.empty() ? "" : "\n", chapter.title, tidy(chosen));
  }
  result.outputs["full"] = std::move(full);
  result.outputs["short"] = std::move(brief);
  return result;
}

}  // namespace planexe::plan
