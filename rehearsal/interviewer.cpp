#include "interviewer.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace planexe::rehearsal {
namespace {

constexpr std::string_view kMark = "Rehearsal: ";
constexpr std::size_t kTitleWords = 8;
constexpr std::size_t kTitleChars = 120;
constexpr std::size_t kQuoteChars = 400;

struct Question {
  std::string_view text;
  bool (*answered)(const StatedFacts&);
};

constexpr std::array kQuestions{
    Question{"How much money is there?", [](const StatedFacts& f) { return !f.amount.empty(); }},
    Question{"When should it be finished?", [](const StatedFacts& f) { return !f.deadline.empty(); }},
    Question{"Where does it take place, or is all of it digital?", [](const StatedFacts& f) { return f.digital.has_value(); }},
    Question{"How many people work on it?", [](const StatedFacts& f) { return !f.team.empty(); }},
    Question{"What must not change in any case?", [](const StatedFacts& f) { return !f.limits.empty(); }},
    Question{"How will you see that it has worked?", [](const StatedFacts& f) { return !f.successes.empty(); }},
};
constexpr std::size_t kQuestionsPerMessage = 2;

bool was_asked(const Request& request, const Question& question) {
  return std::ranges::any_of(request.parts, [&](const std::string& part) {
    return part.starts_with(kMark) && part.find(question.text) != std::string::npos;
  });
}

/// The next questions; none when all were asked or answered, or when the person wants to begin.
std::string next_questions(const Request& request, const std::string& words, const StatedFacts& facts) {
  if (RE2::PartialMatch(words, R"((?i)\b(that is all|that's all|start now|begin now|no more questions|das ist alles)\b)")) return "";
  std::string text;
  std::size_t count = 0;
  for (const auto& question : kQuestions) {
    if (count == kQuestionsPerMessage || question.answered(facts) || was_asked(request, question)) continue;
    text += (text.empty() ? "" : " ") + std::string(question.text);
    ++count;
  }
  return text;
}

std::string reply(const Request& request) {
  const auto words = own_words(request.user_text);
  const auto facts = stated_facts(words);
  if (const auto questions = next_questions(request, words, facts); !questions.empty())
    return fmt::format("{}no model has read your message; this is prepared.\n\n{}", kMark, questions);
  return fmt::format("{}no model has read your messages. The form holds what simple rules have found in them, and an assumption where "
                     "they found nothing. Look at it, correct it, and start the plan whenever you like.", kMark);
}

json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

json::array list_of(const std::vector<std::string>& texts) {
  json::array list;
  for (const auto& text : texts) list.emplace_back(text);
  return list;
}

std::string title_of(const std::string& words) {
  std::string title;
  std::size_t count = 0;
  for (std::size_t at = 0; at < words.size() && count < kTitleWords; ++count) {
    const auto begin = words.find_first_not_of(" \t\r\n", at);
    if (begin == std::string::npos) break;
    at = std::min(words.find_first_of(" \t\r\n", begin), words.size());
    if (!title.empty()) title += ' ';
    title += words.substr(begin, at - begin);
    if (std::string_view(".,;:!?").find(title.back()) != std::string_view::npos) break;
  }
  while (!title.empty() && std::string_view(".,;:!?").find(title.back()) != std::string_view::npos) title.pop_back();
  return cut_code_points(title, kTitleChars);
}

json::array open_points(const StatedFacts& facts) {
  json::array open;
  const auto add = [&](bool missing, const char* what) {
    if (missing) open.emplace_back(std::string(kMark) + what);
  };
  add(facts.amount.empty(), "the budget");
  add(facts.deadline.empty(), "the time frame");
  add(!facts.digital, "the places");
  add(facts.team.empty(), "the number of people");
  add(facts.tolerance.empty(), "the readiness for risk");
  return open;
}

/// While the conversation goes on, what nobody has said is null; at its end assumptions stand in, as they would with a model.
std::string form(const Request& request) {
  const auto words = own_words(request.user_text);
  const auto facts = stated_facts(words);
  const bool done = next_questions(request, words, facts).empty();
  const auto or_assumed = [&](const std::string& stated, const char* assumed) {
    return stated.empty() && done ? json::value(assumed) : text_or_null(stated);
  };
  auto open = open_points(facts);
  const auto confidence = std::max<std::int64_t>(2, 8 - static_cast<std::int64_t>(open.size()));
  const json::value digital = facts.digital ? json::value(*facts.digital) : done ? json::value(false) : json::value(nullptr);
  return to_json(json::object{
      {"conversation_summary", fmt::format("{}no model has read the conversation, which begins: {}", kMark, cut_code_points(words, kQuoteChars))},
      {"areas_needing_clarification", std::move(open)},
      {"project_title", text_or_null(title_of(words))},
      {"refined_objective", fmt::format("{}{}", kMark, cut_code_points(words, kQuoteChars))},
      {"scale", or_assumed(facts.scale, "local")},
      {"risk_tolerance", or_assumed(facts.tolerance, "moderate")},
      {"domain", or_assumed("", "Rehearsal: not determined")},
      {"budget", json::object{{"estimated_total", text_or_null(facts.amount)},
                              {"funding_sources", json::array{}},
                              {"currency", text_or_null(facts.currency)}}},
      {"timeline", json::object{{"target_completion", text_or_null(facts.deadline)}, {"key_milestones", json::array{}}, {"urgency", nullptr}}},
      {"team_size", text_or_null(facts.team)},
      {"existing_resources", json::array{}},
      {"geography", json::object{{"is_digital_only", digital}, {"physical_locations", list_of(facts.places)}, {"notes", nullptr}}},
      {"hard_constraints", list_of(facts.limits)},
      {"success_criteria", list_of(facts.successes)},
      {"key_stakeholders", json::array{}},
      {"regulatory_context", nullptr},
      {"confidence_score", confidence},
      {"language", facts.language}});
}

std::string analysis(const Request& request) {
  const auto question = own_words(request.user_text);
  return fmt::format("{}no model has analysed this; the text is prepared.\n\nThe question was: \"{}\"\n\nIt came with {} characters of text in all. "
                     "With a provider configured, an analysis of the given material stands here.",
                     kMark, cut_code_points(question, kQuoteChars), code_points(request.user_text));
}

}  // namespace

std::string own_words(std::string_view user_text) {
  std::string words(user_text);
  for (const char* tag : {"context", "wishes_about_style", "form_request", "earlier_draft"}) {
    const auto open = fmt::format("<{}>", tag), close = fmt::format("</{}>", tag);
    for (auto at = words.find(open); at != std::string::npos; at = words.find(open, at)) {
      const auto end = words.find(close, at);
      if (end == std::string::npos) break;
      words.erase(at, end + close.size() - at);
    }
  }
  return trim(words);
}

std::optional<std::string> interview_answer(const Request& request) {
  if (request.schema_name == "intake__form") return form(request);
  if (request.call.starts_with("intake/reply/")) return reply(request);
  if (request.call.starts_with("analysis/")) return analysis(request);
  return std::nullopt;
}

}  // namespace planexe::rehearsal
