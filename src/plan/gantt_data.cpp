#include <fmt/format.h>

#include <map>
#include <utility>

#include "plan/gantt.hpp"
#include "plan/gantt_text.hpp"
#include "plan/html.hpp"

namespace planexe::plan {
namespace {

using Nodes = std::map<std::string, const WbsNode*, std::less<>>;

// Link numbers of the common widgets; MS Project has others.
std::string_view link_code(LinkType type) {
  switch (type) {
    case LinkType::FS: return "0";
    case LinkType::SS: return "1";
    case LinkType::FF: return "2";
    case LinkType::SF: return "3";
  }
  return "0";
}

std::string lag_text(int lag) { return lag == 0 ? "" : fmt::format("{:+}", lag); }

std::map<std::string, std::string> predecessors(const Schedule& schedule) {
  std::map<std::string, std::string> meta;
  for (const ScheduleLink& link : schedule.links) {
    std::string& line = meta[link.to];
    line +=
        fmt::format("{}{} {}{}", line.empty() ? "" : ", ", link.from, to_string(link.type), lag_text(link.lag_days));
  }
  return meta;
}

std::string tooltip_html(const WbsNode& node) {
  std::string html = fmt::format("<b>{}</b>", escape_html(node.title));
  if (!node.final_deliverable.empty())
    html += fmt::format("<br><b>Final deliverable:</b><br>{}", escape_html(node.final_deliverable));
  if (!node.details.empty()) html += fmt::format("<br><b>Description:</b><br>{}", escape_html(node.details));
  if (!node.resources.empty()) {
    html += "<br><b>Resources needed:</b><ul>";
    for (const std::string& resource : node.resources) html += fmt::format("<li>{}</li>", escape_html(resource));
    html += "</ul>";
  }
  return html;
}

void add_node(json::object& task, const WbsNode& node, const GanttDataOptions& options) {
  if (options.tooltips) task["custom_tooltip"] = tooltip_html(node);
  if (!node.details.empty()) task["details"] = node.details;
  if (node.resources.empty()) return;
  json::array resources;
  for (const std::string& resource : node.resources) resources.emplace_back(resource);
  task["resources"] = std::move(resources);
}

void add_dates(json::object& task, const Activity& row) {
  const bool parent = row.kind == ActivityKind::summary;
  if (parent) {
    task["type"] = "project";
    task["first_date"] = format_date(row.start_date);
  } else {
    task["start_date"] = format_date(row.start_date);
    task["duration"] = row.kind == ActivityKind::milestone ? 0 : days_between(row.start_date, row.finish_date) + 1;
    if (row.kind == ActivityKind::milestone) task["type"] = "milestone";
  }
  task["finish_date"] = format_date(row.finish_date);
}

json::object task_of(const Activity& row, const std::map<std::string, std::string>& meta) {
  json::object task{{"id", row.id}, {"text", row.title}};
  add_dates(task, row);
  task["progress"] = 0;
  task["open"] = true;
  const auto waits = meta.find(row.id);
  task["meta"] = waits == meta.end() ? "" : waits->second;
  if (!row.parent_id.empty()) task["parent"] = row.parent_id;
  if (!row.ref.empty()) task["ref"] = row.ref;
  task["kind"] = to_string(row.kind);
  task["working_days"] = row.duration_days;
  task["total_float"] = row.total_float;
  task["critical"] = row.critical;
  if (row.estimate)
    task["estimate"] = json::object{{"min", row.estimate->min},
                                    {"realistic", row.estimate->realistic},
                                    {"max", row.estimate->max},
                                    {"derived", row.estimate->derived}};
  return task;
}

json::array links_of(const Schedule& schedule) {
  json::array links;
  for (const ScheduleLink& link : schedule.links)
    links.push_back(json::object{{"id", fmt::format("link_{}", links.size() + 1)},
                                 {"source", link.from},
                                 {"target", link.to},
                                 {"type", link_code(link.type)},
                                 {"lag", link.lag_days},
                                 {"why", link.explanation},
                                 {"driving", link.driving}});
  return links;
}

}  // namespace

json::value gantt_data(const Schedule& schedule, const Wbs* wbs, const GanttDataOptions& options) {
  const Nodes nodes = wbs == nullptr ? Nodes() : index_wbs(*wbs);
  const auto meta = predecessors(schedule);
  json::array tasks;
  for (const Activity& row : schedule.activities) {
    json::object task = task_of(row, meta);
    if (const auto node = nodes.find(row.id); node != nodes.end()) add_node(task, *node->second, options);
    tasks.push_back(std::move(task));
  }
  return json::object{{"tasks", std::move(tasks)}, {"links", links_of(schedule)}};
}

std::string tooltip_text(const WbsNode& node) {
  std::string text = node.title;
  if (!node.final_deliverable.empty()) text += "\n\nFinal deliverable:\n" + node.final_deliverable;
  if (!node.details.empty()) text += "\n\nDescription:\n" + node.details;
  if (!node.resources.empty()) {
    text += "\n\nResources needed:";
    for (const std::string& resource : node.resources) text += "\n• " + resource;
  }
  return text;
}

std::string days_text(int days) { return days == 1 ? "1 day" : fmt::format("{} days", days); }

std::string working_days_text(int days) { return days == 1 ? "1 working day" : fmt::format("{} working days", days); }

}  // namespace planexe::plan
