#include "server/conversation/intake_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "engine/intake_form.hpp"
#include "recipe/answer.hpp"

namespace planexe::server {
namespace {

constexpr std::size_t kProblemsShown = 20;
constexpr std::size_t kLanguageBytesMax = 16;

std::string asset(std::string_view path) {
  const auto* file = embedded::find("server_intake", path);
  PLANEXE_ASSERT(file != nullptr);
  return std::string(file->bytes);
}

void tidy_value(json::value& value) {
  if (value.is_string()) {
    auto text = trim(std::string_view(value.get_string()));
    if (text.empty()) value = nullptr;
    else value = json::string(text);
  } else if (value.is_array()) {
    json::array kept;
    for (auto& element : value.get_array()) {
      tidy_value(element);
      if (!element.is_null() && std::ranges::find(kept, element) == kept.end()) kept.push_back(std::move(element));
    }
    value = std::move(kept);
  } else if (value.is_object()) {
    for (auto& [key, member] : value.get_object()) tidy_value(member);
  }
}

std::string pointer_of(const json::array& loc) {
  std::string pointer;
  for (const auto& part : loc) pointer += '/' + (part.is_string() ? std::string(part.get_string()) : to_json(part));
  return pointer;
}

std::vector<std::string> problems_of(const json::value& answer, const json::value& form) {
  std::vector<std::string> problems;
  for (const auto& problem : recipe::validate_schema(form_schema(), answer, kProblemsShown))
    problems.push_back(fmt::format("{}: {}", problem.pointer.empty() ? "(whole answer)" : problem.pointer, problem.message));
  if (!problems.empty()) return problems;
  for (const auto& problem : engine::intake_problems(form, engine::IntakeDemand::draft))
    problems.push_back(fmt::format("{}: {}", pointer_of(problem.loc), problem.msg));
  return problems;
}

llm::Judgement rejected(const std::vector<std::string>& problems) {
  llm::Judgement judgement;
  judgement.error = problems.front();
  judgement.feedback = "Your answer cannot be used as it is. Send the whole form again, corrected, and nothing else.\nWhat was wrong:\n";
  for (std::size_t i = 0; i < std::min(problems.size(), kProblemsShown); ++i) judgement.feedback += "- " + problems[i] + "\n";
  return judgement;
}

}  // namespace

const std::string& interviewer_instructions() {
  static const std::string text = trim(asset("interviewer.md"));
  return text;
}

const std::string& form_instructions() {
  static const std::string text = trim(asset("form.md"));
  return text;
}

const std::string& analysis_instructions() {
  static const std::string text = trim(asset("analysis.md"));
  return text;
}

const json::value& form_schema() {
  static const json::value schema = [] {
    auto parsed = parse_json(asset("form.schema.json"));
    PLANEXE_ASSERT(parsed.has_value());
    return *std::move(parsed);
  }();
  return schema;
}

bool known_schema(std::string_view name) {
  return name.empty() || name == "EnrichedPlanIntake" || name == "planexe.intake.enriched_plan_intake.EnrichedPlanIntake";
}

json::object tidy_draft(json::object draft) {
  json::value value(std::move(draft));
  tidy_value(value);
  return std::move(value.get_object());
}

llm::Judge form_judge() {
  return [](std::string_view text, const json::array&, bool) {
    auto answer = recipe::read_json_answer(text);
    if (!answer) return rejected({answer.error().message});
    if (!answer->is_object()) return rejected({"(whole answer): must be one JSON object"});
    const std::string language = std::string(get_string(*answer, "language").value_or("")).substr(0, kLanguageBytesMax);
    json::value form(tidy_draft(answer->get_object()));
    form.get_object().erase("language");
    if (const auto problems = problems_of(*answer, form); !problems.empty()) return rejected(problems);
    llm::Judgement judgement;
    judgement.accepted = true;
    judgement.value = json::object{{"language", to_valid_utf8(language)}, {"form", std::move(form)}};
    return judgement;
  };
}

}  // namespace planexe::server
