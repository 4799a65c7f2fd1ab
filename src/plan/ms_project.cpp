#include <fmt/format.h>

#include <map>

#include "plan/gantt.hpp"
#include "plan/html.hpp"

namespace planexe::plan {
namespace {

constexpr int kHoursPerDay = 8;
constexpr int kTenthsOfMinutePerDay = kHoursPerDay * 60 * 10;

// Numbers of the MS Project schema (PredecessorLink/Type); other Gantt formats number the types differently.
int link_number(LinkType type) {
  switch (type) {
    case LinkType::FF: return 0;
    case LinkType::FS: return 1;
    case LinkType::SF: return 2;
    case LinkType::SS: return 3;
  }
  return 1;
}

void add_task(std::string& xml, const Activity& row, int uid, const std::string& predecessors) {
  xml += fmt::format(
      "    "
      "<Task><UID>{0}</UID><ID>{0}</ID><Name>{1}</Name><OutlineLevel>{2}</OutlineLevel><Start>{3}T08:00:00</"
      "Start><Finish>{4}T17:00:00</Finish>"
      "<Duration>PT{5}H0M0S</Duration><Milestone>{6}</Milestone><Summary>{7}</Summary>{8}</Task>\n",
      uid, escape_html(row.title), row.level, format_date(row.start_date), format_date(row.finish_date),
      row.duration_days * kHoursPerDay, row.kind == ActivityKind::milestone ? 1 : 0,
      row.kind == ActivityKind::summary ? 1 : 0, predecessors);
}

std::map<std::string, std::string> predecessor_links(const Schedule& schedule, const std::map<std::string, int>& uids) {
  std::map<std::string, std::string> links;
  for (const ScheduleLink& link : schedule.links) {
    const auto from = uids.find(link.from);
    if (from == uids.end()) continue;
    links[link.to] += fmt::format(
        "<PredecessorLink><PredecessorUID>{}</PredecessorUID><Type>{}</Type><LinkLag>{}</LinkLag><LagFormat>7</"
        "LagFormat></PredecessorLink>",
        from->second, link_number(link.type), static_cast<long>(link.lag_days) * kTenthsOfMinutePerDay);
  }
  return links;
}

}  // namespace

std::string ms_project_xml(const Schedule& schedule, std::string_view title) {
  std::map<std::string, int> uids;
  for (const Activity& row : schedule.activities) uids.emplace(row.id, static_cast<int>(uids.size()) + 1);
  const auto links = predecessor_links(schedule, uids);
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Project xmlns=\"http://schemas.microsoft.com/project\">\n";
  xml += fmt::format(
      "  <Name>{}</Name>\n  <StartDate>{}T08:00:00</StartDate>\n  <MinutesPerDay>{}</MinutesPerDay>\n  <Tasks>\n",
      escape_html(title), format_date(schedule.calendar.start()), kHoursPerDay * 60);
  for (const Activity& row : schedule.activities) {
    const auto found = links.find(row.id);
    add_task(xml, row, uids.at(row.id), found == links.end() ? std::string() : found->second);
  }
  return xml + "  </Tasks>\n</Project>\n";
}

}  // namespace planexe::plan
