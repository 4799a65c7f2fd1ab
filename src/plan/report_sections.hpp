#pragma once

#include <span>
#include <string>
#include <vector>

#include "plan/markdown.hpp"
#include "plan/report.hpp"
#include "plan/schedule.hpp"

namespace planexe::plan {

enum class SectionKind { markdown, gantt_overview, gantt_chart, wbs, questions, prompt };

/// What a section is and where it comes from.
struct SectionSpec {
  std::string_view id;
  std::string_view title;
  SectionKind kind;
  std::string_view task_key;
  std::string_view stage;
  std::string_view reference;
  std::string_view filename;
};

/// The twenty sections in their order.
std::span<const SectionSpec> section_specs();

/// The typed values of a report, parsed once.
struct ReportValues {
  std::optional<Schedule> schedule;
  std::optional<Wbs> wbs;
  json::value limits;  ///< stated_limits of identify_purpose, or null
};
ReportValues report_values(const ReportSource& source);

/// A section with its HTML.
struct RenderedSection {
  ReportSection section;
  SectionKind kind = SectionKind::markdown;
  std::string html;
  std::vector<MarkdownHeading> headings;
};

/// Renders all sections. `sections` is report_sections(source).
std::vector<RenderedSection> render_sections(const ReportSource& source, const ReportValues& values,
                                             const std::vector<ReportSection>& sections);

/// The text of a read, "" when missing.
std::string read_text(const ReportSource& source, std::string_view reference);

/// The value of a read, null when missing.
const json::value& read_value(const ReportSource& source, std::string_view reference);

/// The WBS as folding lists with dates of the schedule, if there is one.
std::string wbs_html(const Wbs& wbs, const Schedule* schedule);

/// Questions and answers of 027-1; "" when there is none.
std::string questions_html(const json::value& raw);

/// Why a task has no result, one sentence.
std::string gap_sentence(const ReportSource& source, std::string_view title, std::string_view task_key);

}  // namespace planexe::plan
