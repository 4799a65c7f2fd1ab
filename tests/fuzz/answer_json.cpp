#include <cstddef>
#include <cstdint>
#include <string_view>

#include "recipe/answer.hpp"

namespace {

using namespace planexe;

recipe::Step make_step() {
  recipe::Step step;
  step.schema = *parse_json(R"({"type":"object","additionalProperties":false,"required":["title","list"],"properties":{
        "title":{"type":["string","null"],"description":"A title of some words."},
        "list":{"type":"array","description":"d","items":{"$ref":"#/$defs/one"}}},
        "$defs":{"one":{"type":"object","additionalProperties":false,"required":["id","kind","n"],"properties":{
            "id":{"type":"string","description":"d"},"kind":{"type":"string","enum":["a","b"],"description":"d"},"n":{"type":"integer","minimum":0,"description":"d"}}}}})");
  step.complete =
      recipe::CompleteSpec{*recipe::parse_path("list"), "id", recipe::parse_path("ids").value(), 0, true, 1};
  const auto add = [&](recipe::RuleKind kind, const char* path) -> recipe::Rule& {
    recipe::Rule rule;
    rule.kind = kind;
    rule.path = *recipe::parse_path(path);
    step.rules.push_back(rule);
    return step.rules.back();
  };
  add(recipe::RuleKind::unique, "list[].id");
  add(recipe::RuleKind::distinct, "list[].id").min = 0.9;
  recipe::Rule& between = add(recipe::RuleKind::between, "list[].n");
  between.max = 10;
  add(recipe::RuleKind::words, "title").max = 20;
  add(recipe::RuleKind::covers, "list[].id").reference = *recipe::parse_path("ids");
  recipe::Rule& pattern = add(recipe::RuleKind::not_matches, "title");
  pattern.values = {"(a+)+$"};
  return step;
}

}  // namespace

/// Any bytes as a model's answer: an accepted value obeys the schema, kept elements do too, and nothing crashes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const recipe::Step step = make_step();
  static const recipe::Task task;
  static const json::value ids = *parse_json(R"(["x", "y", "z"])");
  recipe::Scope scope;
  scope.set("ids", &ids);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const recipe::AnswerVerdict first = recipe::judge_answer(task, step, text, scope);
  if (first.accepted()) PLANEXE_ASSERT(recipe::validate_schema(step.schema, first.value).empty());
  if (first.accepted()) PLANEXE_ASSERT(recipe::kept_elements(step, first).size() == 3);
  (void)recipe::repair_text(first, step);
  if (!first.partial) return 0;
  const json::array kept = recipe::kept_elements(step, first);
  PLANEXE_ASSERT(!kept.empty() && kept.size() <= 3);
  PLANEXE_ASSERT(recipe::validate_schema(step.schema, json::object{{"title", nullptr}, {"list", kept}}).empty());
  const recipe::AnswerVerdict again = recipe::judge_answer(task, step, text, scope, kept);
  PLANEXE_ASSERT(recipe::kept_elements(step, again).size() >= kept.size());
  return 0;
}
