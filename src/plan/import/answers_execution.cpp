// Recovered answers of planning, governance, team, experts, documents and the late readers.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <re2/re2.h>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/import/names.hpp"
#include "plan/import/stages.hpp"

namespace planexe::plan {
namespace {

constexpr std::array<std::string_view, 3> kArchetypes{"Process/Financial", "Technical/Logistical", "Market/Human"};
constexpr std::size_t kPairsPerRequest = 5;
constexpr std::array<std::string_view, 2> kSubjects{"concepts", "disputes"};

ImportedStep& step_of(ImportedRun& run, std::string_view task, std::string_view step) {
  return run.tasks[std::string(task)].steps[std::string(step)];
}

json::object copy_of(const json::value& value) { return value.is_object() ? value.get_object() : json::object(); }

// Bodies got short ids later; steps, cases and monitoring name them by title.
void governance(ImportedRun& run) {
  const json::value& bodies_answer = raw_answer_of(run, "governance_phase2_bodies");
  const json::array& bodies = list(bodies_answer, "internal_governance_bodies");
  const RefTable refs(bodies, "B", "body_id", "name");
  const auto body_or_null = [&](const std::string& name) {
    const std::string ref = refs.of(name);
    return ref.empty() ? json::value(nullptr) : json::value(ref);
  };
  const auto convert = [&](std::string_view task, std::string_view field, auto change) {
    const json::value& raw = raw_answer_of(run, task);
    if (!raw.is_object()) return;
    json::array entries;
    for (const json::value& entry : list(raw, field)) {
      json::object object = copy_of(entry);
      change(object, entries.size() + 1);
      entries.push_back(std::move(object));
    }
    step_of(run, task, "main").answer = json::object{{field, std::move(entries)}};
  };
  convert("governance_phase2_bodies", "internal_governance_bodies", [&](json::object& body, std::size_t number) {
    body.emplace("body_id", fmt::format("B{}", number));
    body.emplace("escalates_to", body_or_null(text(body, "escalation_path")));
  });
  convert("governance_phase3_impl_plan", "governance_implementation_plan", [&](json::object& step, std::size_t number) {
    step.emplace("step_id", fmt::format("S{}", number));
    step.emplace("responsible_body_id", body_or_null(text(step, "responsible_body_or_role")));
    step.emplace("depends_on", json::array());
    step.emplace("creates_body_id", nullptr);
  });
  convert("governance_phase4_decision_escalation_matrix", "decision_escalation_matrix",
          [&](json::object& entry, std::size_t) {
            entry.emplace("escalation_body_id", body_or_null(text(entry, "escalation_level")));
          });
  convert("governance_phase5_monitoring_progress", "monitoring_progress", [&](json::object& entry, std::size_t) {
    entry.emplace("responsible_body_id", body_or_null(text(entry, "responsible_role")));
    const bool number = text(entry, "adaptation_trigger").find_first_of("0123456789") != std::string::npos;
    entry.emplace("trigger_kind", number ? "number" : "event");
  });
}

// "min 1, max 2, depending on ..." became two numbers.
void team(ImportedRun& run) {
  static const RE2 range(R"((\d{1,3})\D+?(\d{1,3}))");
  static const RE2 single(R"((\d{1,3}))");
  const json::value& raw = raw_answer_of(run, "find_team_members");
  if (!raw.is_object()) return;
  json::array roles;
  for (const json::value& entry : list(raw, "brainstorm_of_needed_team_members")) {
    json::object role = copy_of(entry);
    const std::string needed = text(entry, "people_needed");
    int least = 1;
    int most = 1;
    if (!RE2::PartialMatch(needed, range, &least, &most) && RE2::PartialMatch(needed, single, &least)) most = least;
    role.emplace("people_min", std::min(least, most));
    role.emplace("people_max", std::max(least, most));
    roles.push_back(std::move(role));
  }
  step_of(run, "find_team_members", "main").answer =
      json::object{{"brainstorm_of_needed_team_members", std::move(roles)}};
}

void swot(ImportedRun& run) {
  const json::value& raw = output_of(run, "swot_analysis", "raw");
  if (const json::value* conduct = find(raw, "response_conduct"))
    step_of(run, "swot_analysis", "main").answer = *conduct;
}

void resources(ImportedRun& run) {
  const json::value& raw = raw_answer_of(run, "related_resources");
  if (!raw.is_object()) return;
  json::object answer = raw.get_object();
  json::array suggestions;
  for (const json::value& entry : list(raw, "suggestion_list")) {
    json::object suggestion = copy_of(entry);
    const bool secondary = normalize_name(text(entry, "project_name")).find("secondary") != std::string::npos;
    suggestion.emplace("tier", secondary ? "secondary" : "primary");
    suggestions.push_back(std::move(suggestion));
  }
  answer["suggestion_list"] = std::move(suggestions);
  step_of(run, "related_resources", "main").answer = std::move(answer);
}

void experts(ImportedRun& run) {
  ImportedTask& task = run.tasks["expert_review"];
  if (const json::value& found = output_of(run, "expert_review", "experts_raw"); found.is_object())
    task.steps["find"].answer = found;
  ImportedStep& review = task.steps["review"];
  int number = 0;
  for (ImportedItem& item : review.items) item.key = fmt::format("E{}", ++number);
}

// Older plans asked twice and kept the second lists beside the first.
void documents(ImportedRun& run) {
  const json::value& raw = raw_answer_of(run, "identify_documents");
  if (!raw.is_object()) return;
  json::object answer;
  for (const std::string& field : {std::string("documents_to_create"), std::string("documents_to_find")}) {
    json::array all;
    for (const std::string& part : {field, field + "_part2"})
      for (const json::value& entry : list(raw, part)) {
        json::object document = copy_of(entry);
        const std::string difficulty = text(entry, "access_difficulty");
        for (const char* level : {"Easy", "Medium", "Hard"})
          if (difficulty.starts_with(level)) document.emplace("access_level", level);
        if (field == "documents_to_find") document.emplace("access_level", "Medium");
        all.push_back(std::move(document));
      }
    answer[field] = std::move(all);
  }
  step_of(run, "identify_documents", "main").answer = std::move(answer);
}

// Ratings named documents by their place, from 0; drafts were made of the selected ones in their order.
void document_choice(ImportedRun& run, std::string_view kind, std::string_view prefix) {
  const std::string filter = fmt::format("filter_documents_to_{}", kind);
  const json::value& raw = raw_answer_of(run, filter);
  if (raw.is_object()) {
    json::object answer = raw.get_object();
    json::array ratings;
    for (const json::value& entry : list(raw, "document_list")) {
      json::object rating = copy_of(entry);
      if (const auto place = get_int(entry, "id")) rating["id"] = fmt::format("{}{}", prefix, *place + 1);
      ratings.push_back(std::move(rating));
    }
    answer["document_list"] = std::move(ratings);
    step_of(run, filter, "main").answer = std::move(answer);
  }
  const json::value& selected = output_of(run, filter, "clean");
  ImportedStep& drafts = step_of(run, fmt::format("draft_documents_to_{}", kind), "main");
  for (std::size_t i = 0; i < drafts.items.size() && selected.is_array() && i < selected.get_array().size(); ++i)
    if (const std::string ref = text(selected.get_array()[i], "ref"); !ref.empty()) drafts.items[i].key = ref;
}

void review(ImportedRun& run) {
  ImportedStep& step = step_of(run, "review_plan", "ask");
  step = {};
  for (const json::value& entry : list(output_of(run, "review_plan", "raw"), "question_answers_list")) {
    const json::array& answers = list(entry, "answers");
    const json::array& points = answers.empty() ? list(entry, "bullet_points") : answers;
    step.items.push_back({std::to_string(step.items.size() + 1), json::object{{"bullet_points", points}}});
  }
}

void questions(ImportedRun& run) {
  const json::value& raw = raw_answer_of(run, "questions_and_answers");
  ImportedStep& step = step_of(run, "questions_and_answers", "main");
  step = {};
  const json::array& pairs = list(raw, "question_answer_pairs");
  const std::string summary = text(raw, "summary");
  const std::size_t gap = summary.find("\n\n");
  for (std::size_t part = 0; part < kSubjects.size() && part * kPairsPerRequest < pairs.size(); ++part) {
    json::array some;
    for (std::size_t i = part * kPairsPerRequest; i < std::min(pairs.size(), (part + 1) * kPairsPerRequest); ++i)
      some.push_back(pairs[i]);
    const std::string said = gap == std::string::npos ? summary
                             : part == 0              ? summary.substr(0, gap)
                                                      : summary.substr(gap + 2);
    step.items.push_back(
        {std::string(kSubjects[part]), json::object{{"question_answer_pairs", std::move(some)}, {"summary", said}}});
  }
}

// Three rounds of one failure per archetype became one request per archetype.
void premortem(ImportedRun& run) {
  const json::value& raw = raw_answer_of(run, "premortem");
  ImportedStep& step = step_of(run, "premortem", "main");
  step = {};
  if (!raw.is_object()) return;
  for (const std::string_view archetype : kArchetypes) {
    json::array failures;
    json::array assumptions;
    for (const json::value& failure : list(raw, "failure_modes")) {
      if (text(failure, "failure_mode_archetype") != archetype) continue;
      // Ids ran through all rounds of the old run; here each archetype counts its own.
      const std::string id = fmt::format("A{}", failures.size() + 1);
      for (const json::value& assumption : list(raw, "assumptions_to_kill"))
        if (text(assumption, "assumption_id") == text(failure, "root_cause_assumption_id")) {
          json::object renamed = copy_of(assumption);
          renamed["assumption_id"] = id;
          assumptions.push_back(std::move(renamed));
        }
      json::object renamed = copy_of(failure);
      renamed["root_cause_assumption_id"] = id;
      failures.push_back(std::move(renamed));
    }
    if (!failures.empty())
      step.items.push_back({std::string(archetype), json::object{{"assumptions_to_kill", std::move(assumptions)},
                                                                 {"failure_modes", std::move(failures)}}});
  }
}

}  // namespace

void recover_execution_answers(ImportedRun& run) {
  governance(run);
  team(run);
  swot(run);
  resources(run);
  experts(run);
  documents(run);
  document_choice(run, "find", "F");
  document_choice(run, "create", "C");
  review(run);
  questions(run);
  premortem(run);
}

}  // namespace planexe::plan
