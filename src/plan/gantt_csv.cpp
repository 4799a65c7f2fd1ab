#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "plan/csv.hpp"
#include "plan/gantt.hpp"
#include "plan/gantt_text.hpp"

namespace planexe::plan {
namespace {

std::string short_date(Date date) {
  return fmt::format("{}/{}/{}", static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     static_cast<int>(date.year()));
}

// "Name", "Name (1)", "Name (2)": names differ also for readers that ignore case.
std::string unique_name(const std::string& name, std::set<std::string>& used) {
  std::string candidate = name;
  for (int number = 1; !used.insert(normalize_name(candidate)).second; ++number)
    candidate = fmt::format("{} ({})", name, number);
  return candidate;
}

}  // namespace

std::string gantt_csv(const Schedule& schedule, const Wbs* wbs) {
  const auto nodes = wbs == nullptr ? std::map<std::string, const WbsNode*, std::less<>>() : index_wbs(*wbs);
  std::vector<const Activity*> rows;
  for (const Activity& row : schedule.activities)
    if (row.kind != ActivityKind::milestone) rows.push_back(&row);
  // The rows lie in one vector with parents before their children, so their addresses break ties.
  std::ranges::sort(rows, {}, [](const Activity* row) { return std::pair(row->start_date, row); });
  std::string csv =
      "project_key,project_name,project_description,project_start_date,project_end_date,project_progress,project_"
      "parent,"
      "originating_department\n";
  std::set<std::string> used;
  for (const Activity* row : rows) {
    const auto node = nodes.find(row->id);
    const std::string description = node == nodes.end() ? std::string() : tooltip_text(*node->second);
    const std::vector<std::string> fields{row->id,
                                          unique_name(row->title, used),
                                          description == row->title ? std::string() : description,
                                          short_date(row->start_date),
                                          short_date(add_days(row->finish_date, 1)),
                                          "0",
                                          row->parent_id,
                                          "PlanExe"};
    csv += csv_row(fields, ',') + '\n';
  }
  return csv;
}

}  // namespace planexe::plan
