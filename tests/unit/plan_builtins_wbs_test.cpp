#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "plan/builtins/documents.hpp"
#include "plan/schedule_links.hpp"
#include "plan_builtins_documents_support.hpp"

namespace planexe::plan {
namespace {

using namespace documents_test;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// --- breakdown
// --------------------------------------------------------------------------------------------------------

TEST(WbsLevels, RootHasAFixedIdAndThePlainTitle) {
  const BuiltinResult result = finish_wbs_level1(answered("create_wbs_level1", example("create_wbs_level1"))).value();
  EXPECT_EQ(result.outputs.at("title"), "Lyon bicycle repair shop");
  EXPECT_EQ(text(result.outputs.at("clean"), "id"), text(level1(), "id"));
  EXPECT_FALSE(
      finish_wbs_level1(answered("create_wbs_level1", parsed(R"({"project_title":"  ","final_deliverable":"x"})"))));
}

TEST(WbsLevels, PhasesAndTasksAreNumberedByPosition) {
  const json::value clean = level2();
  ASSERT_EQ(clean.get_array().size(), 6U);
  EXPECT_EQ(text(clean.at(2), "ref"), "3");
  EXPECT_EQ(text(list(clean.at(2), "subtasks")[1], "ref"), "3.2");
  EXPECT_EQ(text(list(clean.at(2), "subtasks")[1], "description"), "Obtain the ERP notice");
  EXPECT_TRUE(build_wbs(level1(), clean).has_value());
}

TEST(WbsLevels, RepeatedAndEmptyTitlesAreLeftOut) {
  const BuiltinResult result = finish_wbs_level2(answered("create_wbs_level2", parsed(R"({"major_phase_details":[
      {"major_phase_title":"Prepare","subtasks":[{"subtask_title":"Buy wood"},{"subtask_title":" buy  WOOD "},{"subtask_title":""}]},
      {"major_phase_title":"Again","subtasks":[{"subtask_title":"Buy wood"}]},
      {"major_phase_title":"Build","subtasks":[{"subtask_title":"Nail it"}]}]})")))
                                   .value();
  const json::array& phases = result.outputs.at("clean").get_array();
  EXPECT_THAT(texts(phases, "major_phase_title"), ElementsAre("Prepare", "Build"));
  EXPECT_THAT(texts(phases, "ref"), ElementsAre("1", "2"));
  EXPECT_THAT(rules(result), ElementsAre("duplicate_task", "duplicate_task", "empty_phase"));
  EXPECT_FALSE(finish_wbs_level2(answered("create_wbs_level2", parsed(R"({"major_phase_details":[]})"))));
}

TEST(WbsLevels, EqualPhaseTitlesGetDifferentIds) {
  const json::value clean = finish_wbs_level2(answered("create_wbs_level2", parsed(R"({"major_phase_details":[
      {"major_phase_title":"Build","subtasks":[{"subtask_title":"First"}]},
      {"major_phase_title":"Build","subtasks":[{"subtask_title":"Second"}]}]})")))
                                .value()
                                .outputs.at("clean");
  EXPECT_NE(text(clean.at(0), "id"), text(clean.at(1), "id"));
  EXPECT_TRUE(build_wbs(level1(), clean).has_value());
}

TEST(WbsLevels, LeavesKnowTheirNeighbours) {
  const BuiltinResult result = step_wbs_leaves(with_tree("create_wbs_level3", tree())).value();
  const json::array& leaves = result.answer.get_array();
  ASSERT_EQ(leaves.size(), 24U);
  EXPECT_EQ(text(leaves[0], "before"), "");
  EXPECT_EQ(text(leaves[0], "after"), "Apply for the honour loan");
  EXPECT_EQ(text(leaves[4], "phase_title"), "Secure the premises");
  EXPECT_EQ(text(leaves[7], "after"), "");
}

TEST(WbsLevels, SubtasksHangUnderTheirTasks) {
  BuiltinInput in = with_tree("create_wbs_level3", tree());
  const json::array leaves = step_wbs_leaves(in).value().answer.get_array();
  in.steps["split"] = items(leaves, example("create_wbs_level3", "split.example.json"));
  const BuiltinResult result = finish_wbs_level3(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_FALSE(result.degraded);
  Wbs wbs = wbs_from_json(tree()).value();
  ASSERT_TRUE(attach_subtasks(wbs, result.outputs.at("clean")).has_value());
  EXPECT_EQ(wbs.root.children[0].children[0].children.size(), 3U);
}

TEST(WbsLevels, TasksThatCouldNotBeSplitStayWhole) {
  BuiltinInput in = with_tree("create_wbs_level3", tree());
  in.steps["split"] = json::object{
      {"items",
       json::array{
           item(parsed(R"({"ref":"1.1"})"), nullptr, "missing"), item(parsed(R"({"ref":"1.2"})"), nullptr, "skipped"),
           item(parsed(R"({"ref":"9.9"})"),
                parsed(R"({"subtasks":[{"name":"a","description":"b","resources_needed":[]}]})")),
           item(
               parsed(R"({"ref":"1.3"})"),
               parsed(
                   R"({"subtasks":[{"name":"a"},{"name":"A "},{"name":""},{"name":"b","resources_needed":[1,"x"]}]})"))}}};
  const BuiltinResult result = finish_wbs_level3(in).value();
  EXPECT_THAT(rules(result), ElementsAre("not_split", "unknown_id"));
  EXPECT_TRUE(result.degraded);
  EXPECT_THAT(texts(result.outputs.at("clean").get_array(), "name"), ElementsAre("a", "b"));
}

TEST(WbsLevels, BrokenTreesAreErrors) {
  EXPECT_FALSE(step_wbs_leaves(input("create_wbs_level3")));
  EXPECT_FALSE(step_wbs_leaves(with_tree("create_wbs_level3", parsed(R"({"wbs_project":5})"))));
}

// --- durations
// --------------------------------------------------------------------------------------------------------

BuiltinInput durations_input() {
  BuiltinInput in = with_tree("estimate_task_durations", tree());
  const json::array nodes = step_duration_nodes(in).value().answer.get_array();
  json::array chunks;
  for (std::size_t i = 0; i < nodes.size(); i += 3)
    chunks.push_back(json::array(nodes.begin() + static_cast<std::ptrdiff_t>(i),
                                 nodes.begin() + static_cast<std::ptrdiff_t>(std::min(i + 3, nodes.size()))));
  in.steps["estimate"] = items(chunks, example("estimate_task_durations", "estimate.example.json"));
  return in;
}

TEST(Durations, NodesAreInPreOrder) {
  const json::value answer = step_duration_nodes(with_tree("estimate_task_durations", tree())).value().answer;
  const std::vector<std::string> refs = texts(answer.get_array(), "ref");
  ASSERT_EQ(refs.size(), 30U);
  EXPECT_THAT(std::vector<std::string>(refs.begin(), refs.begin() + 6),
              ElementsAre("1", "1.1", "1.2", "1.3", "1.4", "2"));
  EXPECT_EQ(text(answer.at(0), "kind"), "phase");
  EXPECT_EQ(get_int(answer.at(0), "task_count"), 4);
}

TEST(Durations, ExampleEstimatesEveryNode) {
  const BuiltinResult result = finish_task_durations(durations_input()).value();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::array& clean = result.outputs.at("clean").get_array();
  ASSERT_EQ(clean.size(), 30U);
  EXPECT_EQ(text(clean[1], "task_id"), text(list(level2().at(0), "subtasks")[0], "id"));
  EXPECT_EQ(get_int(clean[1], "days_realistic"), 5);
}

TEST(Durations, BadAndMissingEstimatesAreNamed) {
  BuiltinInput in = with_tree("estimate_task_durations", tree());
  in.steps["estimate"] = json::object{{"items", json::array{item(nullptr, parsed(R"({"task_details":[
      {"task_id":"1","days_min":1,"days_realistic":2,"days_max":3},
      {"task_id":"1","days_min":9,"days_realistic":9,"days_max":9},
      {"task_id":"1.1","days_min":5,"days_realistic":4,"days_max":6},
      {"task_id":"1.2","days_min":0,"days_realistic":4,"days_max":6},
      {"task_id":"7.7","days_min":1,"days_realistic":4,"days_max":6}]})"))}}};
  const BuiltinResult result = finish_task_durations(in).value();
  EXPECT_THAT(texts(result.outputs.at("clean").get_array(), "ref"), ElementsAre("1"));
  EXPECT_EQ(get_int(result.outputs.at("clean").at(0), "days_max"), 3);
  EXPECT_TRUE(result.degraded);
  const auto names = rules(result);
  EXPECT_EQ(std::ranges::count(names, "bad_estimate"), 2);
  EXPECT_EQ(std::ranges::count(names, "unknown_id"), 1);
  EXPECT_EQ(std::ranges::count(names, "duplicate_estimate"), 1);
  EXPECT_EQ(std::ranges::count(names, "missing_estimate"), 29);
}

TEST(Durations, NoEstimateAtAllIsAFailure) {
  BuiltinInput in = with_tree("estimate_task_durations", tree());
  in.steps["estimate"] = json::object{{"items", json::array{item(nullptr, nullptr, "missing")}}};
  EXPECT_FALSE(finish_task_durations(in));
}

// --- dependencies
// -----------------------------------------------------------------------------------------------------

BuiltinInput dependencies_input(std::string speed = "all_details_but_slow") {
  BuiltinInput in = input("identify_task_dependencies", std::move(speed));
  in.reads["create_wbs_level2.clean"] = level2();
  return in;
}

BuiltinInput dependencies_answered(const json::value& answers) {
  BuiltinInput in = dependencies_input();
  in.steps["links"] = items(step_dependency_groups(in).value().answer.get_array(), answers);
  return in;
}

TEST(Dependencies, OneGroupPerPhaseWithWhatItMayName) {
  const json::value groups = step_dependency_groups(dependencies_input()).value().answer;
  ASSERT_EQ(groups.get_array().size(), 6U);
  EXPECT_EQ(text(groups.at(1), "ref"), "2");
  EXPECT_EQ(to_json(list(groups.at(1), "task_refs")), R"(["2.1","2.2","2.3","2.4"])");
  EXPECT_EQ(to_json(list(groups.at(1), "allowed_refs")), R"(["1.1","1.2","1.3","1.4","2.1","2.2","2.3","2.4"])");
}

TEST(Dependencies, FastModePacksTwoGroupsThatHoldEveryTask) {
  const json::value groups = step_dependency_groups(dependencies_input("fast_but_skip_details")).value().answer;
  ASSERT_EQ(groups.get_array().size(), 2U);
  EXPECT_EQ(text(groups.at(0), "ref"), "1-3");
  EXPECT_EQ(text(groups.at(1), "ref"), "4-6");
  EXPECT_EQ(list(groups.at(0), "task_refs").size() + list(groups.at(1), "task_refs").size(), 24U);
}

TEST(Dependencies, ExampleIsACleanNetwork) {
  const BuiltinInput in = dependencies_answered(example("identify_task_dependencies", "links.example.json"));
  EXPECT_THAT(step_isolated_phases(in).value().answer.get_array(), IsEmpty());
  const BuiltinResult result = finish_task_dependencies(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::value& raw = result.outputs.at("raw");
  ASSERT_EQ(list(raw, "task_dependency_details").size(), 24U);
  const json::value& first = list(raw, "task_dependency_details")[0];
  EXPECT_THAT(text(first, "free_start_reason"), HasSubstr("first day"));
  const json::value& notice = list(raw, "task_dependency_details")[9];
  EXPECT_EQ(text(notice, "ref"), "3.2");
  EXPECT_EQ(to_json(list(notice, "depends_on_task_type_list")), R"(["SS","FS"])");
  EXPECT_EQ(to_json(list(notice, "depends_on_task_lag_days_list")), "[2,0]");
  EXPECT_EQ(links_from_json(raw).size(), 33U);
}

TEST(Dependencies, StoredLinksPassTheScheduleUnchanged) {
  const BuiltinResult result =
      finish_task_dependencies(dependencies_answered(example("identify_task_dependencies", "links.example.json")))
          .value();
  const Wbs wbs = build_wbs(level1(), level2()).value();
  EXPECT_THAT(check_links(wbs, links_from_json(result.outputs.at("raw"))).rejected, IsEmpty());
}

json::object entry(std::string_view dependent, std::vector<std::string_view> before) {
  json::array links;
  for (const std::string_view id : before)
    links.push_back(json::object{{"depends_on_task_id", id}, {"explanation", "x"}, {"type", "FS"}, {"lag_days", 0}});
  return {{"dependent_task_id", dependent}, {"free_start_reason", nullptr}, {"links", std::move(links)}};
}

BuiltinInput with_entries(json::array entries) {
  BuiltinInput in = dependencies_input();
  in.steps["links"] = json::object{
      {"items", json::array{item(nullptr, json::object{{"phase_inputs", json::array{}},
                                                       {"task_dependency_details", std::move(entries)}})}}};
  return in;
}

TEST(Dependencies, BadLinksAreKeptAsRejectedWithTheirReason) {
  const BuiltinResult result =
      finish_task_dependencies(with_entries({entry("1.2", {"1.1", "1.1", "1.2", "8.8", "1"}), entry("1.1", {"1.2"}),
                                             entry("nonsense", {"1.1"})}))
          .value();
  const json::value& raw = result.outputs.at("raw");
  auto reasons = texts(list(raw, "rejected_links"), "reason");
  std::ranges::sort(reasons);
  EXPECT_THAT(reasons, ElementsAre("cycle", "duplicate", "own_phase", "self_link", "unknown_id", "unknown_id"));
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(list(raw, "tasks_without_answer").size(), 22U);
  EXPECT_THAT(rules(result), Contains("isolated_phase"));
}

TEST(Dependencies, IslandsAreAskedAgainAndTheirLinksCount) {
  BuiltinInput in = with_entries({entry("2.1", {"1.1"}), entry("1.1", {}), entry("4.1", {})});
  const json::value isolated = step_isolated_phases(in).value().answer;
  EXPECT_THAT(texts(isolated.get_array(), "ref"), ElementsAre("3", "4", "5", "6"));
  EXPECT_EQ(list(isolated.at(0), "any_refs").size(), 24U);
  in.steps["again"] = json::object{
      {"items",
       json::array{
           item(isolated.at(1), parsed(R"({"observation":"","is_independent":false,"independence_reason":null,
      "links":[{"dependent_task_id":"4.1","depends_on_task_id":"1.3","explanation":"Wages","type":"SS","lag_days":99999999999}]})")),
           item(
               isolated.at(0),
               parsed(
                   R"({"links":[{"dependent_task_id":"3.1","depends_on_task_id":"2.1","explanation":"Rooms","type":"nothing","lag_days":1}]})"))}}};
  const json::value raw = finish_task_dependencies(in).value().outputs.at("raw");
  EXPECT_THAT(texts(list(raw, "rejected_links"), "reason"), ElementsAre("lag_out_of_range"));
  EXPECT_EQ(links_from_json(raw).size(), 2U);
  EXPECT_EQ(list(raw, "isolated_phases").size(), 3U);
}

TEST(Dependencies, NoAnswerAtAllIsAFailure) {
  BuiltinInput in = dependencies_input();
  in.steps["links"] = json::object{{"items", json::array{item(nullptr, nullptr, "missing")}}};
  EXPECT_FALSE(finish_task_dependencies(in));
}

RC_GTEST_PROP(Dependencies, AnyAnswersGiveAnAcyclicNetwork, ()) {
  const auto pairs = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 26), rc::gen::inRange(0, 26)));
  std::vector<std::string> refs{"unknown", "3"};
  for (const json::value& phase : level2().get_array())
    for (const std::string& ref : texts(list(phase, "subtasks"), "ref")) refs.push_back(ref);
  json::array entries{entry("1.1", {})};
  for (const auto& [to, from] : pairs)
    entries.push_back(entry(refs[static_cast<std::size_t>(to)], {refs[static_cast<std::size_t>(from)]}));
  const json::value raw = finish_task_dependencies(with_entries(entries)).value().outputs.at("raw");
  const Wbs wbs = build_wbs(level1(), level2()).value();
  RC_ASSERT(check_links(wbs, links_from_json(raw)).rejected.empty());
}

TEST(Dependencies, EqualInputGivesEqualOutput) {
  const BuiltinInput in = dependencies_answered(example("identify_task_dependencies", "links.example.json"));
  EXPECT_EQ(finish_task_dependencies(in).value().outputs, finish_task_dependencies(in).value().outputs);
}

}  // namespace
}  // namespace planexe::plan
