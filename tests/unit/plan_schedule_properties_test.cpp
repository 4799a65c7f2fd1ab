#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

#include "plan_schedule_support.hpp"

namespace planexe::plan {
namespace {

LinkType any_type() { return *rc::gen::element(LinkType::FS, LinkType::SS, LinkType::FF, LinkType::SF); }

/// A network whose links all lead forward, so it has no cycle.
Network any_network(bool plain = false) {
  Network network;
  network.durations = *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 20)));
  const auto count = network.durations.size();
  if (count < 2) return network;
  const int links = *rc::gen::inRange(0, static_cast<int>(count) * 2);
  for (int i = 0; i < links; ++i) {
    const auto from = *rc::gen::inRange<std::size_t>(0, count - 1);
    const auto to = *rc::gen::inRange<std::size_t>(from + 1, count);
    network.links.push_back({from, to, plain ? LinkType::FS : any_type(), plain ? 0 : *rc::gen::inRange(-5, 6)});
  }
  return network;
}

bool satisfied(const NetworkLink& link, const ActivityTimes& from, const ActivityTimes& to) {
  switch (link.type) {
    case LinkType::FS: return to.es >= from.ef + link.lag;
    case LinkType::SS: return to.es >= from.es + link.lag;
    case LinkType::FF: return to.ef >= from.ef + link.lag;
    case LinkType::SF: return to.ef >= from.es + link.lag;
  }
  return false;
}

bool late_satisfied(const NetworkLink& link, const ActivityTimes& from, const ActivityTimes& to) {
  const ActivityTimes f{from.ls, from.lf, 0, 0, 0, 0, false};
  const ActivityTimes t{to.ls, to.lf, 0, 0, 0, 0, false};
  return satisfied(link, f, t);
}

RC_GTEST_PROP(PlanCpmProperties, TimesObeyLinksAndBounds, ()) {
  const Network network = any_network();
  const CpmResult result = solve_network(network);
  for (std::size_t i = 0; i < network.durations.size(); ++i) {
    const ActivityTimes& times = result.times[i];
    RC_ASSERT(times.es >= 0);
    RC_ASSERT(times.ef == times.es + network.durations[i]);
    RC_ASSERT(times.ef <= result.length);
    RC_ASSERT(times.lf <= result.length);
    RC_ASSERT(times.total_float >= 0);
    RC_ASSERT(times.free_float >= 0);
    RC_ASSERT(times.free_float <= times.total_float);
    RC_ASSERT(times.critical == (times.total_float == 0));
  }
  for (const NetworkLink& link : network.links) {
    RC_ASSERT(satisfied(link, result.times[link.from], result.times[link.to]));
    RC_ASSERT(late_satisfied(link, result.times[link.from], result.times[link.to]));
  }
}

RC_GTEST_PROP(PlanCpmProperties, CriticalPathLeadsFromStartToEnd, ()) {
  const Network network = any_network();
  const CpmResult result = solve_network(network);
  RC_ASSERT(!result.path.empty());
  RC_ASSERT(result.times[result.path.front()].es == 0);
  RC_ASSERT(result.times[result.path.back()].ef == result.length);
  for (const std::size_t i : result.path) RC_ASSERT(result.times[i].critical);
  for (std::size_t step = 1; step < result.path.size(); ++step) {
    bool joined = false;
    for (std::size_t link = 0; link < network.links.size(); ++link)
      joined |= result.driving[link] && network.links[link].from == result.path[step - 1] &&
                network.links[link].to == result.path[step];
    RC_ASSERT(joined);
  }
}

RC_GTEST_PROP(PlanCpmProperties, PlainLinksAddUpAlongThePath, ()) {
  const Network network = any_network(true);
  const CpmResult result = solve_network(network);
  int sum = 0;
  for (const std::size_t i : result.path) sum += network.durations[i];
  RC_ASSERT(sum == result.length);
}

RC_GTEST_PROP(PlanCpmProperties, WithoutLinksTheLongestDecides, ()) {
  Network network = any_network();
  network.links.clear();
  RC_ASSERT(solve_network(network).length == *std::ranges::max_element(network.durations));
}

RC_GTEST_PROP(PlanCpmProperties, AChainIsAsLongAsItsSum, ()) {
  Network network = any_network();
  network.links.clear();
  for (std::size_t i = 1; i < network.durations.size(); ++i) network.links.push_back({i - 1, i, LinkType::FS, 0});
  RC_ASSERT(solve_network(network).length == std::accumulate(network.durations.begin(), network.durations.end(), 0));
}

RC_GTEST_PROP(PlanCpmProperties, ALinkMoreNeverShortens, ()) {
  Network network = any_network();
  RC_PRE(network.durations.size() >= 2u);
  const int before = solve_network(network).length;
  const auto from = *rc::gen::inRange<std::size_t>(0, network.durations.size() - 1);
  network.links.push_back(
      {from, *rc::gen::inRange<std::size_t>(from + 1, network.durations.size()), any_type(), *rc::gen::inRange(-5, 6)});
  RC_ASSERT(solve_network(network).length >= before);
}

RC_GTEST_PROP(PlanCpmProperties, FloatIsWhatAnActivityMayGrow, ()) {
  // An activity that takes longer by its total float leaves the length as it is; one day more moves the end. Holds for
  // finish-to-start links, where growing and moving are the same for those behind.
  Network network = any_network(true);
  const CpmResult result = solve_network(network);
  const auto i = *rc::gen::inRange<std::size_t>(0, network.durations.size());
  network.durations[i] += result.times[i].total_float;
  RC_ASSERT(solve_network(network).length == result.length);
  ++network.durations[i];
  RC_ASSERT(solve_network(network).length == result.length + 1);
}

struct AnyPlan {
  Wbs wbs;
  json::value durations;
  json::array details;
};

// Any links between any tasks and phases, also unknown and circular ones.
AnyPlan any_plan() {
  AnyPlan plan;
  plan.wbs =
      tree(*rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4))), *rc::gen::inRange(0, 4));
  std::vector<std::string> ids{"unknown"};
  std::vector<std::tuple<std::string, int, int, int>> estimates;
  for (const WbsNode& phase : plan.wbs.root.children) {
    ids.push_back(phase.id);
    estimates.emplace_back(phase.id, 1, 2, 3);
    for (const WbsNode& task : phase.children) {
      ids.push_back(task.id);
      estimates.emplace_back(task.id, 1, *rc::gen::inRange(1, 10), 10);
    }
  }
  plan.durations = durations(estimates);
  std::vector<std::tuple<std::string, std::string, std::string, int>> chosen;
  const int count = *rc::gen::inRange(0, 25);
  for (int i = 0; i < count; ++i)
    chosen.emplace_back(*rc::gen::elementOf(ids), *rc::gen::elementOf(ids), std::string(to_string(any_type())),
                        *rc::gen::inRange(-3, 4));
  plan.details = links(chosen).at("task_dependency_details").as_array();
  return plan;
}

RC_GTEST_PROP(PlanScheduleProperties, ChecksLeaveNoCycleAndLoseNothingSilently, ()) {
  const AnyPlan plan = any_plan();
  const Schedule schedule =
      scheduled(plan.wbs, plan.durations, json::object{{"task_dependency_details", plan.details}});
  for (const ScheduleLink& link : schedule.links) {
    RC_ASSERT(find_activity(schedule, link.from) != nullptr);
    RC_ASSERT(link.from != link.to);
  }
  RC_ASSERT(schedule.links.size() + schedule.rejected_links.size() >= plan.details.size());
  RC_ASSERT(schedule.lengths.critical_days >= 1);
}

RC_GTEST_PROP(PlanScheduleProperties, OrderOfAnswersChangesNothing, ()) {
  const AnyPlan plan = any_plan();
  json::array shuffled = plan.details;
  std::ranges::reverse(shuffled);
  if (!shuffled.empty())
    std::ranges::rotate(shuffled, shuffled.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(shuffled)));
  const Schedule a = scheduled(plan.wbs, plan.durations, json::object{{"task_dependency_details", plan.details}});
  const Schedule b = scheduled(plan.wbs, plan.durations, json::object{{"task_dependency_details", shuffled}});
  RC_ASSERT(a == b);
}

RC_GTEST_PROP(PlanScheduleProperties, ChildrenLieInsideTheirParents, ()) {
  const AnyPlan plan = any_plan();
  const Schedule schedule =
      scheduled(plan.wbs, plan.durations, json::object{{"task_dependency_details", plan.details}});
  for (const Activity& row : schedule.activities) {
    const Activity* parent = find_activity(schedule, row.parent_id);
    RC_ASSERT(row.start_date <= row.finish_date);
    if (parent == nullptr) continue;
    RC_ASSERT(row.es >= parent->es);
    RC_ASSERT(row.ef <= parent->ef);
  }
}

RC_GTEST_PROP(PlanScheduleProperties, StoredFormReadsBack, ()) {
  const AnyPlan plan = any_plan();
  const Schedule schedule =
      scheduled(plan.wbs, plan.durations, json::object{{"task_dependency_details", plan.details}});
  const auto read = schedule_from_json(schedule_to_json(schedule));
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == schedule);
}

}  // namespace
}  // namespace planexe::plan
