#include "recipe/rule_selection.hpp"

#include <algorithm>

namespace planexe::recipe {
namespace {

bool same_step(const Path::Step& a, const Path::Step& b) {
  return a.kind == b.kind && a.name == b.name && a.number == b.number;
}

/// Index of the last [] that both paths have in common, plus one; 0 when there is none.
std::size_t common_each(const Path& a, const Path& b) {
  std::size_t common = 0;
  for (std::size_t i = 0; i < std::min(a.steps.size(), b.steps.size()); ++i) {
    if (!same_step(a.steps[i], b.steps[i])) break;
    if (a.steps[i].kind == Path::Step::each) common = i + 1;
  }
  return common;
}

Path part(const Path& path, std::size_t from, std::size_t to) {
  Path out;
  out.steps.assign(path.steps.begin() + static_cast<std::ptrdiff_t>(from),
                   path.steps.begin() + static_cast<std::ptrdiff_t>(to));
  return out;
}

/// What lies at a path below one element; the element itself for an empty path.
std::vector<Located> locate_in(const Path& path, const Located& element) {
  if (path.steps.empty()) return {element};
  std::vector<Located> out = locate(path, *element.value);
  for (Located& found : out) found.place = element.place + (found.place.starts_with('[') ? "" : ".") + found.place;
  return out;
}

bool equal(const json::value& value, const json::value& wanted) {
  if (value.is_number() && wanted.is_number()) return value.to_number<double>() == wanted.to_number<double>();
  return value == wanted;
}

bool condition_holds(const Rule& rule, const std::vector<Located>& values) {
  return std::ranges::any_of(values,
                             [&](const Located& one) { return equal(*one.value, rule.if_value) != rule.if_negated; });
}

}  // namespace

std::vector<Located> selected_values(const Rule& rule, const json::value& answer) {
  if (!rule.if_path) return locate(rule.path, answer);
  const std::size_t common = common_each(rule.path, *rule.if_path);
  if (common == 0)
    return condition_holds(rule, locate(*rule.if_path, answer)) ? locate(rule.path, answer) : std::vector<Located>();
  const Path wanted = part(rule.path, common, rule.path.steps.size());
  const Path deciding = part(*rule.if_path, common, rule.if_path->steps.size());
  std::vector<Located> out;
  for (const Located& element : locate(part(rule.path, 0, common), answer))
    if (condition_holds(rule, locate_in(deciding, element)))
      std::ranges::move(locate_in(wanted, element), std::back_inserter(out));
  return out;
}

std::string list_place(const Path& path) {
  std::string place;
  for (const Path::Step& step : path.steps) {
    if (step.kind != Path::Step::member) break;
    place += (place.empty() ? "" : ".") + step.name;
  }
  return place;
}

}  // namespace planexe::recipe
