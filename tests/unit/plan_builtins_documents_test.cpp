#include "plan/builtins/documents.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/file.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/groups.hpp"
#include "plan/schedule_links.hpp"

namespace planexe::plan {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// One good answer of the recipe.
json::value example(const std::string& task, const std::string& file = "example.json") {
  const std::string path = fmt::format("{}/recipe/tasks/{}/{}", PLANEXE_SOURCE_DIR, task, file);
  const auto bytes = read_file(path, 1 << 20);
  EXPECT_TRUE(bytes.has_value()) << path;
  return parse_json(*bytes).value();
}

json::value parsed(std::string_view text) { return parse_json(text).value(); }

BuiltinInput input(std::string task, std::string speed = "all_details_but_slow") {
  BuiltinInput in;
  in.plan_id = "PlanExe_00000000-0000-4000-8000-000000000001";
  in.task_key = std::move(task);
  in.plan = json::object{{"prompt", "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months"},
                         {"start_date", "2031-03-03"}, {"intake", nullptr}, {"speed", std::move(speed)}, {"title", "Repair shop"}};
  return in;
}

BuiltinInput answered(std::string task, json::value answer, std::string speed = "all_details_but_slow") {
  BuiltinInput in = input(std::move(task), std::move(speed));
  in.steps["main"] = json::object{{"answer", std::move(answer)}};
  return in;
}

json::value item(json::value element, json::value answer, std::string_view state = "done") {
  return json::object{{"key", ""}, {"number", 1}, {"state", state}, {"answer", std::move(answer)}, {"element", std::move(element)}};
}

/// Items of a step that asked about each element and got these answers.
json::object items(const json::array& elements, const json::value& answers) {
  json::array all;
  for (std::size_t i = 0; i < elements.size(); ++i) all.push_back(item(elements[i], answers.at(i)));
  return {{"items", std::move(all)}};
}

std::vector<std::string> rules(const BuiltinResult& result) {
  std::vector<std::string> names;
  for (const Finding& finding : result.findings) names.push_back(finding.rule);
  return names;
}

std::vector<std::string> texts(const json::array& objects, std::string_view key) {
  std::vector<std::string> values;
  for (const json::value& object : objects) values.push_back(text(object, key));
  return values;
}

json::value level1() {
  return finish_wbs_level1(answered("create_wbs_level1", example("create_wbs_level1"))).value().outputs.at("clean");
}

json::value level2() {
  return finish_wbs_level2(answered("create_wbs_level2", example("create_wbs_level2"))).value().outputs.at("clean");
}

json::value tree() { return wbs_to_json(build_wbs(level1(), level2()).value()); }

BuiltinInput with_tree(std::string task, const json::value& wbs) {
  BuiltinInput in = input(std::move(task));
  in.reads["wbs_project_level1_and_level2.tree"] = wbs;
  return in;
}

// --- breakdown --------------------------------------------------------------------------------------------------------

TEST(WbsLevels, RootHasAFixedIdAndThePlainTitle) {
  const BuiltinResult result = finish_wbs_level1(answered("create_wbs_level1", example("create_wbs_level1"))).value();
  EXPECT_EQ(result.outputs.at("title"), "Lyon bicycle repair shop");
  EXPECT_EQ(text(result.outputs.at("clean"), "id"), text(level1(), "id"));
  EXPECT_FALSE(finish_wbs_level1(answered("create_wbs_level1", parsed(R"({"project_title":"  ","final_deliverable":"x"})"))));
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
      {"major_phase_title":"Build","subtasks":[{"subtask_title":"Nail it"}]}]})"))).value();
  const json::array& phases = result.outputs.at("clean").get_array();
  EXPECT_THAT(texts(phases, "major_phase_title"), ElementsAre("Prepare", "Build"));
  EXPECT_THAT(texts(phases, "ref"), ElementsAre("1", "2"));
  EXPECT_THAT(rules(result), ElementsAre("duplicate_task", "duplicate_task", "empty_phase"));
  EXPECT_FALSE(finish_wbs_level2(answered("create_wbs_level2", parsed(R"({"major_phase_details":[]})"))));
}

TEST(WbsLevels, EqualPhaseTitlesGetDifferentIds) {
  const json::value clean = finish_wbs_level2(answered("create_wbs_level2", parsed(R"({"major_phase_details":[
      {"major_phase_title":"Build","subtasks":[{"subtask_title":"First"}]},
      {"major_phase_title":"Build","subtasks":[{"subtask_title":"Second"}]}]})"))).value().outputs.at("clean");
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
  in.steps["split"] = json::object{{"items", json::array{
      item(parsed(R"({"ref":"1.1"})"), nullptr, "missing"), item(parsed(R"({"ref":"1.2"})"), nullptr, "skipped"),
      item(parsed(R"({"ref":"9.9"})"), parsed(R"({"subtasks":[{"name":"a","description":"b","resources_needed":[]}]})")),
      item(parsed(R"({"ref":"1.3"})"), parsed(R"({"subtasks":[{"name":"a"},{"name":"A "},{"name":""},{"name":"b","resources_needed":[1,"x"]}]})"))}}};
  const BuiltinResult result = finish_wbs_level3(in).value();
  EXPECT_THAT(rules(result), ElementsAre("not_split", "unknown_id"));
  EXPECT_TRUE(result.degraded);
  EXPECT_THAT(texts(result.outputs.at("clean").get_array(), "name"), ElementsAre("a", "b"));
}

TEST(WbsLevels, BrokenTreesAreErrors) {
  EXPECT_FALSE(step_wbs_leaves(input("create_wbs_level3")));
  EXPECT_FALSE(step_wbs_leaves(with_tree("create_wbs_level3", parsed(R"({"wbs_project":5})"))));
}

// --- durations --------------------------------------------------------------------------------------------------------

BuiltinInput durations_input() {
  BuiltinInput in = with_tree("estimate_task_durations", tree());
  const json::array nodes = step_duration_nodes(in).value().answer.get_array();
  json::array chunks;
  for (std::size_t i = 0; i < nodes.size(); i += 3)
    chunks.push_back(json::array(nodes.begin() + static_cast<std::ptrdiff_t>(i), nodes.begin() + static_cast<std::ptrdiff_t>(std::min(i + 3, nodes.size()))));
  in.steps["estimate"] = items(chunks, example("estimate_task_durations", "estimate.example.json"));
  return in;
}

TEST(Durations, NodesAreInPreOrder) {
  const json::value answer = step_duration_nodes(with_tree("estimate_task_durations", tree())).value().answer;
  const std::vector<std::string> refs = texts(answer.get_array(), "ref");
  ASSERT_EQ(refs.size(), 30U);
  EXPECT_THAT(std::vector<std::string>(refs.begin(), refs.begin() + 6), ElementsAre("1", "1.1", "1.2", "1.3", "1.4", "2"));
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

// --- dependencies -----------------------------------------------------------------------------------------------------

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
  const BuiltinResult result = finish_task_dependencies(dependencies_answered(example("identify_task_dependencies", "links.example.json"))).value();
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
  in.steps["links"] = json::object{{"items", json::array{item(nullptr, json::object{{"phase_inputs", json::array{}}, {"task_dependency_details", std::move(entries)}})}}};
  return in;
}

TEST(Dependencies, BadLinksAreKeptAsRejectedWithTheirReason) {
  const BuiltinResult result = finish_task_dependencies(with_entries(
      {entry("1.2", {"1.1", "1.1", "1.2", "8.8", "1"}), entry("1.1", {"1.2"}), entry("nonsense", {"1.1"})})).value();
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
  in.steps["again"] = json::object{{"items", json::array{item(isolated.at(1), parsed(R"({"observation":"","is_independent":false,"independence_reason":null,
      "links":[{"dependent_task_id":"4.1","depends_on_task_id":"1.3","explanation":"Wages","type":"SS","lag_days":99999999999}]})")),
      item(isolated.at(0), parsed(R"({"links":[{"dependent_task_id":"3.1","depends_on_task_id":"2.1","explanation":"Rooms","type":"nothing","lag_days":1}]})"))}}};
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
  const auto pairs = *rc::gen::container<std::vector<std::pair<int, int>>>(rc::gen::pair(rc::gen::inRange(0, 26), rc::gen::inRange(0, 26)));
  std::vector<std::string> refs{"unknown", "3"};
  for (const json::value& phase : level2().get_array())
    for (const std::string& ref : texts(list(phase, "subtasks"), "ref")) refs.push_back(ref);
  json::array entries{entry("1.1", {})};
  for (const auto& [to, from] : pairs) entries.push_back(entry(refs[static_cast<std::size_t>(to)], {refs[static_cast<std::size_t>(from)]}));
  const json::value raw = finish_task_dependencies(with_entries(entries)).value().outputs.at("raw");
  const Wbs wbs = build_wbs(level1(), level2()).value();
  RC_ASSERT(check_links(wbs, links_from_json(raw)).rejected.empty());
}

// --- documents --------------------------------------------------------------------------------------------------------

BuiltinResult identified() {
  return finish_identify_documents(answered("identify_documents", example("identify_documents"))).value();
}

TEST(Documents, ListsGetRefsAndKeepTheirFields) {
  const BuiltinResult result = identified();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::array& find = result.outputs.at("find").get_array();
  ASSERT_EQ(find.size(), 8U);
  EXPECT_EQ(text(find[7], "ref"), "F8");
  EXPECT_EQ(text(find[7], "access_level"), "Easy");
  EXPECT_EQ(text(result.outputs.at("create").at(2), "ref"), "C3");
  EXPECT_EQ(list(result.view, "create").size(), 8U);
}

TEST(Documents, EqualNamesAreKeptOnceAndSecondListsAppended) {
  const BuiltinResult result = finish_identify_documents(answered("identify_documents", parsed(R"({
      "documents_to_create":[{"document_name":"Plan","id":"evil"},{"document_name":" PLAN "},{"document_name":""}],
      "documents_to_create_part2":[{"document_name":"Site list"}],
      "documents_to_find":[{"document_name":"plan"}]})"))).value();
  EXPECT_THAT(texts(result.outputs.at("create").get_array(), "document_name"), ElementsAre("Plan", "Site list"));
  EXPECT_NE(text(result.outputs.at("create").at(0), "id"), "evil");
  EXPECT_THAT(rules(result), ElementsAre("duplicate_document", "in_both_lists"));
}

BuiltinInput filter_input(json::value answer, std::string speed = "all_details_but_slow") {
  BuiltinInput in = answered("filter_documents_to_find", std::move(answer), std::move(speed));
  in.reads["identify_documents.find"] = identified().outputs.at("find");
  return in;
}

TEST(Documents, SelectionTakesWholeLevelsUntilFive) {
  const BuiltinResult result = finish_filter_documents_to_find(filter_input(example("filter_documents_to_find"))).value();
  const json::array& clean = result.outputs.at("clean").get_array();
  EXPECT_THAT(texts(clean, "ref"), ElementsAre("F2", "F3", "F8", "F1", "F4"));
  EXPECT_EQ(text(clean[3], "impact_rating"), "High");
  EXPECT_THAT(text(clean[0], "rationale"), HasSubstr("lease"));
}

json::value all_critical() {
  json::array list;
  for (int i = 1; i <= 8; ++i) list.push_back(json::object{{"id", fmt::format("F{}", i)}, {"rationale", "r"}, {"impact_rating", "Critical"}});
  return json::object{{"document_list", std::move(list)}, {"summary", ""}};
}

TEST(Documents, FastModeStopsAtFive) {
  EXPECT_EQ(finish_filter_documents_to_find(filter_input(all_critical())).value().outputs.at("clean").get_array().size(), 8U);
  EXPECT_EQ(finish_filter_documents_to_find(filter_input(all_critical(), "fast_but_skip_details")).value().outputs.at("clean").get_array().size(), 5U);
}

TEST(Documents, RatingsOfOlderPlansCountFromZeroAndUnknownOnesAreNamed) {
  const BuiltinResult result = finish_filter_documents_to_find(filter_input(parsed(R"({"document_list":[
      {"id":0,"rationale":"a","impact_rating":"Low"},{"id":0,"rationale":"b","impact_rating":"Critical"},
      {"id":99,"rationale":"c","impact_rating":"High"},{"id":"f3","rationale":"d","impact_rating":"Medium"},
      {"id":"F4","rationale":"e","impact_rating":"Enormous"}],"summary":""})"))).value();
  EXPECT_THAT(texts(result.outputs.at("clean").get_array(), "ref"), ElementsAre("F3", "F1"));
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(std::ranges::count(rules(result), "unknown_id"), 2);
  EXPECT_EQ(std::ranges::count(rules(result), "not_rated"), 6);
}

TEST(Documents, DraftsKeepTheListAndSayWhatIsMissing) {
  const json::value selected = finish_filter_documents_to_find(filter_input(example("filter_documents_to_find"))).value().outputs.at("clean");
  const json::value drafts = example("draft_documents_to_find");
  BuiltinInput in = input("draft_documents_to_find");
  in.reads["filter_documents_to_find.clean"] = selected;
  in.steps["main"] = json::object{{"items", json::array{item(selected.at(2), drafts.at(2)), item(selected.at(0), drafts.at(0)),
                                                        item(selected.at(1), nullptr, "missing"), item(selected.at(3), nullptr, "skipped")}}};
  const BuiltinResult result = finish_draft_documents(in).value();
  const json::array& clean = result.outputs.at("clean").get_array();
  EXPECT_THAT(texts(clean, "draft_state"), ElementsAre("done", "missing", "done", "skipped", "skipped"));
  EXPECT_EQ(list(clean[2], "essential_information"), list(drafts.at(2), "essential_information"));
  EXPECT_TRUE(result.degraded);
  EXPECT_THAT(rules(result), ElementsAre("not_drafted"));
}

// --- pitch and summary ------------------------------------------------------------------------------------------------

TEST(Pitch, FiguresWithoutSourceAreNamedOnce) {
  BuiltinInput in = answered("create_pitch", parsed(R"({"pitch":"For 80 000 EUR, with 3 people and 25 repairs, 140 customers, again 140.","call_to_action":"Lend 18.000 EUR"})"));
  in.reads["project_plan.markdown"] = "25 repairs a week; fit-out 18 000 EUR";
  const BuiltinResult result = finish_pitch(in).value();
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].path, "pitch");
  EXPECT_THAT(result.findings[0].message, HasSubstr("140"));
}

TEST(Pitch, DocumentHasTheTenFieldsInOrderWithoutEmptyOnes) {
  BuiltinInput in = input("convert_pitch_to_markdown");
  in.reads["create_pitch.raw"] = example("create_pitch");
  const BuiltinResult full = finish_pitch_document(in).value();
  EXPECT_EQ(text(full.view, "title"), "Repair shop");
  EXPECT_EQ(list(full.view, "sections").size(), 10U);
  EXPECT_EQ(text(list(full.view, "sections")[9], "heading"), "Long-Term Vision");
  in.reads["create_pitch.raw"] = parsed(R"({"long_term_vision":"v","pitch":" p ","target_audience":"  "})");
  EXPECT_THAT(texts(list(finish_pitch_document(in).value().view, "sections"), "field"), ElementsAre("pitch", "long_term_vision"));
  in.reads["create_pitch.raw"] = nullptr;
  EXPECT_FALSE(finish_pitch_document(in));
}

// --- review -----------------------------------------------------------------------------------------------------------

json::array review_questions() {
  json::array questions;
  for (int i = 1; i <= 16; ++i)
    questions.push_back(json::object{{"number", std::to_string(i)}, {"title", fmt::format("Title {}", i)}, {"question", fmt::format("Question {}?", i)}, {"guide", "g"}});
  return questions;
}

TEST(Review, ExampleAnswersDoNotRepeatEachOther) {
  BuiltinInput in = input("review_plan");
  in.steps["ask"] = items(review_questions(), example("review_plan", "ask.example.json"));
  EXPECT_THAT(step_review_doubles(in).value().answer.get_array(), IsEmpty());
  const BuiltinResult result = finish_review_plan(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  ASSERT_EQ(list(result.outputs.at("raw"), "question_answers_list").size(), 16U);
  EXPECT_EQ(list(list(result.outputs.at("raw"), "question_answers_list")[4], "answers").size(), 3U);
}

BuiltinInput repeating_review() {
  BuiltinInput in = input("review_plan");
  const json::array questions = review_questions();
  in.steps["ask"] = json::object{{"items", json::array{
      item(questions[0], parsed(R"({"bullet_points":["**Loan**, because the loan decides the first eleven weeks of the plan","**Other** matter","**Third** one"]})")),
      item(questions[1], nullptr, "missing"), item(questions[2], nullptr, "skipped"),
      item(questions[3], parsed(R"({"bullet_points":["**The loan** decides, because the loan decides first eleven weeks of the plan","**New** thing","**More**"]})"))}}};
  return in;
}

TEST(Review, DoublesNameBothSidesAndTheLaterQuestionIsAskedAgain) {
  const json::value clashes = step_review_doubles(repeating_review()).value().answer;
  ASSERT_EQ(clashes.get_array().size(), 1U);
  EXPECT_EQ(text(clashes.at(0), "number"), "4");
  EXPECT_EQ(text(list(clashes.at(0), "doubles")[0], "other_number"), "1");
  EXPECT_EQ(list(clashes.at(0), "answers").size(), 3U);
}

TEST(Review, SecondAnswersReplaceTheFirst) {
  BuiltinInput in = repeating_review();
  EXPECT_THAT(rules(finish_review_plan(in).value()), ElementsAre("near_duplicate"));
  in.steps["again"] = json::object{{"items", json::array{item(parsed(R"({"number":"4"})"), parsed(R"({"bullet_points":["**Wiring** is old","**b**","**c**"]})")),
                                                         item(parsed(R"({"number":"1"})"), nullptr, "missing")}}};
  const BuiltinResult result = finish_review_plan(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(list(list(result.outputs.at("raw"), "question_answers_list")[3], "answers")[0], "**Wiring** is old");
}

TEST(Review, GapsAreSaidAndNothingIsInvented) {
  const BuiltinResult result = finish_review_plan(repeating_review()).value();
  EXPECT_TRUE(result.degraded);
  const json::array& reviews = list(result.view, "reviews");
  EXPECT_THAT(text(reviews[1], "gap"), HasSubstr("missing"));
  EXPECT_THAT(text(reviews[2], "gap"), HasSubstr("speed mode"));
  EXPECT_EQ(text(reviews[0], "gap"), "");
  EXPECT_THAT(list(list(result.outputs.at("raw"), "question_answers_list")[1], "answers"), IsEmpty());
}

// --- questions and answers --------------------------------------------------------------------------------------------

const json::array kSubjects{json::object{{"name", "concepts"}, {"title", "Terms"}}, json::object{{"name", "disputes"}, {"title", "Disputes"}}};

TEST(Questions, PairsAreJoinedAndNumberedOn) {
  BuiltinInput in = input("questions_and_answers");
  in.steps["main"] = items(kSubjects, example("questions_and_answers"));
  const BuiltinResult result = finish_questions_and_answers(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::array& pairs = list(result.outputs.at("raw"), "question_answer_pairs");
  ASSERT_EQ(pairs.size(), 10U);
  EXPECT_EQ(get_int(pairs[9], "item_index"), 10);
  EXPECT_THAT(text(result.outputs.at("raw"), "summary"), HasSubstr("\n\n"));
}

TEST(Questions, HtmlIsEscapedAndGapsAreSaid) {
  BuiltinInput in = input("questions_and_answers");
  in.steps["main"] = json::object{{"items", json::array{
      item(kSubjects[0], parsed(R"({"question_answer_pairs":[{"question":"Is <b> \"safe\"?","answer":"<script>alert(1)</script>","rationale":"r"},{"question":"","answer":"x"}],"summary":"s"})")),
      item(kSubjects[1], nullptr, "skipped")}}};
  const BuiltinResult result = finish_questions_and_answers(in).value();
  const std::string html(result.outputs.at("html").get_string());
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, HasSubstr("<strong>1.</strong>"));
  EXPECT_EQ(list(result.view, "pairs").size(), 1U);
  EXPECT_THAT(std::string(list(result.view, "gaps")[0].get_string()), HasSubstr("Disputes"));
  EXPECT_FALSE(result.degraded);
}

TEST(Questions, NothingAnsweredIsAFailure) {
  BuiltinInput in = input("questions_and_answers");
  in.steps["main"] = json::object{{"items", json::array{item(kSubjects[0], nullptr, "missing")}}};
  EXPECT_FALSE(finish_questions_and_answers(in));
}

// --- premortem --------------------------------------------------------------------------------------------------------

const json::array kArchetypes{json::object{{"name", "Process/Financial"}}, json::object{{"name", "Technical/Logistical"}}, json::object{{"name", "Market/Human"}}};

TEST(Premortem, AnswersAreRenumberedAndScored) {
  BuiltinInput in = input("premortem");
  in.steps["main"] = items(kArchetypes, example("premortem"));
  const BuiltinResult result = finish_premortem(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::array& failures = list(result.outputs.at("raw"), "failure_modes");
  ASSERT_EQ(failures.size(), 9U);
  EXPECT_EQ(text(failures[3], "root_cause_assumption_id"), "A4");
  EXPECT_EQ(text(failures[4], "root_cause_assumption_id"), "A6");
  EXPECT_EQ(text(failures[4], "failure_mode_archetype"), "Technical/Logistical");
  EXPECT_EQ(get_int(failures[0], "likelihood_5"), 4);
  EXPECT_EQ(get_int(failures[0], "impact_5"), 5);
  const json::value& first = list(result.view, "failures")[0];
  EXPECT_EQ(text(first, "id"), "FM1");
  EXPECT_EQ(text(first, "risk_summary"), "CRITICAL (20/25)");
  EXPECT_EQ(text(first, "risk_detail"), "CRITICAL 20/25 (Likelihood 4/5 × Impact 5/5)");
}

TEST(Premortem, RiskLevelsHaveTheirLimits) {
  const auto level = [](int likelihood, int impact) {
    BuiltinInput in = input("premortem");
    in.steps["main"] = json::object{{"items", json::array{item(kArchetypes[0], json::object{
        {"assumptions_to_kill", json::array{json::object{{"assumption_id", "A1"}}}},
        {"failure_modes", json::array{json::object{{"root_cause_assumption_id", "A1"}, {"likelihood_5", likelihood}, {"impact_5", impact}}}}})}}};
    return text(list(finish_premortem(in).value().view, "failures")[0], "risk_summary");
  };
  EXPECT_EQ(level(3, 5), "CRITICAL (15/25)");
  EXPECT_EQ(level(3, 4), "HIGH (12/25)");
  EXPECT_EQ(level(3, 3), "HIGH (9/25)");
  EXPECT_EQ(level(2, 4), "MEDIUM (8/25)");
  EXPECT_EQ(level(2, 2), "MEDIUM (4/25)");
  EXPECT_EQ(level(1, 3), "LOW (3/25)");
  EXPECT_EQ(level(0, 3), "Not Scored");
  EXPECT_EQ(level(7, 3), "Not Scored");
}

TEST(Premortem, WrongCausesOneClassAndGapsAreSaid) {
  json::array modes;
  for (int i = 0; i < 4; ++i)
    modes.push_back(json::object{{"root_cause_assumption_id", i == 0 ? "A9" : "A1"}, {"failure_mode_title", fmt::format("T{}", i)}, {"likelihood", "likely"}, {"impact", i == 0 ? "minor" : "fatal"}});
  BuiltinInput in = input("premortem");
  in.steps["main"] = json::object{{"items", json::array{
      item(kArchetypes[0], json::object{{"assumptions_to_kill", json::array{json::object{{"assumption_id", "A1"}, {"statement", "s | t"}}}}, {"failure_modes", std::move(modes)}}),
      item(kArchetypes[1], nullptr, "missing"), item(kArchetypes[2], nullptr, "skipped")}}};
  const BuiltinResult result = finish_premortem(in).value();
  EXPECT_THAT(rules(result), ElementsAre("unknown_id", "one_class", "assumption_use"));
  EXPECT_EQ(list(result.view, "gaps").size(), 2U);
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(text(list(result.view, "failures")[0], "root_cause_assumption_id"), "unknown");
  EXPECT_EQ(text(list(result.view, "failures")[0], "owner_text"), "Unassigned");
}

TEST(Premortem, NothingAnsweredIsAFailure) {
  BuiltinInput in = input("premortem");
  in.steps["main"] = json::object{{"items", json::array{item(kArchetypes[0], nullptr, "missing")}}};
  EXPECT_FALSE(finish_premortem(in));
}

// --- the group --------------------------------------------------------------------------------------------------------

TEST(DocumentsGroup, EveryFunctionSurvivesEmptyInput) {
  BuiltinMap map;
  register_documents(map);
  EXPECT_EQ(map.size(), 20U);
  for (const auto& [name, function] : map) {
    const auto result = function(input("any"));
    if (!result) EXPECT_FALSE(result.error().message.empty()) << name;
  }
}

TEST(DocumentsGroup, EqualInputGivesEqualOutput) {
  const BuiltinInput in = dependencies_answered(example("identify_task_dependencies", "links.example.json"));
  EXPECT_EQ(finish_task_dependencies(in).value().outputs, finish_task_dependencies(in).value().outputs);
}

}  // namespace
}  // namespace planexe::plan
