#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/text.hpp"
#include "recipe/answer.hpp"
#include "recipe/filters.hpp"
#include "recipe/prompt.hpp"
#include "recipe/words.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

using testing::operator""_json;
using testing::small_recipe;

/// Texts full of what the syntaxes of this library are made of.
rc::Gen<std::string> awkward_text() {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                          "{{", "}}", "{{a}}", "{{#if a}}", "{{/if}}", "{{> f}}", "<", "</document>",
                          "<document name=\"x\">", "</client_request>", "|", "\\", "`", "*", "[", "]", "\n", "\r\n",
                          " ", "ü", "中", "word", "\"", "#", "1.", "-", "&")),
                      [](const std::vector<std::string>& parts) {
                        std::string out;
                        for (const std::string& part : parts) out += part;
                        return out;
                      });
}

RC_GTEST_PROP(TemplateProperties, InsertedTextIsNeverParsedAgain, ()) {
  const std::string text = *awkward_text();
  const json::value value(text);
  Scope scope;
  scope.set("v", &value);
  const auto tmpl = parse_template("a{{v}}b{{#each l? as x}}{{/each}}", "t");
  RC_ASSERT(render(*tmpl, scope, {}).value() == "a" + text + "b");
}

RC_GTEST_PROP(TemplateProperties, TextWithoutTagsIsItself, ()) {
  std::string text = *awkward_text();
  text = replace_all(text, "{{", "{ {");
  RC_PRE(text.find("{{") == std::string::npos);
  const auto tmpl = parse_template(text, "t");
  RC_ASSERT(tmpl.has_value());
  RC_ASSERT(render(*tmpl, Scope(), {}).value() == text);
}

RC_GTEST_PROP(TemplateProperties, ParsingNeverCrashesAndErrorsNameTheFile, ()) {
  const std::string text = *awkward_text();
  const auto tmpl = parse_template(text, "file.md");
  if (tmpl) {
    const json::value a(1);
    Scope scope;
    scope.set("a", &a);
    const auto rendered = render(*tmpl, scope, {});
    if (!rendered) RC_ASSERT(rendered.error().message.starts_with("file.md:"));
  } else {
    RC_ASSERT(tmpl.error().message.starts_with("file.md:"));
  }
}

RC_GTEST_PROP(PromptProperties, TextNeverLeavesItsFence, ()) {
  const std::string text = *awkward_text();
  const std::string block = document_block("a", "A", json::value(text), 0).value();
  const std::string close = "</document>";
  RC_ASSERT(block.find(close) == block.size() - close.size());
  RC_ASSERT(block.find("<document", 1) == std::string::npos);
  const std::string plan = plan_block(json::object{{"prompt", text}, {"start_date", ""}, {"intake", nullptr}});
  RC_ASSERT(plan.find("</client_request>") == plan.size() - std::string("</client_request>").size());
}

RC_GTEST_PROP(FilterProperties, CellsStayOnOneLineWithoutABorder, ()) {
  const std::string cell =
      plain_text(apply_filter({Filter::Kind::cell, 0, ""}, json::value(*awkward_text())).value()).value();
  RC_ASSERT(cell.find('\n') == std::string::npos);
  for (std::size_t i = 0; i < cell.size(); ++i)
    if (cell[i] == '|') {
      // An odd number of backslashes before it: the bar is text.
      std::size_t slashes = 0;
      while (slashes < i && cell[i - 1 - slashes] == '\\') ++slashes;
      RC_ASSERT(slashes % 2 == 1);
    }
  RC_ASSERT(!cell.ends_with('\\'));
}

RC_GTEST_PROP(FilterProperties, QuotesAreQuotedOnEveryLine, ()) {
  const std::string quoted =
      plain_text(apply_filter({Filter::Kind::quote, 0, ""}, json::value(*awkward_text())).value()).value();
  for (const std::string_view row : split_lines(quoted)) RC_ASSERT(row.starts_with('>'));
}

RC_GTEST_PROP(HashProperties, TheInputHashIgnoresWhatIsNotAsked, ()) {
  static const Recipe recipe = small_recipe();
  Recipe changed = recipe;
  Task& task = changed.tasks[3];
  task.title = *awkward_text();
  task.steps[0].rules.clear();
  task.steps[0].max_output_tokens = *rc::gen::inRange(1, 100000);
  task.steps[0].effort.all = *rc::gen::element<std::string>("low", "high");
  task.required = !task.required;
  Prompt prompt;
  prompt.system = "s";
  prompt.blocks = {{PromptBlock::Kind::task, "task", *awkward_text()}};
  RC_ASSERT(input_hash(recipe, recipe.tasks[3].steps[0], prompt) == input_hash(changed, task.steps[0], prompt));
  Prompt other = prompt;
  other.blocks[0].text += "x";
  RC_ASSERT(input_hash(recipe, recipe.tasks[3].steps[0], prompt) !=
            input_hash(recipe, recipe.tasks[3].steps[0], other));
}

Step mapped_step(int batch, int calls, int limit) {
  Step step;
  step.name = "s";
  MapSpec map;
  map.over = *parse_path("list");
  map.as = "one";
  map.key = "k";
  map.batch = {batch, batch, batch};
  map.calls = {calls, calls, calls};
  map.limit = {limit, limit, limit};
  step.map = std::move(map);
  return step;
}

RC_GTEST_PROP(UnitProperties, EveryElementIsInExactlyOneUnitAndKeysAreSafeAndUnique, ()) {
  const auto names = *rc::gen::container<std::vector<std::string>>(awkward_text());
  RC_PRE(names.size() <= 1000U);
  json::array list;
  for (std::size_t i = 0; i < names.size(); ++i)
    list.push_back(json::object{{"k", names[i]}, {"n", static_cast<std::int64_t>(i)}});
  const json::value value = list;
  Scope scope;
  scope.set("list", &value);
  const Step step = mapped_step(*rc::gen::inRange(1, 5), *rc::gen::inRange(0, 4), *rc::gen::inRange(0, 6));
  const auto units = expand_units(step, Speed::all, scope);
  RC_ASSERT(units.has_value());
  std::set<std::string> keys;
  std::multiset<std::int64_t> seen;
  int position = 0;
  for (const Unit& unit : *units) {
    RC_ASSERT(keys.insert(unit.key).second);
    RC_ASSERT(unit.key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", 2) ==
              std::string::npos);
    RC_ASSERT(unit.key.size() <= 66U);
    RC_ASSERT(unit.position == position++);
    if (unit.element.is_array())
      for (const json::value& element : unit.element.as_array()) seen.insert(element.at("n").as_int64());
    else
      seen.insert(unit.element.at("n").as_int64());
  }
  RC_ASSERT(seen.size() == names.size());
  RC_ASSERT(std::set<std::int64_t>(seen.begin(), seen.end()).size() == names.size());
  const auto again = expand_units(step, Speed::all, scope);
  for (std::size_t i = 0; i < units->size(); ++i)
    RC_ASSERT((*again)[i].key == (*units)[i].key && (*again)[i].element == (*units)[i].element);
}

RC_GTEST_PROP(AnswerProperties, ACutAnswerLosesOnlyWhatWasCut, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(0, 12);
  json::array elements;
  for (std::size_t i = 0; i < count; ++i)
    elements.push_back(json::object{{"text", *awkward_text()}, {"n", static_cast<std::int64_t>(i)}});
  const std::string whole = to_json(json::object{{"title", *awkward_text()}, {"list", elements}});
  const std::string cut = whole.substr(0, *rc::gen::inRange<std::size_t>(0, whole.size() + 1));
  const json::array saved = salvage_list(cut, *parse_path("list"));
  RC_ASSERT(saved.size() <= elements.size());
  for (std::size_t i = 0; i < saved.size(); ++i) RC_ASSERT(saved[i] == elements[i]);
  RC_ASSERT(salvage_list(whole, *parse_path("list")) == elements);
}

RC_GTEST_PROP(AnswerProperties, AnAnswerIsFoundInsideItsWrapping, ()) {
  const json::value answer = json::object{{"a", *awkward_text()}, {"b", json::array{1, *awkward_text()}}};
  const std::string text = *rc::gen::element<std::string>("", "```json\n", "Sure:\n") + to_json(answer) +
                           *rc::gen::element<std::string>("", "\n```", "\nDone.");
  const auto read = read_json_answer(text);
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == answer);
}

RC_GTEST_PROP(WordProperties, OverlapIsSymmetricAndBounded, ()) {
  const auto a = word_set(*awkward_text());
  const auto b = word_set(*awkward_text());
  const double share = overlap(a, b);
  RC_ASSERT(share >= 0 && share <= 1);
  RC_ASSERT(share == overlap(b, a));
  if (!a.empty()) RC_ASSERT(overlap(a, a) == 1);
}

RC_GTEST_PROP(PathProperties, WhatParsesIsWrittenTheSameWay, ()) {
  const auto parts = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("a", ".b", "[]", "[3]", "?", ".", "[", "c_1", "@number", " ")));
  std::string text;
  for (const std::string& part : parts) text += part;
  const auto path = parse_path(text);
  if (!path) return;
  std::string written;
  for (const Path::Step& step : path->steps) {
    if (step.kind == Path::Step::member)
      written += (written.empty() ? "" : ".") + step.name;
    else
      written += step.kind == Path::Step::each ? "[]" : "[" + std::to_string(step.number) + "]";
    if (step.optional) written += "?";
  }
  RC_ASSERT(written == path->text);
}

}  // namespace
}  // namespace planexe::recipe
