#include "plan/schedule_coverage.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

namespace planexe::plan {
namespace {

// An activity's phase; a phase without tasks is its own.
std::map<std::string, std::string> phases_of(const Wbs& wbs) {
  std::map<std::string, std::string> phases;
  for (const WbsNode& phase : wbs.root.children) {
    phases[phase.id] = phase.id;
    for (const WbsNode& task : phase.children) phases[task.id] = phase.id;
  }
  return phases;
}

std::vector<std::string> isolated_phases(const Wbs& wbs, const std::vector<ScheduleLink>& links) {
  if (wbs.root.children.size() < 2) return {};
  const auto phases = phases_of(wbs);
  std::set<std::string> joined;
  for (const ScheduleLink& link : links) {
    const std::string& from = phases.at(link.from);
    const std::string& to = phases.at(link.to);
    if (from != to) joined.insert({from, to});
  }
  std::vector<std::string> isolated;
  for (const WbsNode& phase : wbs.root.children)
    if (!joined.contains(phase.id)) isolated.push_back(phase.id);
  return isolated;
}

void warn_if(std::vector<std::string>& warnings, bool condition, std::string text) {
  if (condition) warnings.push_back(std::move(text));
}

// A phase whose tasks take much longer than the phase was judged to take was misjudged on one of the two sides.
void warn_about_phases(const Wbs& wbs, const Schedule& schedule, const EstimateSet& estimates,
                       std::vector<std::string>& warnings) {
  for (const WbsNode& phase : wbs.root.children) {
    const auto estimate = estimates.by_id.find(phase.id);
    const Activity* row = find_activity(schedule, phase.id);
    if (phase.children.empty() || estimate == estimates.by_id.end() || row == nullptr) continue;
    warn_if(warnings, row->duration_days > 2 * estimate->second.max,
            fmt::format("Phase {} \"{}\" spans {} working days, but was estimated at {} to {}.", phase.ref, phase.title,
                        row->duration_days, estimate->second.min, estimate->second.max));
  }
}

}  // namespace

ScheduleCoverage coverage_of(const Wbs& wbs, const std::vector<ScheduleLink>& links,
                             const std::vector<std::string>& answered) {
  ScheduleCoverage coverage;
  const std::set<std::string> answers(answered.begin(), answered.end());
  std::set<std::string> waiting;
  std::set<std::string> awaited;
  for (const ScheduleLink& link : links) {
    waiting.insert(link.to);
    awaited.insert(link.from);
  }
  for (const WbsNode* task : activities_of(wbs)) {
    ++coverage.tasks;
    const bool known = answers.contains(task->id) || answers.contains(task->ref);
    coverage.answered += known ? 1 : 0;
    if (!known) coverage.without_answer.push_back(task->id);
    coverage.open_starts += waiting.contains(task->id) ? 0 : 1;
    coverage.open_ends += awaited.contains(task->id) ? 0 : 1;
    if (!waiting.contains(task->id) && !awaited.contains(task->id)) coverage.without_links.push_back(task->id);
  }
  coverage.isolated_phases = isolated_phases(wbs, links);
  return coverage;
}

std::vector<std::string> schedule_warnings(const Wbs& wbs, const Schedule& schedule, const EstimateSet& estimates) {
  std::vector<std::string> warnings;
  const ScheduleCoverage& coverage = schedule.coverage;
  const std::size_t rejected = schedule.rejected_links.size();
  warn_if(warnings, coverage.answered < coverage.tasks,
          fmt::format("For {} of {} tasks nothing says what they wait for; the computed end may be too early.",
                      coverage.tasks - coverage.answered, coverage.tasks));
  warn_if(warnings, !coverage.without_links.empty(),
          fmt::format("{} of {} tasks are linked to no other task.", coverage.without_links.size(), coverage.tasks));
  warn_if(warnings, !coverage.isolated_phases.empty(),
          fmt::format("{} of {} phases have no link to another phase.", coverage.isolated_phases.size(),
                      wbs.root.children.size()));
  warn_if(warnings, coverage.derived_estimates > 0,
          fmt::format("{} of {} durations were not estimated but derived from the neighbouring tasks.",
                      coverage.derived_estimates, coverage.tasks));
  warn_if(warnings, rejected == 1, "1 dependency was rejected.");
  warn_if(warnings, rejected > 1, fmt::format("{} dependencies were rejected.", rejected));
  for (const Finding& finding : estimates.findings) warnings.push_back(finding.message);
  warn_about_phases(wbs, schedule, estimates, warnings);
  return warnings;
}

}  // namespace planexe::plan
