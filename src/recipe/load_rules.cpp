#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <re2/re2.h>

#include "recipe/loader.hpp"

namespace planexe::recipe {
namespace {

struct NamedRule {
  std::string_view name;
  RuleKind kind;
};
constexpr NamedRule kNamed[] = {{"unique", RuleKind::unique},     {"distinct", RuleKind::distinct},
                                {"nonempty", RuleKind::nonempty}, {"quoted", RuleKind::quoted},
                                {"present", RuleKind::present},   {"absent", RuleKind::absent}};
constexpr NamedRule kKeyed[] = {{"len", RuleKind::len},
                                {"words", RuleKind::words},
                                {"between", RuleKind::between},
                                {"one_of", RuleKind::one_of},
                                {"in", RuleKind::in},
                                {"covers", RuleKind::covers},
                                {"matches", RuleKind::matches},
                                {"not_matches", RuleKind::not_matches},
                                {"sums_to", RuleKind::sums_to},
                                {"ordered", RuleKind::ordered},
                                {"max_share", RuleKind::max_share}};
constexpr double kDefaultOverlap = 0.7;  // the share above which two texts of real runs said the same thing

/// [min, max] or one number for both.
void read_range(TableReader& table, std::string_view key, Rule& rule) {
  const json::value value = table.value(key);
  if (value.is_number()) {
    rule.min = rule.max = value.to_number<double>();
    return;
  }
  const json::array* list = value.is_array() ? &value.get_array() : nullptr;
  if (!list || list->size() != 2 || !(*list)[0].is_number() || !(*list)[1].is_number()) {
    table.bad(key, "must be a number or [least, most]");
    return;
  }
  rule.min = (*list)[0].to_number<double>();
  rule.max = (*list)[1].to_number<double>();
  if (!(rule.min <= rule.max)) table.bad(key, "the first number is larger than the second");
}

void read_pattern(TableReader& table, std::string_view key, Rule& rule) {
  rule.values = {table.text(key).value_or("")};
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 pattern(rule.values.front(), quiet);
  if (!pattern.ok()) table.bad(key, fmt::format("not a regular expression of RE2: {}", pattern.error()));
}

void read_keyed(TableReader& table, std::string_view key, Rule& rule) {
  switch (rule.kind) {
    case RuleKind::len:
    case RuleKind::words:
    case RuleKind::between: return read_range(table, key, rule);
    case RuleKind::one_of:
    case RuleKind::ordered:
      rule.values = table.texts(key);
      if (rule.values.empty()) table.bad(key, "the list is empty");
      return;
    case RuleKind::in:
    case RuleKind::covers: rule.reference = table.path(key); return;
    case RuleKind::matches:
    case RuleKind::not_matches: return read_pattern(table, key, rule);
    case RuleKind::sums_to:
      rule.min = table.number(key).value_or(0);
      rule.max = table.number("tolerance").value_or(0);
      return;
    default: rule.max = table.number(key).value_or(1); return;
  }
}

void read_condition(TableReader& table, Rule& rule) {
  rule.if_path = table.path("if_path");
  const bool equals = table.has("if_equals");
  rule.if_value = equals ? table.value("if_equals") : table.value("if_not_equals");
  (void)table.node("if_equals");
  (void)table.node("if_not_equals");
  // Without a value the rule holds where the path is not null: "not equal to null".
  rule.if_negated = !equals;
  if (!rule.if_path && (equals || table.has("if_not_equals")))
    table.bad(equals ? "if_equals" : "if_not_equals", "needs if_path");
  if (equals && table.has("if_not_equals")) table.bad("if_not_equals", "if_equals is given already");
}

bool choose_kind(TableReader& table, Rule& rule) {
  int found = 0;
  for (const NamedRule& keyed : kKeyed) {
    (void)table.node(keyed.name);
    if (!table.has(keyed.name)) continue;
    rule.kind = keyed.kind;
    ++found;
    read_keyed(table, keyed.name, rule);
  }
  if (const auto name = table.text("rule")) {
    const auto* known = std::ranges::find(kNamed, *name, &NamedRule::name);
    if (known == std::end(kNamed))
      table.bad("rule",
                fmt::format("'{}' is no rule; known are unique, distinct, nonempty, quoted, present, absent", *name));
    else
      rule.kind = known->kind;
    ++found;
  }
  if (found != 1)
    table.bad("path",
              found == 0
                  ? "the rule does not say what must hold: len, words, rule, between, one_of, in, covers, matches …"
                  : "one rule at a time: write a second block");
  return found == 1;
}

Rule read_rule(TableReader& table, bool is_assert) {
  Rule rule;
  rule.is_assert = is_assert;
  if (auto path = table.path("path"))
    rule.path = *std::move(path);
  else if (!table.has("path"))
    table.bad("path", "is missing");
  choose_kind(table, rule);
  const auto overlap = table.number("overlap");
  if (rule.kind == RuleKind::distinct)
    rule.min = overlap.value_or(kDefaultOverlap);
  else if (overlap)
    table.bad("overlap", "belongs to rule = \"distinct\"");
  if (table.number("tolerance") && rule.kind != RuleKind::sums_to) table.bad("tolerance", "belongs to sums_to");
  read_condition(table, rule);
  rule.message = table.text("message").value_or("");
  table.done();
  return rule;
}

}  // namespace

std::vector<Rule> load_rules(TableReader& table) {
  std::vector<Rule> rules;
  for (const std::string_view key : {"assert", "check"}) {
    for (TableReader& block : table.tables(key)) {
      Rule rule = read_rule(block, key == "assert");
      if (!rule.path.steps.empty()) rules.push_back(std::move(rule));
    }
  }
  return rules;
}

}  // namespace planexe::recipe
