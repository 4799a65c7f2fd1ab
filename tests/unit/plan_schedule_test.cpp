#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/schedule.hpp"
#include "plan_schedule_support.hpp"

namespace planexe::plan {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(PlanCpm, FinishLinkNeverStartsBeforeTheProject) {
  // A (2 days), B (5 days), B must not finish before A: without the floor B would start at -3.
  const CpmResult result = solve_network({{2, 5}, {{0, 1, LinkType::FF, 0}}});
  EXPECT_EQ(result.times[1].es, 0);
  EXPECT_EQ(result.times[1].ef, 5);
  EXPECT_EQ(result.length, 5);
}

TEST(PlanCpm, LateFinishIsCappedByTheEnd) {
  // A (10 days), B (1 day, starts with A): A alone decides the end.
  const CpmResult result = solve_network({{10, 1}, {{0, 1, LinkType::SS, 0}}});
  EXPECT_EQ(result.times[0].lf, 10);
  EXPECT_EQ(result.times[0].total_float, 0);
  EXPECT_TRUE(result.times[0].critical);
  EXPECT_EQ(result.times[1].total_float, 9);
  EXPECT_THAT(result.path, ElementsAre(0u));
}

TEST(PlanCpm, AllLinkTypesBoundTheirSides) {
  const CpmResult result = solve_network(
      {{4, 3, 3, 3, 3},
       {{0, 1, LinkType::FS, 2}, {0, 2, LinkType::SS, 2}, {0, 3, LinkType::FF, 2}, {0, 4, LinkType::SF, 5}}});
  EXPECT_EQ(result.times[1].es, 6);
  EXPECT_EQ(result.times[2].es, 2);
  EXPECT_EQ(result.times[3].es, 3);
  EXPECT_EQ(result.times[4].es, 2);
  EXPECT_EQ(result.length, 9);
}

TEST(PlanCpm, NegativeLagOverlaps) {
  const CpmResult result = solve_network({{8, 5}, {{0, 1, LinkType::FS, -3}}});
  EXPECT_EQ(result.times[1].es, 5);
  EXPECT_EQ(result.length, 10);
  EXPECT_THAT(result.path, ElementsAre(0u, 1u));
}

TEST(PlanCpm, EmptyNetworkHasNoLength) {
  const CpmResult result = solve_network({});
  EXPECT_EQ(result.length, 0);
  EXPECT_TRUE(result.path.empty());
}

TEST(PlanLinks, RejectsInTheGivenOrderWithReasons) {
  const Wbs wbs = tree({2, 1});
  const CheckedLinks checked = check_links(wbs, {{"zz", "1.1", LinkType::FS, 0, ""},
                                                 {"1.1", "1.1", LinkType::FS, 0, ""},
                                                 {"1.1", "1", LinkType::FS, 0, ""},
                                                 {"1", "1.2", LinkType::FS, 0, ""},
                                                 {"1.1", "1.2", LinkType::FS, 20'000, ""},
                                                 {"1.1", "1.2", LinkType::FS, 1, "small"},
                                                 {"1.1", "1.2", LinkType::FS, 3, "large"},
                                                 {"1.1", "1.2", LinkType::SS, 0, "other type"}});
  std::vector<std::string> reasons;
  for (const RejectedLink& link : checked.rejected) reasons.push_back(link.reason);
  EXPECT_THAT(reasons, testing::UnorderedElementsAre("unknown_id", "self_link", "own_phase", "own_phase",
                                                     "lag_out_of_range", "duplicate"));
  ASSERT_EQ(checked.links.size(), 2u);
  EXPECT_EQ(checked.links[0].lag_days, 3);
  EXPECT_EQ(checked.links[0].explanation, "large");
}

TEST(PlanLinks, PhaseStandsForItsTasks) {
  const Wbs wbs = tree({2, 2});
  const CheckedLinks checked = check_links(wbs, {{"1", "2", LinkType::FS, 0, ""}});
  EXPECT_EQ(checked.links.size(), 4u);
}

TEST(PlanLinks, CycleLosesTheLinkThatReachesFurthestBack) {
  const Wbs wbs = tree({4});
  const CheckedLinks checked = check_links(wbs, {{"1.1", "1.2", LinkType::FS, 0, ""},
                                                 {"1.2", "1.3", LinkType::FS, 0, ""},
                                                 {"1.3", "1.2", LinkType::SS, 0, ""},
                                                 {"1.3", "1.1", LinkType::FS, 0, ""}});
  ASSERT_EQ(checked.rejected.size(), 2u);
  EXPECT_EQ(checked.rejected[0].to, "t1.1");
  EXPECT_EQ(checked.rejected[1].to, "t1.2");
  EXPECT_EQ(checked.rejected[0].reason, "cycle");
  EXPECT_EQ(checked.links.size(), 2u);
}

TEST(PlanLinks, ReadsOldAndNewAnswers) {
  const auto links = links_from_json(parse_json(R"({"task_dependency_details":[
    {"dependent_task_id":"b","depends_on_task_id_list":["a","c"],"depends_on_task_explanation_list":["why"],
     "depends_on_task_type_list":["SS","XX"],"depends_on_task_lag_days_list":[2]}]})")
                                         .value());
  ASSERT_EQ(links.size(), 2u);
  EXPECT_EQ(links[0].type, LinkType::SS);
  EXPECT_EQ(links[0].lag_days, 2);
  EXPECT_EQ(links[1].type, LinkType::FS);
  EXPECT_EQ(links[1].explanation, "");
}

TEST(PlanEstimates, MissingOnesComeFromTheirSiblings) {
  const Wbs wbs = tree({3, 1});
  const auto set = estimates_for(wbs, durations({{"1.1", 2, 4, 6}, {"1.2", 4, 10, 12}, {"1.3", -1, -1, -1}}));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->by_id.at("t1.3"), (Estimate{4, 10, 12, true}));
  EXPECT_TRUE(set->by_id.at("t2.1").derived);
  EXPECT_THAT(set->derived, ElementsAre("t1.3", "t2.1"));
}

TEST(PlanEstimates, BrokenOrderIsRepairedAndReported) {
  const auto set = estimates_for(tree({1}), durations({{"1.1", 9, 5, 3}, {"7.7", 1, 1, 1}}));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->by_id.at("t1.1"), (Estimate{3, 5, 9, false}));
  ASSERT_EQ(set->findings.size(), 2u);
}

TEST(PlanEstimates, NoneAtAllIsAnError) {
  EXPECT_FALSE(estimates_for(tree({2}), parse_json("[]").value()));
  EXPECT_FALSE(estimates_for(tree({2}), json::value(nullptr)));
}

TEST(PlanSchedule, SubtasksFillTheirTask) {
  const auto days = [](int count, int length) {
    std::vector<std::pair<int, int>> list;
    for (int k = 0; k < count; ++k) list.push_back(subtask_days(k, count, length));
    return list;
  };
  EXPECT_THAT(days(4, 2), ElementsAre(Pair(0, 1), Pair(0, 1), Pair(1, 2), Pair(1, 2)));
  EXPECT_THAT(days(3, 5), ElementsAre(Pair(0, 1), Pair(1, 3), Pair(3, 5)));
  EXPECT_THAT(days(2, 0), ElementsAre(Pair(0, 0), Pair(0, 0)));
}

TEST(PlanSchedule, SpansPhasesAndDates) {
  const Wbs wbs = tree({2, 1});
  const Schedule schedule = scheduled(wbs, durations({{"1.1", 1, 3, 5}, {"1.2", 1, 2, 5}, {"2.1", 4, 4, 4}}),
                                      links({{"1.1", "1.2", "FS", 0}, {"1.2", "2.1", "FS", 1}}));
  const Activity* phase = find_activity(schedule, "p1");
  ASSERT_NE(phase, nullptr);
  EXPECT_EQ(phase->kind, ActivityKind::summary);
  EXPECT_EQ(phase->duration_days, 5);
  EXPECT_EQ(format_date(phase->start_date), "2026-01-05");
  EXPECT_EQ(format_date(phase->finish_date), "2026-01-09");
  EXPECT_EQ(schedule.lengths.critical_days, 10);
  EXPECT_EQ(schedule.lengths.chained_days, 9);
  EXPECT_EQ(format_date(schedule.lengths.finish_date), "2026-01-16");
  EXPECT_THAT(schedule.critical_path, ElementsAre("t1.1", "t1.2", "t2.1"));
  EXPECT_EQ(schedule.activities.back().kind, ActivityKind::milestone);
  EXPECT_EQ(format_date(schedule.activities.back().finish_date), "2026-01-16");
}

TEST(PlanSchedule, CountsWhatWasAnswered) {
  const Wbs wbs = tree({2, 2});
  const Schedule schedule = scheduled(wbs, durations({{"1.1", 1, 1, 1}}), links({{"1.1", "1.2", "FS", 0}}));
  EXPECT_EQ(schedule.coverage.tasks, 4);
  EXPECT_EQ(schedule.coverage.answered, 1);
  EXPECT_THAT(schedule.coverage.without_links, ElementsAre("t2.1", "t2.2"));
  EXPECT_THAT(schedule.coverage.isolated_phases, ElementsAre("p1", "p2"));
  EXPECT_EQ(schedule.coverage.open_starts, 3);
  EXPECT_EQ(schedule.coverage.open_ends, 3);
  EXPECT_EQ(schedule.coverage.derived_estimates, 3);
  EXPECT_EQ(schedule.warnings.size(), 4u);
}

TEST(PlanSchedule, PhaseWithoutTasksIsAnActivity) {
  const Wbs wbs = tree({0, 1});
  const Schedule schedule =
      scheduled(wbs, durations({{"1", 2, 3, 4}, {"2.1", 1, 1, 1}}), links({{"1", "2.1", "FS", 0}}));
  EXPECT_EQ(find_activity(schedule, "p1")->kind, ActivityKind::task);
  EXPECT_EQ(schedule.lengths.critical_days, 4);
}

TEST(PlanSchedule, StoredFormReadsBack) {
  const Wbs wbs = tree({2, 1}, 2);
  const Schedule schedule = scheduled(wbs, durations({{"1.1", 1, 3, 5}, {"2.1", 4, 4, 4}}),
                                      links({{"1.1", "2.1", "SS", 2}, {"2.1", "1.1", "FS", 0}, {"9", "1.1", "FS", 0}}),
                                      parse_json(R"([{"kind":"horizon","quote":"one week","value":null}])").value());
  EXPECT_EQ(schedule.horizon.result, HorizonResult::fits);
  const auto read = schedule_from_json(parse_json(to_json(schedule_to_json(schedule))).value());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(*read == schedule);
}

TEST(PlanSchedule, DamagedFilesNameTheField) {
  const Wbs wbs = tree({1});
  json::value stored = schedule_to_json(scheduled(wbs, durations({{"1.1", 1, 1, 1}}), links({})));
  stored.as_object()["activities"].as_array()[0].as_object().erase("es");
  const auto read = schedule_from_json(stored);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, testing::HasSubstr("es"));
  EXPECT_FALSE(schedule_from_json(json::value(nullptr)));
}

}  // namespace
}  // namespace planexe::plan
