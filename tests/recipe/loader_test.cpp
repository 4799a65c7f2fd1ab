#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/lint.hpp"
#include "recipe/recipe.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

using ::testing::HasSubstr;
using testing::problems_of;
using testing::small_files;
using testing::small_files_edited;
using testing::small_files_with;
using testing::small_recipe;

std::vector<std::string> edge_names(const Task& task) {
  std::vector<std::string> names;
  for (const Task::Edge& edge : task.edges) names.push_back(edge.from + (edge.tolerant ? "?" : ""));
  return names;
}

TEST(Loader, ReadsSettingsAndOrder) {
  const Recipe recipe = small_recipe();
  EXPECT_EQ(recipe.name, "Small");
  EXPECT_EQ(recipe.gate, "gate");
  EXPECT_EQ(recipe.default_effort, "low");
  EXPECT_EQ(recipe.max_output_tokens, 4096);
  ASSERT_EQ(recipe.tasks.size(), 7U);
  EXPECT_EQ(recipe.task("ideas")->position, 2);
  EXPECT_EQ(recipe.task("nothing"), nullptr);
  EXPECT_EQ(recipe.hash.size(), 64U);
}

TEST(Loader, ReadsKindsPhasesAndStages) {
  const Recipe recipe = small_recipe();
  EXPECT_EQ(recipe.task("request")->kind, TaskKind::given);
  EXPECT_EQ(recipe.task("gate")->kind, TaskKind::llm);
  EXPECT_EQ(recipe.task("summary")->kind, TaskKind::view);
  EXPECT_EQ(recipe.task("report")->kind, TaskKind::builtin);
  EXPECT_EQ(recipe.task("ideas")->stage, "strategic");
  EXPECT_EQ(recipe.task("summary")->stage, "output");
  EXPECT_EQ(recipe.task("report")->stage, "report");
  EXPECT_FALSE(recipe.task("story")->required);
}

TEST(Loader, ReadsOutputsInTheOrderOfTheFile) {
  const Recipe recipe = small_recipe();
  const Task& ideas = *recipe.task("ideas");
  ASSERT_EQ(ideas.outputs.size(), 2U);
  EXPECT_EQ(ideas.outputs[0].name, "raw");
  EXPECT_EQ(ideas.outputs[1].filename, "003-2-ideas.json");
  EXPECT_EQ(ideas.outputs[1].content_type, "json");
  EXPECT_TRUE(recipe.task("rate")->outputs[0].numbered);
  EXPECT_EQ(recipe.task("gate")->output("markdown")->content_type, "markdown");
}

TEST(Loader, PlainOutputsAreText) {
  auto files = small_files_edited("tasks/ideas/task.toml", "effort =", "plain = [\"list\"]\neffort =");
  EXPECT_EQ(load_recipe(files)->task("ideas")->output("list")->content_type, "txt");
  files = small_files_edited("tasks/ideas/task.toml", "list = \"003-2-ideas.json\"",
                             "list = \"003-2-ideas.json\"\nplain = [\"list\"]");
  EXPECT_EQ(load_recipe(files)->task("ideas")->output("list")->content_type, "txt");
}

TEST(Loader, ReadsStepSettings) {
  const Recipe recipe = small_recipe();
  const Step& ideas = recipe.task("ideas")->steps.at(0);
  EXPECT_EQ(ideas.name, "main");
  EXPECT_EQ(ideas.rounds.at(Speed::all), 3);
  EXPECT_EQ(ideas.rounds.at(Speed::fast), 2);
  EXPECT_EQ(ideas.min_rounds, 1);
  EXPECT_EQ(ideas.effort.at(Speed::all), "medium");
  EXPECT_EQ(ideas.effort.at(Speed::balanced), "");
  EXPECT_EQ(ideas.complete->count, 2);
  EXPECT_TRUE(ideas.complete->degraded);
  ASSERT_EQ(ideas.rules.size(), 2U);
  EXPECT_EQ(ideas.rules[0].kind, RuleKind::unique);
  EXPECT_FALSE(ideas.rules[1].is_assert);
  const MapSpec& map = *recipe.task("rate")->steps.at(0).map;
  EXPECT_EQ(map.batch.at(Speed::balanced), 3);
  EXPECT_EQ(map.calls.at(Speed::fast), 1);
  EXPECT_EQ(map.limit.at(Speed::fast), 4);
  EXPECT_EQ(map.limit.at(Speed::all), 0);
  const Step& tell = recipe.task("story")->steps.at(0);
  EXPECT_TRUE(tell.text_answer);
  EXPECT_FALSE(tell.include_plan);
  EXPECT_TRUE(tell.schema.is_null());
}

TEST(Loader, ReferencesAreTheOnlyEdges) {
  const Recipe recipe = small_recipe();
  EXPECT_EQ(edge_names(*recipe.task("ideas")), (std::vector<std::string>{"gate"}));
  EXPECT_EQ(edge_names(*recipe.task("rate")), (std::vector<std::string>{"gate", "ideas"}));
  EXPECT_EQ(edge_names(*recipe.task("summary")), (std::vector<std::string>{"ideas", "story?"}));
  EXPECT_EQ(edge_names(*recipe.task("report")), (std::vector<std::string>{"request", "gate?", "rate?", "summary?"}));
}

TEST(Loader, AnEdgeIsTolerantOnlyWhenEveryUseIs) {
  const auto files = small_files_edited("tasks/summary/view.md", "{{story.story?}}", "{{story.story}}");
  const Recipe recipe = *load_recipe(files);
  EXPECT_EQ(edge_names(*recipe.task("summary")), (std::vector<std::string>{"ideas", "story"}));
}

TEST(Loader, AStatusIsATolerantReference) {
  const auto files =
      small_files_edited("tasks/summary/view.md", "{{#if story.story?}}", "{{#if story.status == \"completed\"}}");
  EXPECT_EQ(edge_names(*load_recipe(files)->task("summary")), (std::vector<std::string>{"ideas", "story?"}));
}

TEST(Loader, ReferencesInRulesAndFragmentsAreEdges) {
  auto files = small_files_edited("tasks/rate/task.toml", "in = \"ideas_to_rate[].ref\"", "in = \"story.story\"");
  EXPECT_EQ(edge_names(*load_recipe(files)->task("rate")), (std::vector<std::string>{"gate", "ideas", "story"}));
  files = small_files_with("fragments/idea_line.md", "{{idea.ref}} {{story.story?}}");
  // Now ideas reads story and story reads ideas.
  EXPECT_THAT(problems_of(files), HasSubstr("tasks wait for each other: "));
}

TEST(Loader, UnknownKeysNameTheNearestKnownOne) {
  const auto files = small_files_edited("tasks/ideas/task.toml", "min_rounds", "min_round");
  EXPECT_THAT(problems_of(files),
              HasSubstr("tasks/ideas/task.toml:5: the key 'min_round' is unknown here; did you mean 'min_rounds'?"));
}

TEST(Loader, SyntaxErrorsHaveLineAndColumn) {
  EXPECT_THAT(problems_of(small_files_with("tasks/ideas/task.toml", "title = \"x\"\nphase = \n")),
              HasSubstr("tasks/ideas/task.toml:2:"));
  EXPECT_THAT(problems_of(small_files_with("tasks/gate/example.json", "{\n  \"a\": ,\n}")),
              HasSubstr("tasks/gate/example.json"));
  EXPECT_THAT(problems_of(small_files_edited("tasks/gate/view.md", "{{/if}}", "")),
              HasSubstr("tasks/gate/view.md:2: {{#if answer.reason}} is not closed"));
}

TEST(Loader, TemplateErrorsInPromptsHaveTheLineOfTheFile) {
  const auto files = small_files_edited("tasks/rate/prompt.md", "{{idea.ref}}", "{{idea..ref}}");
  EXPECT_THAT(problems_of(files), HasSubstr("tasks/rate/prompt.md:11:"));
}

struct BadEdit {
  std::string_view file, from, to, message;
};

class LoaderErrors : public ::testing::TestWithParam<BadEdit> {};

TEST_P(LoaderErrors, AreNamed) {
  const BadEdit& edit = GetParam();
  EXPECT_THAT(problems_of(small_files_edited(edit.file, edit.from, edit.to)), HasSubstr(std::string(edit.message)));
}

INSTANTIATE_TEST_SUITE_P(
    Edits, LoaderErrors,
    ::testing::Values(
        BadEdit{"recipe.toml", "format = 1", "format = 2", "this program reads format 1"},
        BadEdit{"recipe.toml", "gate = \"gate\"", "gate = \"gatte\"", "'gatte' is no task; did you mean 'gate'?"},
        BadEdit{"recipe.toml", "\"rate\", ", "", "recipe.toml does not list this task"},
        BadEdit{"recipe.toml", "\"rate\"", "\"rate\", \"more\"", "the folder tasks/more does not exist"},
        BadEdit{"tasks/ideas/task.toml", "phase = \"strategic_planning\"", "phase = \"strategic_plannin\"",
                "is no phase; did you mean 'strategic_planning'?"},
        BadEdit{"tasks/ideas/task.toml", "title = \"Ideas\"", "", "title: is missing"},
        BadEdit{"tasks/ideas/task.toml", "min_rounds = 1", "min_rounds = \"one\"",
                "min_rounds: must be a whole number from 1 to 20"},
        BadEdit{"tasks/ideas/task.toml", "{ all = \"medium\"", "{ all = \"huge\"",
                "'huge' is none of minimal, low, medium, high"},
        BadEdit{"tasks/ideas/task.toml", "rule = \"unique\"", "rule = \"uniqe\"", "'uniqe' is no rule"},
        BadEdit{"tasks/ideas/task.toml", "rule = \"unique\"", "", "the rule does not say what must hold"},
        BadEdit{"tasks/ideas/task.toml", "rule = \"unique\"", "rule = \"unique\"\nlen = 3", "one rule at a time"},
        BadEdit{"tasks/ideas/task.toml", "words = [1, 4]", "words = [4, 1]", "the first number is larger"},
        BadEdit{"tasks/ideas/task.toml", "words = [1, 4]", "matches = \"(\"", "not a regular expression"},
        BadEdit{"tasks/ideas/task.toml", "count = 2", "", "write either expect"},
        BadEdit{"tasks/ideas/task.toml", "[from]\nlist", "[from]\nlists", "is no output of this task"},
        BadEdit{"tasks/ideas/task.toml", "items[].answer?.ideas", "answer.ideas", "has rounds; write items"},
        BadEdit{"tasks/ideas/task.toml", "003-2-ideas.json", "../ideas.json", "is no file name"},
        BadEdit{"tasks/ideas/task.toml", "003-2-ideas.json", "003-2-ideas.exe", "the extension is not one of"},
        BadEdit{"tasks/ideas/task.toml", "003-2-ideas.json", "002-1-gate.json", "is written by gate already"},
        BadEdit{"tasks/ideas/prompt.md", "- gate.markdown", "gate.markdown", "# context is a list of references"},
        BadEdit{"tasks/ideas/prompt.md", "- gate.markdown", "- gate.markdown | line", "only the filter limit"},
        BadEdit{"tasks/ideas/prompt.md", "- gate.markdown", "- gate.markdwon",
                "the task gate has no 'markdwon'; it has raw, markdown, answer"},
        BadEdit{"tasks/ideas/prompt.md", "- gate.markdown", "- gat.markdown",
                "there is no task or value 'gat' here; did you mean 'gate'?"},
        BadEdit{"tasks/ideas/prompt.md", "- gate.markdown", "- gate", "name what of the task is meant"},
        BadEdit{"tasks/ideas/prompt.md", "# task", "# tasks", "\"# task\" is missing or empty"},
        BadEdit{"tasks/ideas/prompt.md", "Give two ideas.", "{{plan.budget}}",
                "plan has prompt, start_date, intake, speed, title"},
        BadEdit{"tasks/ideas/prompt.md", "Give two ideas.", "{{items}}", "the answer does not exist yet"},
        BadEdit{"tasks/ideas/prompt.md", "Give two ideas.", "{{ideas.raw | json}}", "a task does not name itself"},
        BadEdit{"tasks/ideas/prompt.md", "Give two ideas.", "{{> idea_lines}}",
                "there is no fragment 'idea_lines'; did you mean 'idea_line'?"},
        BadEdit{"tasks/gate/prompt.md", "# task", "# item\nx\n\n# task",
                "\"# item\" belongs to a step with a map or rounds"},
        BadEdit{"tasks/gate/prompt.md", "# task", "Hello\n# task", "text before the first section"},
        BadEdit{"tasks/gate/prompt.md", "# task", "# task\nx\n# task", "comes twice"},
        BadEdit{"tasks/rate/task.toml", "over  = \"ideas.list\"", "", "write either over"},
        BadEdit{"tasks/rate/task.toml", "as    = \"ideas_to_rate\"", "as = \"gate\"", "the name is taken"},
        BadEdit{"tasks/rate/task.toml", "batch = {", "rounds = 2\nbatch = {", "the key 'rounds' is unknown here"},
        BadEdit{"tasks/story/task.toml", "answer = \"text\"", "answer = \"text\"\nchain = \"main\"",
                "chain must name an earlier step"},
        BadEdit{"tasks/story/task.toml", "answer = \"text\"", "answer = \"prose\"", "must be \"json\" or \"text\""},
        BadEdit{"tasks/story/task.toml", "name = \"tell\"", "name = \"Tell\"", "a step needs a name of small letters"},
        BadEdit{"tasks/report/task.toml", "\"rate.items?\"", "\"rate.answer?\"", "the task has items"},
        BadEdit{"tasks/report/task.toml", "kind = \"builtin\"", "kind = \"magic\"",
                "'magic' is none of llm, view, builtin, given"}));

TEST(Loader, FilesThatNobodyReadsAreErrors) {
  EXPECT_THAT(problems_of(small_files_with("tasks/gate/anwser.schema.json", "{}")),
              HasSubstr("nothing reads this file; did you mean 'answer.schema.json'?"));
  EXPECT_THAT(problems_of(small_files_with("notes.txt", "x")), HasSubstr("notes.txt: does not belong here"));
  EXPECT_THAT(problems_of(small_files_with("fragments/bad name.md", "x")), HasSubstr("a fragment is a file NAME.md"));
  EXPECT_THAT(problems_of(small_files_with("tasks/gate/raw.view.md", "x")),
              HasSubstr("is no free name for a derived text"));
}

TEST(Loader, MissingFilesAreNamed) {
  auto files = small_files();
  std::erase_if(files, [](const RecipeFile& file) {
    return file.path == "tasks/gate/answer.schema.json" || file.path == "tasks/rate/prompt.md" ||
           file.path == "fragments/system.md";
  });
  const std::string problems = problems_of(files);
  EXPECT_THAT(problems, HasSubstr("tasks/gate/answer.schema.json: the file is missing"));
  EXPECT_THAT(problems, HasSubstr("tasks/rate/prompt.md: the file is missing"));
  EXPECT_THAT(problems, HasSubstr("fragments/system.md: the file is missing"));
}

TEST(Loader, LoadJoinsTheErrorsInOneLineWithDetail) {
  const auto loaded =
      load_recipe(small_files_edited("tasks/ideas/prompt.md", "Give two ideas.", "{{gate.x}} {{gate.y}}"));
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::RecipeInvalid);
  EXPECT_THAT(loaded.error().message, HasSubstr("and 1 more"));
  EXPECT_EQ(loaded.error().message.find('\n'), std::string::npos);
  EXPECT_THAT(loaded.error().detail, HasSubstr("gate.y"));
}

TEST(Loader, StepsAreLoadedWithTheirOwnFiles) {
  std::vector<RecipeFile> files = small_files();
  std::erase_if(files, [](const RecipeFile& file) {
    return file.path.starts_with("tasks/gate/") && file.path != "tasks/gate/view.md";
  });
  const auto add = [&](std::string path, std::string bytes) { files.push_back({std::move(path), std::move(bytes)}); };
  const std::string schema =
      R"({"type":"object","additionalProperties":false,"required":["verdict","reason"],"properties":{"verdict":{"type":"string","description":"d"},"reason":{"type":"string","description":"d"}}})";
  add("tasks/gate/task.toml", R"(
title = "Gate"
phase = "initial_analysis"
[outputs]
raw = "002-1-gate.json"
markdown = "002-2-gate.md"
[from]
raw = "second.answer"
[[step]]
name = "first"
[[step]]
name = "middle"
builtin = "join_them"
reads = ["request.prompt"]
[[step]]
name = "second"
chain = "first"
when = "middle.answer and first.answer.verdict == \"REFUSE\""
)");
  for (const char* name : {"first", "second"}) {
    add(std::string("tasks/gate/") + name + ".prompt.md", "# task\nq {{plan.prompt}}");
    add(std::string("tasks/gate/") + name + ".schema.json", schema);
    add(std::string("tasks/gate/") + name + ".example.json", R"({"verdict":"x","reason":"y"})");
  }
  for (RecipeFile& file : files)
    if (file.path == "tasks/gate/view.md")
      file.bytes = "{{first.answer.verdict}} {{second.answer?.verdict}} {{out.raw | json}}";
  const auto loaded = load_recipe(files);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().detail;
  const Task& gate = *loaded->task("gate");
  ASSERT_EQ(gate.steps.size(), 3U);
  EXPECT_EQ(gate.steps[1].builtin, "join_them");
  EXPECT_EQ(gate.steps[2].chain, "first");
  EXPECT_TRUE(gate.steps[2].when.has_value());
  EXPECT_EQ(edge_names(gate), (std::vector<std::string>{"request"}));
}

TEST(Loader, LinesMayEndWithCarriageReturns) {
  auto files = small_files_with("tasks/gate/prompt.md", "\xEF\xBB\xBF# task\r\nMay this be planned?\r\n");
  const auto loaded = load_recipe(files);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().detail;
  EXPECT_EQ(loaded->task("gate")->steps[0].task_template.source, "May this be planned?");
}

TEST(Loader, TheHashIsThatOfTheContent) {
  const std::string hash = small_recipe().hash;
  auto reversed = small_files();
  std::ranges::reverse(reversed);
  EXPECT_EQ(load_recipe(reversed)->hash, hash);
  EXPECT_NE(load_recipe(small_files_edited("tasks/gate/prompt.md", "planned", "made"))->hash, hash);
}

TEST(Loader, SpeedNames) {
  EXPECT_EQ(speed_from("balanced_speed_and_detail"), Speed::balanced);
  EXPECT_EQ(speed_from("fast"), Speed::fast);
  EXPECT_EQ(speed_from("quick"), std::nullopt);
  EXPECT_EQ(to_string(Speed::all), "all_details_but_slow");
}

}  // namespace
}  // namespace planexe::recipe
