#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "plan/builtin.hpp"
#include "plan/quality.hpp"

namespace planexe::plan {

/// A stored artefact that the report reads, by the reference of the recipe.
struct ReportArtefact {
  std::string_view reference;  ///< "team_markdown.markdown"
  std::string_view filename;   ///< "013-team.md"
};

/// All artefacts that the report reads.
std::span<const ReportArtefact> report_artefacts();

/// What a report is made from. Everything in it is untrusted, and anything may be missing.
struct ReportSource {
  json::object plan;      ///< prompt, start_date, created_at, title, rehearsal, as in BuiltinInput
  json::object reads;     ///< reference -> value (Markdown and plain text as JSON strings); absent or null: missing
  json::object statuses;  ///< task key -> {status, reason}; may also have degraded (bool) and missing (number of items)

  /// Adds a stored file under its reference: JSON is parsed, everything else is text. False for a file that the report
  /// does not read, or JSON that is none (then the section is a gap).
  bool add_file(std::string_view filename, std::string_view bytes);
};

/// One section as data, for the JSON report and the assembled document.
struct ReportSection {
  std::string id;  ///< anchor in the HTML: "executive-summary"
  std::string title;
  std::string stage;  ///< phase key of its task
  std::string task_key;
  std::string filename;      ///< artefact that the content comes from
  std::string content_type;  ///< "markdown" or "json"
  std::string content;       ///< "" when missing
  bool present = false;
  std::string gap;  ///< one sentence when missing
};

struct Report {
  std::string title;
  std::string html;
  bool complete = false;  ///< no section is missing
  std::vector<ReportSection> sections;
  QualityReport quality;
};

/// The sections in report order; a missing one is in the list and says why.
std::vector<ReportSection> report_sections(const ReportSource& source);

/// The whole report as one self-contained HTML file. Never fails: what cannot be shown is a marked gap.
Report make_report(const ReportSource& source);

/// "sha256-..." of the report's one inline script, for the policy of the server that sends it. The same for all
/// reports.
std::string report_script_hash();

/// [{id, title, stage, content, content_type, filename, task_key}] of the sections that exist.
json::array report_sections_json(const std::vector<ReportSection>& sections);

/// The title of the plan: create_wbs_level1.title, else plan.title, else the first words of the prompt.
std::string report_title(const ReportSource& source);

}  // namespace planexe::plan
