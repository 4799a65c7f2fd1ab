// Imports of the three complete published runs. They are not part of the project: PLANEXE_REAL_RUNS names their folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/import.hpp"
#include "plan/limit_words.hpp"
#include "plan/markdown.hpp"
#include "plan/report.hpp"
#include "plan/schedule.hpp"
#include "plan/sentences.hpp"
#include "plan/wbs.hpp"
#include "recipe/answer.hpp"

namespace planexe::plan {
namespace {

struct RunFacts {
  const char* zip;
  int phases, tasks, subtasks;
  int levers, deduplicated, vital;
  int find, create;
  int attachments;
  int links, tasks_touched, longest, sum;
  int level3_answers, chunks;
  int repeated_subtasks;
};

void PrintTo(const RunFacts& facts, std::ostream* out) { *out << facts.zip; }

constexpr RunFacts kRuns[] = {
    {"20251012_human_as_a_service_protocol.zip", 7, 31, 145, 15, 5, 5, 7, 10, 9, 11, 17, 92, 611, 31, 13, 1},
    {"20251016_minecraft_escape.zip", 7, 30, 135, 15, 3, 3, 5, 7, 9, 12, 12, 104, 363, 30, 13, 3},
    {"20251101_e_bus_security.zip", 8, 38, 167, 15, 7, 5, 9, 6, 14, 14, 15, 105, 521, 38, 16, 1},
};

const recipe::Recipe* real_recipe() {
  static const Result<recipe::Recipe> loaded = [] -> Result<recipe::Recipe> {
    PLANEXE_TRY_ASSIGN(auto files, recipe::read_recipe_folder(PLANEXE_SOURCE_DIR "/recipe"));
    return recipe::load_recipe(std::move(files));
  }();
  return loaded ? &*loaded : nullptr;
}

// Unpacking and reading a run takes half a second; all tests share it.
const Result<ImportedRun>& run_of(const std::filesystem::path& zip) {
  static std::map<std::filesystem::path, Result<ImportedRun>> runs;
  const auto known = runs.find(zip);
  if (known != runs.end()) return known->second;
  auto read = [&]() -> Result<ImportedRun> {
    PLANEXE_TRY_ASSIGN(auto files, read_zip(zip));
    return import_run(std::move(files), task_files(*real_recipe()));
  };
  return runs.emplace(zip, read()).first->second;
}

int size_of(const json::value& value) { return value.is_array() ? static_cast<int>(value.get_array().size()) : -1; }

class PlanRealRun : public testing::TestWithParam<RunFacts> {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("PLANEXE_REAL_RUNS");
    if (folder == nullptr) GTEST_SKIP() << "PLANEXE_REAL_RUNS is not set: the published runs are not here";
    ASSERT_NE(real_recipe(), nullptr) << "the recipe does not load";
    const Result<ImportedRun>& imported = run_of(std::filesystem::path(folder) / GetParam().zip);
    ASSERT_TRUE(imported) << imported.error().message;
    run_ = *imported;
  }

  const json::value& output(std::string_view task, std::string_view name) const {
    static const json::value null;
    const auto found = run_.tasks.find(task);
    const json::value* value = found == run_.tasks.end() ? nullptr : found->second.outputs.if_contains(name);
    return value == nullptr ? null : *value;
  }

  Wbs wbs() const { return wbs_from_json(output("wbs_project_level1_and_level2_and_level3", "tree")).value(); }

  Schedule schedule() const {
    const Wbs tree = wbs();
    const Date start = parse_date(std::string_view(run_.plan.at("start_date").as_string())).value();
    return make_schedule({tree, output("estimate_task_durations", "clean"), output("identify_task_dependencies", "raw"),
                          Calendar(start), nullptr, nullptr})
        .value();
  }

  ImportedRun run_;
};

TEST_P(PlanRealRun, EveryTaskButTheComputedOnesIsComplete) {
  // The schedule has a new file, and a report is never taken over.
  EXPECT_THAT(run_.open_tasks, testing::ElementsAre("create_schedule", "report"));
  for (const Finding& finding : run_.findings) EXPECT_NE(finding.rule, "damaged_file") << finding.message;
}

TEST_P(PlanRealRun, ExtraFilesAreAttachmentsAndLeftoversAreGone) {
  EXPECT_EQ(static_cast<int>(run_.attachments.size()), GetParam().attachments);
  for (const ZipEntry& file : run_.attachments) EXPECT_EQ(file.name.find("__MACOSX"), std::string::npos) << file.name;
  EXPECT_FALSE(run_.ignored.empty());
  const std::string prompt(std::string_view(run_.plan.at("prompt").as_string()));
  EXPECT_GT(prompt.size(), 100u);
  EXPECT_EQ(prompt.find("Plan:"), std::string::npos);
  EXPECT_EQ(prompt.find("Today's date"), std::string::npos);
}

TEST_P(PlanRealRun, CountsAreThoseOfTheRun) {
  const RunFacts& facts = GetParam();
  int phases = 0, tasks = 0, subtasks = 0;
  visit_wbs(wbs(), [&](const WbsNode& node, const WbsNode*) {
    phases += node.level == kWbsPhase;
    tasks += node.level == kWbsTask;
    subtasks += node.level == kWbsSubtask;
  });
  EXPECT_EQ(phases, facts.phases);
  EXPECT_EQ(tasks, facts.tasks);
  EXPECT_EQ(subtasks, facts.subtasks);
  EXPECT_EQ(size_of(output("potential_levers", "clean")), facts.levers);
  EXPECT_EQ(static_cast<int>(list(output("deduplicate_levers", "raw"), "deduplicated_levers").size()),
            facts.deduplicated);
  EXPECT_EQ(static_cast<int>(list(output("focus_on_vital_few_levers", "raw"), "levers").size()), facts.vital);
  EXPECT_EQ(size_of(output("draft_documents_to_find", "clean")), facts.find);
  EXPECT_EQ(size_of(output("draft_documents_to_create", "clean")), facts.create);
  EXPECT_EQ(size_of(output("expert_review", "experts")), 8);
  EXPECT_EQ(size_of(output("expert_review", "raw")), 2);
  EXPECT_EQ(size_of(output("create_wbs_level3", "raw")), facts.level3_answers);
  EXPECT_EQ(size_of(output("estimate_task_durations", "raw")), facts.chunks);
}

TEST_P(PlanRealRun, RefsAreFilledByPosition) {
  const json::value& levers = output("potential_levers", "clean");
  EXPECT_EQ(text(levers.at(14), "ref"), "L15");
  for (const json::value& lever : list(output("focus_on_vital_few_levers", "raw"), "levers"))
    EXPECT_FALSE(text(lever, "ref").empty());
  for (const json::value& document : output("draft_documents_to_find", "clean").as_array())
    EXPECT_EQ(text(document, "ref").substr(0, 1), "F");
  for (const json::value& document : output("filter_documents_to_create", "clean").as_array())
    EXPECT_EQ(text(document, "ref").substr(0, 1), "C");
  EXPECT_EQ(text(output("expert_review", "experts").at(7), "ref"), "E8");
  const json::value* chosen = find(output("select_scenario", "clean"), "chosen");
  ASSERT_NE(chosen, nullptr);
  EXPECT_EQ(text(*chosen, "ref"), "S2");  // the middle scenario was chosen in all three
  for (const json::value& setting : list(*chosen, "settings")) EXPECT_FALSE(text(setting, "ref").empty());
}

TEST_P(PlanRealRun, LongestPathIsThatOfTheLinks) {
  const RunFacts& facts = GetParam();
  const Schedule made = schedule();
  EXPECT_EQ(made.lengths.critical_days, facts.longest);
  EXPECT_EQ(made.lengths.chained_days, facts.sum);
  EXPECT_TRUE(made.rejected_links.empty());
  EXPECT_EQ(made.coverage.derived_estimates, 0);
  EXPECT_EQ(made.coverage.tasks, facts.tasks);
  EXPECT_EQ(static_cast<int>(links_from_json(output("identify_task_dependencies", "raw")).size()), facts.links);
  EXPECT_EQ(facts.tasks - static_cast<int>(made.coverage.without_links.size()), facts.tasks_touched);
  EXPECT_TRUE(*schedule_from_json(schedule_to_json(made)) == made);
}

TEST_P(PlanRealRun, StoredTableIsTheGoldenOneApartFromQuotes) {
  const std::string stored(std::string_view(output("wbs_project_level1_and_level2_and_level3", "table").as_string()));
  const auto golden = wbs_from_csv(stored);
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(wbs_to_csv(*golden), wbs_to_csv(wbs()));
  if (stored.find('"') == std::string::npos) {
    EXPECT_EQ(wbs_to_csv(wbs()), stored);
  }
}

TEST_P(PlanRealRun, SubtaskNamesRepeatAcrossTasks) {
  std::map<std::string, int> names;
  visit_wbs(wbs(), [&](const WbsNode& node, const WbsNode*) {
    if (node.level == kWbsSubtask) ++names[normalize_name(node.title)];
  });
  const auto twice = std::ranges::count_if(names, [](const auto& entry) { return entry.second > 1; });
  EXPECT_EQ(twice, GetParam().repeated_subtasks);
}

// Every question of the recipe has an answer that passes its schema once the example has filled what is new.
TEST_P(PlanRealRun, AnswersPassTheSchemasOfTheRecipe) {
  for (const recipe::Task& task : real_recipe()->tasks) {
    for (const recipe::Step& step : task.steps) {
      if (!step.builtin.empty() || step.schema.is_null() || step.name == "again" || step.name == "more") continue;
      const bool many = step.map.has_value() || step.has_rounds();
      const std::size_t count = many ? run_.tasks.at(task.key).steps.at(step.name).items.size() : 1;
      ASSERT_GE(count, 1u) << task.key << '/' << step.name;
      for (std::size_t i = 0; i < count; ++i) {
        const auto answer = answer_for(run_, task.key, step.name, static_cast<int>(i + 1), many ? "" : step.name);
        ASSERT_TRUE(answer.has_value()) << task.key << '/' << step.name << ' ' << i + 1;
        const json::value& example =
            many && step.example.is_array() ? step.example.at(i % step.example.as_array().size()) : step.example;
        const auto problems = recipe::validate_schema(step.schema, merge_with_example(*answer, example, step.schema));
        EXPECT_TRUE(problems.empty()) << task.key << '/' << step.name << ": " << problems.front().pointer << ' '
                                      << problems.front().message;
      }
    }
  }
}

TEST_P(PlanRealRun, ItemsHaveTheKeysOfTheRecipe) {
  const auto keys = [&](const char* task, const char* step) {
    std::vector<std::string> list;
    for (const ImportedItem& item : run_.tasks.at(task).steps.at(step).items) list.push_back(item.key);
    return list;
  };
  EXPECT_THAT(keys("premise_attack", "main"),
              testing::ElementsAre("Integrity", "Accountability", "Spectrum", "Cascade", "Escalation"));
  EXPECT_THAT(keys("premortem", "main"),
              testing::ElementsAre("Process/Financial", "Technical/Logistical", "Market/Human"));
  EXPECT_THAT(keys("questions_and_answers", "main"), testing::SizeIs(2));
  EXPECT_THAT(keys("review_plan", "ask"), testing::SizeIs(16));
  EXPECT_THAT(keys("expert_review", "review"), testing::ElementsAre("E1", "E2"));
  EXPECT_THAT(keys("identify_task_dependencies", "links"), testing::SizeIs(GetParam().phases));
  EXPECT_EQ(keys("create_wbs_level3", "split").size(), static_cast<std::size_t>(GetParam().tasks));
  const std::string ids[] = {"1", "1.1", "nothing"};
  const auto estimates = answer_for_ids(run_, "estimate_task_durations", "estimate", ids);
  ASSERT_TRUE(estimates.has_value());
  EXPECT_EQ(list(*estimates, "task_details").size(), 2u);
}

TEST_P(PlanRealRun, ReportIsComplete) {
  ReportSource source;
  source.plan = run_.plan;
  for (const ReportArtefact& artefact : report_artefacts()) {
    const std::size_t dot = artefact.reference.find('.');
    const json::value& value = artefact.reference.ends_with(".answer")
                                   ? output(artefact.reference.substr(0, dot), "raw")
                                   : output(artefact.reference.substr(0, dot), artefact.reference.substr(dot + 1));
    source.reads[artefact.reference] = value;
  }
  source.reads["create_schedule.schedule"] = schedule_to_json(schedule());
  const Report report = make_report(source);
  for (const ReportSection& section : report.sections) EXPECT_TRUE(section.present) << section.gap;
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.html.find("<script src"), std::string::npos);
  EXPECT_EQ(report.html.find("<img"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Runs, PlanRealRun, testing::ValuesIn(kRuns),
                         [](const auto& run) { return std::string(run.param.zip).substr(0, 8); });

}  // namespace
}  // namespace planexe::plan
