#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/builtins/common.hpp"
#include "plan/builtins/groups.hpp"
#include "plan/schedule.hpp"
#include "plan_schedule_support.hpp"

namespace planexe::plan {
namespace {

using testing::HasSubstr;

json::value parse(std::string_view text) { return parse_json(text).value(); }

Result<BuiltinResult> run(const char* name, json::object reads, json::object plan = {{"start_date", "2026-01-05"}}) {
  BuiltinMap map;
  register_structure(map);
  BuiltinInput in;
  in.plan_id = "p1";
  in.task_key = name;
  in.reads = std::move(reads);
  in.plan = std::move(plan);
  return map.at(name)(in);
}

TEST(PlanBuiltinsStructure, TreesAreBuiltFromTheirLists) {
  const auto tree =
      run("wbs_tree",
          {{"create_wbs_level1.clean", parse(R"({"id":"p","project_title":"Shop","final_deliverable":"Open"})")},
           {"create_wbs_level2.clean",
            parse(R"([{"id":"a","major_phase_title":"Found","subtasks":[{"id":"a1","description":"Case"}]}])")}});
  ASSERT_TRUE(tree) << tree.error().message;
  const auto full =
      run("wbs_full_tree",
          {{"wbs_project_level1_and_level2.tree", tree->outputs.at("tree")},
           {"create_wbs_level3.clean",
            parse(R"([{"id":"s","name":"Draft","description":"d","resources_needed":["x"],"parent_id":"a1"}])")}});
  ASSERT_TRUE(full) << full.error().message;
  EXPECT_THAT(to_json(full->outputs.at("tree")), HasSubstr("\"ref\":\"1.1.1\""));
  EXPECT_THAT(std::string(std::string_view(full->outputs.at("table").as_string())), HasSubstr(";;;Draft;s"));
  EXPECT_FALSE(run("wbs_tree", {}));
  EXPECT_FALSE(run("wbs_full_tree", {}));
}

json::object schedule_reads(const char* limits = "[]") {
  const Wbs wbs = tree({2}, 2);
  return {{"wbs_project_level1_and_level2_and_level3.tree", wbs_to_json(wbs)},
          {"estimate_task_durations.clean", durations({{"1.1", 1, 2, 3}, {"1.2", 2, 3, 4}})},
          {"identify_task_dependencies.raw", links({{"1.1", "1.2", "FS", 0}, {"9.9", "1.1", "FS", 0}})},
          {"create_wbs_level1.title", "Shop"},
          {"identify_purpose.raw", json::object{{"stated_limits", parse(limits)}}}};
}

TEST(PlanBuiltinsStructure, ScheduleGivesAllFourFiles) {
  const auto result = run("schedule", schedule_reads());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(get_int(result->outputs.at("schedule").at("lengths"), "critical_days"), 5);
  for (const char* name : {"mermaid", "interactive", "csv"}) EXPECT_TRUE(result->outputs.at(name).is_string()) << name;
  std::vector<std::string> rules;
  for (const Finding& finding : result->findings) rules.push_back(finding.rule);
  EXPECT_THAT(rules, testing::Contains("rejected_link"));
}

TEST(PlanBuiltinsStructure, LinksDroppedBeforeAreShownToo) {
  json::object reads = schedule_reads();
  reads["identify_task_dependencies.raw"] =
      parse(R"({"task_dependency_details":[],"rejected_links":[{"from":"a","to":"b","type":"SS","reason":"cycle"}]})");
  const auto result = run("schedule", std::move(reads));
  ASSERT_TRUE(result);
  const Schedule made = schedule_from_json(result->outputs.at("schedule")).value();
  EXPECT_THAT(made.rejected_links, testing::ElementsAre(RejectedLink{"a", "b", LinkType::SS, "cycle"}));
}

TEST(PlanBuiltinsStructure, StatedStartAndHorizonAreObeyed) {
  const auto result =
      run("schedule", schedule_reads(R"([{"kind":"start_date","quote":"from March 2026","value":"2026-03-02"},
                                                         {"kind":"horizon","quote":"in 3 days","value":"3 days"}])"));
  ASSERT_TRUE(result);
  const Schedule made = schedule_from_json(result->outputs.at("schedule")).value();
  EXPECT_EQ(format_date(made.calendar.start()), "2026-03-02");
  EXPECT_EQ(made.horizon.result, HorizonResult::overshoots);
  EXPECT_THAT(result->findings.front().message, HasSubstr("2026-03-02"));
}

TEST(PlanBuiltinsStructure, CalendarComesFromThePlan) {
  const auto result =
      run("schedule", schedule_reads(),
          {{"start_date", "2026-01-05"}, {"calendar", parse(R"({"working_weekdays":[6],"holidays":["2026-01-10"]})")}});
  ASSERT_TRUE(result);
  const Schedule made = schedule_from_json(result->outputs.at("schedule")).value();
  EXPECT_EQ(format_date(made.activities[2].start_date), "2026-01-17");
  EXPECT_FALSE(run("schedule", schedule_reads(),
                   {{"start_date", "2026-01-05"}, {"calendar", parse(R"({"working_weekdays":[9]})")}}));
}

TEST(PlanBuiltinsStructure, ScheduleNeedsAStartAndATree) {
  EXPECT_FALSE(run("schedule", schedule_reads(), {}));
  json::object reads = schedule_reads();
  reads["wbs_project_level1_and_level2_and_level3.tree"] = nullptr;
  EXPECT_FALSE(run("schedule", reads));
}

TEST(PlanBuiltinsStructure, ReportIsMadeFromWhatThereIs) {
  const auto result = run("report", {{"team_markdown.markdown", "# Roles"}}, {{"prompt", "Open a shop"}});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->degraded);
  EXPECT_EQ(get_bool(result->view, "complete"), false);
  EXPECT_EQ(result->findings.size(), 18u);
  EXPECT_THAT(std::string(std::string_view(result->outputs.at("html").as_string())), HasSubstr("Roles"));
}

}  // namespace
}  // namespace planexe::plan
