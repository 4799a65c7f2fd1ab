#include "recipe/lint.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/cases.hpp"
#include "recipe/docs.hpp"
#include "recipe/prompt.hpp"
#include "recipe/report.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

using testing::operator""_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::small_files_edited;
using testing::small_files_with;
using testing::small_recipe;

std::string lint_text(const std::vector<RecipeFile>& files,
                      const std::set<std::string, std::less<>>& builtins = {"report"}) {
  auto loaded = load_recipe(files);
  if (!loaded) return "does not load: " + loaded.error().detail;
  std::string out;
  for (const LintMessage& message : lint(*loaded, builtins))
    out += fmt::format("{} {}: {}\n", message.is_error ? "E" : "W", message.place, message.message);
  return out;
}

std::string lint_edited(std::string_view path, std::string_view from, std::string_view to) {
  return lint_text(small_files_edited(path, from, to));
}

TEST(Lint, TheSmallRecipeIsClean) { EXPECT_THAT(lint_text(testing::small_files()), IsEmpty()); }

TEST(Lint, UnknownFunctions) {
  EXPECT_THAT(lint_text(testing::small_files(), {"reports"}),
              HasSubstr("E tasks/report/task.toml: there is no function 'report'; did you mean 'reports'?"));
}

TEST(Lint, PathsThatTheSchemaDoesNotHave) {
  EXPECT_THAT(lint_edited("tasks/gate/view.md", "answer.verdict", "answer.verdit"),
              HasSubstr("E tasks/gate/view.md:1: answer.verdit: there is no 'verdit' (there is reason, verdict); did "
                        "you mean 'verdict'?"));
  EXPECT_THAT(lint_edited("tasks/ideas/prompt.md", "{{idea.name}}", "{{idea.title}}"),
              HasSubstr("E tasks/ideas/prompt.md:10: idea.title: there is no 'title'"));
  EXPECT_THAT(lint_edited("fragments/idea_line.md", "idea.name", "idea.nam"),
              HasSubstr("E fragments/idea_line.md:1: idea.nam"));
  EXPECT_THAT(lint_edited("tasks/ideas/task.toml", "ideas[].name\"\nrule", "ideas[].nam\"\nrule"),
              HasSubstr("E tasks/ideas/task.toml: ideas[].nam: there is no 'nam'"));
  EXPECT_THAT(
      lint_edited("tasks/rate/task.toml", "expect = \"ideas_to_rate[].ref\"", "expect = \"ideas_to_rate[].id\""),
      HasSubstr("ideas_to_rate[].id: there is no 'id'"));
  EXPECT_THAT(lint_edited("tasks/rate/prompt.md", "{{idea.ref}}", "{{idea.ref.x}}"),
              HasSubstr("'x' is asked of a text"));
  EXPECT_THAT(lint_edited("tasks/rate/task.toml", "key    = \"ref\"", "key    = \"reff\""),
              HasSubstr("E tasks/rate/task.toml"));
}

TEST(Lint, ListsAndObjectsWithoutFilter) {
  EXPECT_THAT(lint_edited("tasks/summary/view.md", "ideas.list | table", "ideas.list"),
              HasSubstr("ideas.list is a list; use #each, join, table, count or json"));
  EXPECT_THAT(lint_edited("tasks/gate/view.md", "{{answer.verdict}}", "{{answer}}"),
              HasSubstr("answer is an object; use one of its fields, or json"));
  EXPECT_THAT(lint_edited("tasks/gate/view.md", "{{answer.verdict}}", "{{answer.verdict | table}}"),
              HasSubstr("is no list, which join and table take"));
  EXPECT_THAT(lint_edited("tasks/gate/view.md", "{{#if answer.reason}}", "{{#if answer.verdict == 3}}"),
              HasSubstr("answer.verdict is a text and never equals 3"));
}

TEST(Lint, ExamplesMustPassSchemaAndRules) {
  EXPECT_THAT(lint_edited("tasks/gate/example.json", "\"ALLOW\"", "\"MAYBE\""),
              HasSubstr("E tasks/gate/example.json: /verdict: schema: \"MAYBE\" is not one of"));
  EXPECT_THAT(lint_edited("tasks/gate/example.json", "\"ALLOW\"", "\"REFUSE\""),
              HasSubstr("E tasks/gate/example.json: /reason: present"));
  EXPECT_THAT(lint_edited("tasks/ideas/example.json", "Sell soup", "one two three four five"),
              HasSubstr("W tasks/ideas/example.json: [0]/ideas/1/name: words"));
  EXPECT_THAT(lint_text(small_files_with("tasks/ideas/example.json", "[]")),
              HasSubstr("E tasks/ideas/example.json: has no answer"));
  EXPECT_THAT(lint_text(small_files_with("tasks/ideas/example.json", "{}")),
              HasSubstr("E tasks/ideas/example.json: must be a list of answers"));
  EXPECT_THAT(lint_text(small_files_with(
                  "tasks/ideas/example.json",
                  R"([{"ideas": [{"ref": "I1", "name": "a", "cost": 1}, {"ref": "I2", "name": "b", "cost": 1}]}])")),
              HasSubstr("W tasks/ideas/example.json: has 1 answers for 3 items or rounds"));
}

TEST(Lint, SchemasOutsideTheSubset) {
  EXPECT_THAT(lint_edited("tasks/gate/answer.schema.json", "\"additionalProperties\": false, ", ""),
              HasSubstr("E tasks/gate/answer.schema.json: (root): an object needs \"additionalProperties\": false"));
}

TEST(Lint, OutputsThatNobodyMakes) {
  EXPECT_THAT(lint_edited("tasks/ideas/task.toml", "[from]\nlist = \"items[].answer?.ideas\"", ""),
              HasSubstr("E tasks/ideas/task.toml: nothing makes the output 'list'"));
  EXPECT_THAT(lint_edited("tasks/gate/task.toml", "markdown = \"002-2-gate.md\"", "markdown = \"002-2-gate.txt\""),
              HasSubstr("E tasks/gate/view.md: no output shows this view"));
}

TEST(Lint, RequiredTasksMayNotHangOnOptionalOnes) {
  EXPECT_THAT(lint_edited("tasks/summary/view.md", "{{story.story?}}", "{{story.story}}"),
              HasSubstr("E tasks/summary/task.toml: reads 'story', which may fail"));
  EXPECT_THAT(lint_edited("tasks/rate/task.toml", "required = false", ""),
              HasSubstr("W tasks/rate/task.toml: only the last task reads this one"));
  EXPECT_THAT(lint_edited("tasks/report/task.toml", "summary.markdown?", "summary.markdown"),
              HasSubstr("W tasks/report/task.toml: the last task reads 'summary' without '?'"));
}

TEST(Lint, WarnsOfWhatIsNotUsed) {
  EXPECT_THAT(lint_text(small_files_with("fragments/lonely.md", "x")),
              HasSubstr("W fragments/lonely.md: no prompt or view includes this fragment"));
  EXPECT_THAT(lint_edited("tasks/gate/view.md", "Verdict: {{answer.verdict}}", "Verdict"),
              HasSubstr("W tasks/gate/task.toml: the answer field 'verdict' is in no view or prompt"));
  EXPECT_THAT(lint_edited("tasks/rate/task.toml", "title = \"Ratings\"", "title = \"ideas \""),
              HasSubstr("has the same title as ideas"));
}

TEST(Lint, WarnsOfTheOrder) {
  EXPECT_THAT(lint_edited("recipe.toml", "\"ideas\", \"rate\"", "\"rate\", \"ideas\""),
              HasSubstr("W tasks/rate/task.toml: reads 'ideas', which comes later"));
}

TEST(Lint, PromptsOverTheBudget) {
  EXPECT_THAT(lint_text(small_files_edited("tasks/rate/prompt.md", "Rate each idea", std::string(90'000, 'x'))),
              HasSubstr("E tasks/rate/prompt.md: the prompt has about 25"));
}

TEST(Graph, CountsChainsAndCalls) {
  const Recipe recipe = small_recipe();
  const GraphFacts facts = graph_facts(recipe, Speed::all);
  EXPECT_EQ(facts.tasks, 7U);
  EXPECT_EQ(facts.llm_tasks, 4U);
  EXPECT_EQ(facts.edges, 10U);
  EXPECT_EQ(facts.reduced_edges, 7U);
  EXPECT_THAT(facts.longest_by_tasks.tasks, ElementsAre("gate", "ideas", "story", "summary", "report"));
  EXPECT_EQ(facts.longest_by_rounds.rounds, 5);
  EXPECT_EQ(facts.rounds_with_gate, 5);
  EXPECT_EQ(graph_facts(recipe, Speed::fast).longest_by_rounds.rounds, 4);
}

TEST(Graph, TheGateIsAnEdgeToEveryQuestion) {
  const Recipe recipe =
      *load_recipe(small_files_edited("tasks/ideas/prompt.md", "- gate.markdown", "- request.prompt"));
  const GraphFacts facts = graph_facts(recipe, Speed::all);
  EXPECT_EQ(facts.longest_by_rounds.rounds, 4);
  EXPECT_EQ(facts.rounds_with_gate, 5);
}

TEST(Graph, CutsTellWhatALinkCosts) {
  const std::vector<GraphCut> cuts = graph_cuts(small_recipe(), Speed::all);
  ASSERT_FALSE(cuts.empty());
  EXPECT_EQ(cuts[0].from, "gate");
  EXPECT_EQ(cuts[0].to, "ideas");
  EXPECT_EQ(cuts[0].rounds, 4);
}

TEST(Graph, MermaidAndDotHaveTheReducedEdges) {
  const std::string mermaid = graph_mermaid(small_recipe());
  EXPECT_THAT(mermaid, HasSubstr("subgraph strategic\n    ideas[\"Ideas\"]"));
  EXPECT_THAT(mermaid, HasSubstr("story -.-> summary"));
  EXPECT_THAT(mermaid, Not(HasSubstr("gate --> rate")));
  EXPECT_THAT(graph_dot(small_recipe()), HasSubstr("story -> summary [style=dashed];"));
}

TEST(Report, HasErrorsChainsAndTheTable) {
  const Recipe recipe = *load_recipe(small_files_edited("tasks/gate/example.json", "\"ALLOW\"", "\"MAYBE\""));
  const std::string report = lint_report(recipe, {"report"});
  EXPECT_TRUE(report.starts_with("error: tasks/gate/example.json"));
  EXPECT_THAT(report, HasSubstr("| reference, one call after the other | 142 |"));
  EXPECT_THAT(report, HasSubstr("| 103 |"));
  EXPECT_THAT(report, HasSubstr("Longest chain in rounds (5): gate, ideas (3), story, summary, report."));
  EXPECT_TRUE(report.ends_with("1 errors, 0 warnings\n"));
}

TEST(Report, ShowsATask) {
  const std::string text = show_task(small_recipe(), "rate");
  EXPECT_THAT(text, HasSubstr("reads: gate, ideas"));
  EXPECT_THAT(text, HasSubstr("read by: report?"));
  EXPECT_THAT(text, HasSubstr("ideas.lines (at most 400 characters)"));
  EXPECT_THAT(show_task(small_recipe(), "nothing"), IsEmpty());
}

TEST(Cases, PassAndFail) {
  EXPECT_THAT(run_cases(small_recipe(), "gate"),
              ElementsAre(::testing::Field(&CaseResult::passed, true), ::testing::Field(&CaseResult::passed, true)));
  EXPECT_THAT(run_cases(small_recipe(), "rate"), IsEmpty());
  const auto failing = [](std::string_view path, std::string_view from, std::string_view to) {
    const auto results = run_cases(*load_recipe(small_files_edited(path, from, to)), "gate");
    std::string out;
    for (const CaseResult& result : results)
      if (!result.passed) out += result.name + ": " + result.message + "\n";
    return out;
  };
  EXPECT_THAT(failing("tasks/gate/cases/refused/view.md", "It harms", "It hurts"),
              HasSubstr("refused: view.md: line 3: expected \"It hurts people.\", got \"It harms people.\""));
  EXPECT_THAT(failing("tasks/gate/cases/no_reason/findings.json", "present", "len"),
              HasSubstr("not expected: present at /reason"));
  EXPECT_THAT(failing("tasks/gate/cases/no_reason/prompt.txt", "May", "Might"),
              HasSubstr("no_reason: prompt.txt: line 1"));
  EXPECT_THAT(failing("tasks/gate/cases/no_reason/scope.json", "{}", "{"), HasSubstr("scope.json"));
}

TEST(Cases, ACaseThatChecksNothingFails) {
  const auto results = run_cases(*load_recipe(small_files_with("tasks/gate/cases/empty/scope.json", "{}")), "gate");
  ASSERT_EQ(results.size(), 3U);
  EXPECT_FALSE(results[0].passed);
  EXPECT_THAT(results[0].message, HasSubstr("checks nothing"));
}

TEST(Docs, OnePageForThePipelineAndOnePerTask) {
  const auto pages = docs_pages(small_recipe());
  ASSERT_EQ(pages.size(), 8U);
  EXPECT_EQ(pages[0].path, "pipeline.md");
  EXPECT_THAT(pages[0].text, HasSubstr("```mermaid"));
  EXPECT_EQ(pages[2].path, "tasks/gate.md");
  EXPECT_THAT(pages[2].text, HasSubstr("| `verdict` | string | ALLOW: plan it."));
}

}  // namespace
}  // namespace planexe::recipe
