#include "plan/report_notices.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/gantt_text.hpp"
#include "plan/html.hpp"
#include "plan/sentences.hpp"

namespace planexe::plan {
namespace {

struct Notice {
  std::string label;
  std::string verdict;
  std::string text;       // plain
  std::string more_html;  // safe HTML behind the text
  bool alert = false;
};

// "Proceed with Caution" and "proceed_with_caution" are the same class.
std::string class_of(std::string_view text) {
  std::string folded = normalize_name(text);
  std::ranges::replace(folded, ' ', '_');
  return folded;
}

// Whole sentences, at most so many characters.
std::string first_sentences(std::string_view text, std::size_t max_chars) {
  std::string kept;
  for (const std::string& sentence : sentences_of(text)) {
    if (!kept.empty() && code_points(kept) + code_points(sentence) > max_chars) break;
    kept += (kept.empty() ? "" : " ") + cut_code_points(sentence, max_chars);
  }
  return kept;
}

std::optional<Notice> gate_notice(const ReportSource& source) {
  const json::value& answer = read_value(source, "redline_gate.answer");
  const std::string verdict = class_of(text(answer, "verdict"));
  if (verdict.empty()) {
    if (!answer.is_null()) return std::nullopt;
    return Notice{"Safety gate", "No verdict", gap_sentence(source, "The verdict", "redline_gate"), "", true};
  }
  std::string reason = text(answer, "rationale_short");
  if (reason.empty()) reason = text(answer, "rationale");
  if (verdict == "refuse") return Notice{"Safety gate", "Refused", reason, "", true};
  return Notice{"Safety gate", verdict == "allow" ? "Allowed" : "Allowed, at a high level only", reason, "", false};
}

std::optional<Notice> recommendation_notice(const ReportSource& source) {
  const json::value& assessment = read_value(source, "pre_project_assessment.clean");
  const std::string recommendation = trim(text(assessment, "go_no_go_recommendation"));
  std::string verdict = class_of(text(assessment, "go_no_go"));
  if (verdict.empty()) verdict = class_of(recommendation);
  if (verdict.empty()) return std::nullopt;
  Notice notice{"Recommendation", "See the text", recommendation, "", false};
  if (verdict.starts_with("execute")) notice.verdict = "Go";
  if (verdict.starts_with("proceed_with_caution")) notice.verdict = "Go with caution";
  if (verdict.starts_with("do_not_execute")) notice = {"Recommendation", "Do not start", recommendation, "", true};
  // An old answer is nothing but the class in words.
  if (class_of(recommendation) == verdict) notice.text = first_sentences(text(assessment, "combined_summary"), 300);
  return notice;
}

Notice horizon_notice(const Schedule& schedule) {
  const Horizon& horizon = schedule.horizon;
  const std::string finish = format_date(schedule.lengths.finish_date);
  Notice notice{"Horizon", "", "", " <a href=\"#gantt-overview\">Schedule</a>", false};
  switch (horizon.result) {
    case HorizonResult::not_stated:
      notice.verdict = "Not stated";
      notice.text = fmt::format("The prompt names no end. The computed finish is {}.", finish);
      break;
    case HorizonResult::unclear:
      notice.verdict = "Unclear";
      notice.text =
          fmt::format("“{}” names no date that can be compared. The computed finish is {}.", horizon.quote, finish);
      break;
    case HorizonResult::fits:
      notice.verdict = "Fits";
      notice.text = fmt::format("The computed finish {} is {} before {} (“{}”).", finish,
                                days_text(-horizon.distance_days), format_date(*horizon.target), horizon.quote);
      if (horizon.distance_days == 0)
        notice.text = fmt::format("The computed finish is the stated end, {} (“{}”).", finish, horizon.quote);
      break;
    case HorizonResult::overshoots:
      notice.verdict = fmt::format("{} late", days_text(horizon.distance_days));
      notice.text =
          fmt::format("The computed finish is {}; “{}” is {}.", finish, horizon.quote, format_date(*horizon.target));
      notice.alert = true;
      break;
  }
  if (schedule.coverage.answered * 2 >= schedule.coverage.tasks) return notice;
  if (horizon.result == HorizonResult::fits) notice.verdict = "Fits, with doubt";
  notice.text += fmt::format(" Only {} of {} tasks say what they wait for, so the real end may be much later.",
                             schedule.coverage.answered, schedule.coverage.tasks);
  return notice;
}

std::optional<Notice> limits_notice(const ReportValues& values) {
  if (!values.limits.is_array() || values.limits.get_array().empty()) return std::nullopt;
  std::string quotes;
  for (const json::value& limit : values.limits.get_array()) {
    const std::string quote = trim(text(limit, "quote"));
    if (!quote.empty()) quotes += fmt::format("{}“{}”", quotes.empty() ? "" : ", ", quote);
  }
  return Notice{"Stated limits", std::to_string(values.limits.get_array().size()), quotes,
                " <a href=\"#quality\">Kept?</a>", false};
}

// Parts that exist but lack items, by the states of their tasks.
std::string degraded_parts(const ReportSource& source, const std::vector<ReportSection>& sections) {
  std::string html;
  for (const auto& [key, status] : source.statuses) {
    const std::int64_t missing = get_int(status, "missing").value_or(0);
    if (missing <= 0 && !get_bool(status, "degraded").value_or(false)) continue;
    const auto section = std::ranges::find(sections, std::string_view(key), &ReportSection::task_key);
    std::string name(std::string_view(key.data(), key.size()));
    std::ranges::replace(name, '_', ' ');
    const std::string label = section == sections.end()
                                  ? escape_html(name)
                                  : fmt::format("<a href=\"#{}\">{}</a>", section->id, escape_html(section->title));
    html += fmt::format("{}{}{}", html.empty() ? "" : ", ", label,
                        missing > 0 ? fmt::format(" ({} left out)", missing) : "");
  }
  return html;
}

Notice completeness_notice(const ReportSource& source, const std::vector<ReportSection>& sections) {
  std::string gaps;
  int missing = 0;
  for (const ReportSection& section : sections) {
    if (section.present) continue;
    ++missing;
    gaps += fmt::format("{}<a href=\"#{}\">{}</a>", gaps.empty() ? "" : ", ", section.id, escape_html(section.title));
  }
  const std::string degraded = degraded_parts(source, sections);
  Notice notice{"Completeness",
                missing == 0   ? "Complete"
                : missing == 1 ? "1 section missing"
                               : fmt::format("{} sections missing", missing),
                "", gaps, missing > 0};
  if (missing > 0) notice.more_html += ".";
  if (!degraded.empty()) notice.more_html += fmt::format(" Incomplete: {}.", degraded);
  if (missing == 0 && degraded.empty()) notice.text = fmt::format("All {} sections are there.", sections.size());
  return notice;
}

std::string rehearsal_html(const ReportSource& source) {
  if (!get_bool(source.plan, "rehearsal").value_or(false)) return {};
  return "<p class=\"rehearsal\"><strong>This is a rehearsal.</strong> No language model was asked: the texts come "
         "from a built-in example and say "
         "nothing about this prompt. Configure a model and run the plan again before you use it.</p>\n";
}

}  // namespace

std::string notices_html(const ReportSource& source, const ReportValues& values,
                         const std::vector<ReportSection>& sections) {
  std::vector<Notice> notices;
  if (auto gate = gate_notice(source)) notices.push_back(*std::move(gate));
  if (auto recommendation = recommendation_notice(source)) notices.push_back(*std::move(recommendation));
  if (values.schedule) notices.push_back(horizon_notice(*values.schedule));
  if (auto limits = limits_notice(values)) notices.push_back(*std::move(limits));
  notices.push_back(completeness_notice(source, sections));
  std::string html = rehearsal_html(source) + "<dl class=\"notices\">\n";
  for (const Notice& notice : notices)
    html += fmt::format("<div{}><dt>{}</dt><dd><strong>{}</strong> <span>{}{}</span></dd></div>\n",
                        notice.alert ? " class=\"alert\"" : "", notice.label, escape_html(notice.verdict),
                        escape_html(notice.text), notice.more_html);
  return html + "</dl>\n";
}

}  // namespace planexe::plan
