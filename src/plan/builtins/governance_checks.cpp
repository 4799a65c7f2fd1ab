#include "plan/builtins/governance_checks.hpp"

#include <fmt/format.h>

#include <set>

#include <re2/re2.h>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan {
namespace {

/// Shorter names would be contained in nearly everything.
constexpr std::size_t kNameCharactersMin = 4;

bool contains_name(std::string_view a, std::string_view b) {
  const std::string first = normalize_name(a);
  const std::string second = normalize_name(b);
  if (first == second) return !first.empty();
  if (code_points(first) < kNameCharactersMin || code_points(second) < kNameCharactersMin) return false;
  return first.find(second) != std::string::npos || second.find(first) != std::string::npos;
}

std::map<std::string, std::size_t> index_of(const json::array& objects, std::string_view field) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < objects.size(); ++i)
    if (const std::string id = text(objects[i], field); !id.empty()) index.emplace(id, i);
  return index;
}

bool any_has(const json::array& objects, std::string_view field) {
  for (const json::value& object : objects)
    if (find(object, field) != nullptr) return true;
  return false;
}

/// Whether going up from `start` ends at a body without a superior.
bool reaches_top(std::size_t start, const json::array& bodies, const std::map<std::string, std::size_t>& index) {
  std::size_t at = start;
  for (std::size_t hops = 0; hops <= bodies.size(); ++hops) {
    const auto next = index.find(text(bodies[at], "escalates_to"));
    if (next == index.end()) return true;
    at = next->second;
  }
  return false;
}

void check_dependencies(const json::array& steps, std::size_t i, const std::map<std::string, std::size_t>& index,
                        std::vector<Finding>& findings) {
  for (const json::value& id : list(steps[i], "depends_on")) {
    if (!id.is_string()) continue;
    const std::string name(std::string_view(id.get_string()));
    const std::string path = fmt::format("governance_implementation_plan[{}].depends_on", i);
    const auto found = index.find(name);
    if (found == index.end()) {
      findings.push_back(
          {"unknown_step", path, fmt::format("Step {} waits for {}, which does not exist.", i + 1, name)});
    } else if (found->second >= i) {
      findings.push_back(
          {"step_order", path, fmt::format("Step {} waits for {}, which does not come before it.", i + 1, name)});
    }
  }
}

/// Body label -> position of the step that creates it.
std::map<std::string, std::size_t> creations(const json::array& steps, std::vector<Finding>& findings) {
  std::map<std::string, std::size_t> created;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string id = text(steps[i], "creates_body_id");
    if (id.empty() || created.emplace(id, i).second) continue;
    findings.push_back({"body_created_twice", fmt::format("governance_implementation_plan[{}].creates_body_id", i),
                        fmt::format("Step {} creates {} once more.", i + 1, id)});
  }
  return created;
}

void check_creations(const json::array& steps, const json::array& bodies, std::vector<Finding>& findings) {
  const auto created = creations(steps, findings);
  for (const json::value& body : bodies) {
    const std::string id = text(body, "body_id");
    if (id.empty() || created.contains(id)) continue;
    findings.push_back({"body_not_created", "governance_implementation_plan",
                        fmt::format("No step brings \"{}\" ({}) into being.", text(body, "name"), id)});
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto birth = created.find(text(steps[i], "responsible_body_id"));
    if (birth == created.end() || birth->second < i) continue;
    findings.push_back({"body_before_creation",
                        fmt::format("governance_implementation_plan[{}].responsible_body_id", i),
                        fmt::format("{} is responsible for step {} but exists only after step {}.", birth->first, i + 1,
                                    birth->second + 1)});
  }
}

}  // namespace

bool role_sits_in(std::string_view role, const json::array& bodies) {
  for (const json::value& body : bodies) {
    if (contains_name(role, text(body, "name"))) return true;
    for (const json::value& member : list(body, "membership"))
      if (member.is_string() && contains_name(role, std::string_view(member.get_string()))) return true;
  }
  return false;
}

void check_governance_bodies(const json::array& bodies, std::vector<Finding>& findings) {
  const auto index = index_of(bodies, "body_id");
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const std::string above = text(bodies[i], "escalates_to");
    const std::string path = fmt::format("internal_governance_bodies[{}].escalates_to", i);
    const std::string name = text(bodies[i], "name");
    if (!above.empty() && !index.contains(above)) {
      findings.push_back(
          {"unknown_body", path, fmt::format("\"{}\" escalates to {}, which does not exist.", name, above)});
    } else if (!above.empty() && above == text(bodies[i], "body_id")) {
      findings.push_back({"self_escalation", path, fmt::format("\"{}\" escalates to itself.", name)});
    } else if (!reaches_top(i, bodies, index)) {
      findings.push_back({"escalation_circle", path, fmt::format("Matters of \"{}\" go round in a circle.", name)});
    }
  }
}

void check_governance_steps(const json::array& steps, const json::array& bodies, std::vector<Finding>& findings) {
  const auto index = index_of(steps, "step_id");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    check_dependencies(steps, i, index, findings);
    if (trim(text(steps[i], "responsible_body_or_role")).empty())
      findings.push_back({"missing_owner",
                          fmt::format("governance_implementation_plan[{}].responsible_body_or_role", i),
                          fmt::format("Step {} has nobody who is responsible.", i + 1)});
  }
  if (any_has(steps, "creates_body_id")) check_creations(steps, bodies, findings);
}

void check_governance_cases(const json::array& cases, const json::array& bodies, std::vector<Finding>& findings) {
  const auto index = index_of(bodies, "body_id");
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string level = text(cases[i], "escalation_level");
    const std::string id = text(cases[i], "escalation_body_id");
    const std::string path = fmt::format("decision_escalation_matrix[{}].escalation_level", i);
    const std::string issue = text(cases[i], "issue_type");
    if (id.empty()) {
      // New answers say null for "outside"; imported ones have no label at all and must name a body.
      if (find(cases[i], "escalation_body_id") == nullptr && !role_sits_in(level, bodies))
        findings.push_back(
            {"unknown_body", path, fmt::format("\"{}\" goes to \"{}\", which is no body.", issue, level)});
      continue;
    }
    const auto body = index.find(id);
    if (body == index.end()) {
      findings.push_back({"unknown_body", path, fmt::format("\"{}\" goes to {}, which does not exist.", issue, id)});
    } else if (!contains_name(level, text(bodies[body->second], "name"))) {
      findings.push_back({"name_mismatch", path,
                          fmt::format("\"{}\" names \"{}\" but points at {}, \"{}\".", issue, level, id,
                                      text(bodies[body->second], "name"))});
    }
  }
}

void check_governance_monitoring(const json::array& points, const json::array& bodies, std::vector<Finding>& findings) {
  static const RE2 digit("\\pN");
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::string approach = text(points[i], "approach");
    const std::string role = text(points[i], "responsible_role");
    if (!role_sits_in(role, bodies))
      findings.push_back({"unknown_role", fmt::format("monitoring_progress[{}].responsible_role", i),
                          fmt::format("\"{}\" is read by \"{}\", who sits in no body.", approach, role)});
    if (text(points[i], "trigger_kind") != "event" && !RE2::PartialMatch(text(points[i], "adaptation_trigger"), digit))
      findings.push_back({"trigger_without_number", fmt::format("monitoring_progress[{}].adaptation_trigger", i),
                          fmt::format("The trigger of \"{}\" has no number.", approach)});
  }
}

}  // namespace planexe::plan
