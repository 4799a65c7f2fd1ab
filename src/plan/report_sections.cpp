#include "plan/report_sections.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/gantt.hpp"
#include "plan/html.hpp"

namespace planexe::plan {
namespace {

using enum SectionKind;

constexpr std::array<SectionSpec, 20> kSections{{
    {"executive-summary", "Executive Summary", markdown, "executive_summary", "reporting", "executive_summary.markdown",
     "025-2-executive_summary.md"},
    {"gantt-overview", "Gantt Overview", gantt_overview, "create_schedule", "scheduling", "create_schedule.schedule",
     "026-4-schedule.json"},
    {"gantt-interactive", "Gantt Interactive", gantt_chart, "create_schedule", "scheduling", "create_schedule.schedule",
     "026-4-schedule.json"},
    {"pitch", "Pitch", markdown, "convert_pitch_to_markdown", "reporting", "convert_pitch_to_markdown.markdown",
     "020-3-pitch.md"},
    {"project-plan", "Project Plan", markdown, "project_plan", "project_planning", "project_plan.markdown",
     "005-2-project_plan.md"},
    {"strategic-decisions", "Strategic Decisions", markdown, "strategic_decisions_markdown", "strategic_planning",
     "strategic_decisions_markdown.markdown", "002-14-strategic_decisions.md"},
    {"scenarios", "Scenarios", markdown, "scenarios_markdown", "scenario_planning", "scenarios_markdown.markdown",
     "002-19-scenarios.md"},
    {"assumptions", "Assumptions", markdown, "consolidate_assumptions_markdown", "assumption_management",
     "consolidate_assumptions_markdown.full", "003-10-consolidate_assumptions_full.md"},
    {"governance", "Governance", markdown, "consolidate_governance", "governance", "consolidate_governance.markdown",
     "006-13-consolidate_governance.md"},
    {"related-resources", "Related Resources", markdown, "related_resources", "resource_planning",
     "related_resources.markdown", "007-8-related_resources.md"},
    {"data-collection", "Data Collection", markdown, "data_collection", "documentation", "data_collection.markdown",
     "017-2-data_collection.md"},
    {"documents", "Documents to Create and Find", markdown, "markdown_with_documents_to_create_and_find",
     "documentation", "markdown_with_documents_to_create_and_find.markdown", "017-15-documents_to_create_and_find.md"},
    {"swot", "SWOT Analysis", markdown, "swot_analysis", "resource_planning", "swot_analysis.markdown",
     "014-2-swot_analysis.md"},
    {"team", "Team", markdown, "team_markdown", "resource_planning", "team_markdown.markdown", "013-team.md"},
    {"expert-criticism", "Expert Criticism", markdown, "expert_review", "resource_planning", "expert_review.markdown",
     "016-2-expert_criticism.md"},
    {"wbs", "Work Breakdown Structure", SectionKind::wbs, "wbs_project_level1_and_level2_and_level3", "work_breakdown",
     "wbs_project_level1_and_level2_and_level3.tree", "023-3-wbs_project_level1_and_level2_and_level3.json"},
    {"review-plan", "Review Plan", markdown, "review_plan", "reporting", "review_plan.markdown",
     "024-2-review_plan.md"},
    {"questions-answers", "Questions & Answers", questions, "questions_and_answers", "reporting",
     "questions_and_answers.raw", "027-1-questions_and_answers_raw.json"},
    {"premortem", "Premortem", markdown, "premortem", "reporting", "premortem.markdown", "028-2-premortem.md"},
    {"initial-prompt", "Initial Prompt Vetted", prompt, "setup", "setup", "plan.prompt", "001-2-plan.txt"},
}};

// What the report reads beside the sources of its sections.
constexpr ReportArtefact kOthers[] = {
    {"redline_gate.markdown", "002-2-redline_gate.md"},
    {"redline_gate.answer", "002-1-redline_gate.json"},
    {"premise_attack.markdown", "002-4-premise_attack.md"},
    {"identify_purpose.raw", "002-5-identify_purpose_raw.json"},
    {"create_wbs_level1.title", "018-3-wbs_level1_project_title.json"},
    {"pre_project_assessment.clean", "004-2-pre_project_assessment.json"},
};

bool is_json_file(std::string_view filename) {
  return filename.ends_with(".json") && filename != "018-3-wbs_level1_project_title.json";
}

std::string quoted_prompt(const ReportSource& source) {
  return fmt::format("<pre class=\"prompt\">{}</pre>\n", escape_html(text(source.plan, "prompt")));
}

// Prompt, gate and premise attack; each of the latter two may be missing by itself.
void render_prompt(const ReportSource& source, RenderedSection& out) {
  const auto part = [&](std::string_view id, std::string_view title, std::string html) {
    out.html += fmt::format("<h3 id=\"{}\">{}</h3>\n{}", id, title, html);
    out.headings.push_back({3, std::string(id), std::string(title)});
  };
  const auto document = [&](std::string_view id, std::string_view title, std::string_view key,
                            std::string_view reference) {
    const std::string body = read_text(source, reference);
    if (trim(body).empty())
      return part(id, title, fmt::format("<p class=\"gap\">{}</p>\n", escape_html(gap_sentence(source, title, key))));
    MarkdownOptions options;
    options.id_prefix = id;
    options.top_heading = 4;
    part(id, title, render_markdown(body, options).html);
  };
  part("initial-prompt-text", "Initial Prompt", quoted_prompt(source));
  document("redline-gate", "Redline Gate", "redline_gate", "redline_gate.markdown");
  document("premise-attack", "Premise Attack", "premise_attack", "premise_attack.markdown");
}

void render_one(const ReportSource& source, const ReportValues& values, RenderedSection& out) {
  const ReportSection& section = out.section;
  const Wbs* wbs = values.wbs ? &*values.wbs : nullptr;
  const Schedule* schedule = values.schedule ? &*values.schedule : nullptr;
  switch (out.kind) {
    case SectionKind::markdown: {
      MarkdownOptions options;
      options.id_prefix = section.id;
      options.drop_title = section.title;
      MarkdownHtml html = render_markdown(section.content, options);
      out.html = std::move(html.html);
      out.headings = std::move(html.headings);
      return;
    }
    case SectionKind::gantt_overview: out.html = gantt_overview_html(*schedule); return;
    case SectionKind::gantt_chart: out.html = gantt_chart_html(*schedule, gantt_data(*schedule, wbs)); return;
    case SectionKind::wbs: out.html = wbs_html(*wbs, schedule); return;
    case SectionKind::questions: out.html = questions_html(read_value(source, "questions_and_answers.raw")); return;
    case SectionKind::prompt: render_prompt(source, out); return;
  }
}

bool is_json_kind(SectionKind kind) {
  return kind == SectionKind::gantt_overview || kind == SectionKind::gantt_chart || kind == SectionKind::wbs ||
         kind == SectionKind::questions;
}

// Whether the value can be shown at all: damaged JSON is a gap, not an error of the whole report.
bool showable(SectionKind kind, const json::value& value, const ReportValues& values) {
  switch (kind) {
    case SectionKind::gantt_overview:
    case SectionKind::gantt_chart: return values.schedule.has_value();
    case SectionKind::wbs: return values.wbs.has_value();
    case SectionKind::questions: return !questions_html(value).empty();
    default: return value.is_string() && !trim(std::string_view(value.get_string())).empty();
  }
}

ReportSection section_of(const ReportSource& source, const ReportValues& values, const SectionSpec& spec) {
  ReportSection section;
  section.id = spec.id;
  section.title = spec.title;
  section.stage = spec.stage;
  section.task_key = spec.task_key;
  section.filename = spec.filename;
  section.content_type = is_json_kind(spec.kind) ? "json" : "markdown";
  if (spec.kind == SectionKind::prompt) {
    section.present = true;
    section.content = text(source.plan, "prompt");
    section.content_type = "txt";
    return section;
  }
  const json::value& value = read_value(source, spec.reference);
  section.present = showable(spec.kind, value, values);
  if (section.present) {
    section.content = value.is_string() ? std::string(std::string_view(value.get_string())) : to_json(value);
  } else {
    section.gap = value.is_null()
                      ? gap_sentence(source, spec.title, spec.task_key)
                      : fmt::format("{} cannot be shown: the stored result is damaged or empty.", spec.title);
  }
  return section;
}

}  // namespace

std::span<const SectionSpec> section_specs() { return kSections; }

std::span<const ReportArtefact> report_artefacts() {
  static const std::vector<ReportArtefact> all = [] {
    std::vector<ReportArtefact> list(std::begin(kOthers), std::end(kOthers));
    for (const SectionSpec& spec : kSections)
      if (spec.kind != SectionKind::prompt && spec.kind != SectionKind::gantt_chart)
        list.push_back({spec.reference, spec.filename});
    return list;
  }();
  return all;
}

bool ReportSource::add_file(std::string_view filename, std::string_view bytes) {
  for (const ReportArtefact& artefact : report_artefacts()) {
    if (artefact.filename != filename) continue;
    if (!is_json_file(filename)) {
      reads[artefact.reference] = to_valid_utf8(bytes);
      return true;
    }
    auto parsed = parse_json(bytes);
    if (!parsed) return false;
    reads[artefact.reference] = *std::move(parsed);
    return true;
  }
  return false;
}

const json::value& read_value(const ReportSource& source, std::string_view reference) {
  static const json::value null;
  const json::value* value = source.reads.if_contains(reference);
  return value == nullptr ? null : *value;
}

std::string read_text(const ReportSource& source, std::string_view reference) {
  const json::value& value = read_value(source, reference);
  return value.is_string() ? std::string(std::string_view(value.get_string())) : std::string();
}

std::string gap_sentence(const ReportSource& source, std::string_view title, std::string_view task_key) {
  static const json::value none = json::object();
  const json::value* found = source.statuses.if_contains(task_key);
  const json::value& status = found == nullptr ? none : *found;
  const std::string state = text(status, "status");
  const std::string reason = trim(strip_control(text(status, "reason")));
  const std::string why = reason.empty() ? "" : fmt::format(" Reason: {}", cut_code_points(reason, 300));
  if (state == "failed") return fmt::format("{} is missing: its task failed.{}", title, why);
  if (state == "blocked") return fmt::format("{} is missing: a task that it needs has failed.{}", title, why);
  if (state == "skipped") return fmt::format("{} is missing: its task was skipped.{}", title, why);
  if (state == "cancelled") return fmt::format("{} is missing: the plan was cancelled before.{}", title, why);
  return fmt::format("{} is missing: its task has not run.{}", title, why);
}

ReportValues report_values(const ReportSource& source) {
  ReportValues values;
  if (auto schedule = schedule_from_json(read_value(source, "create_schedule.schedule")))
    values.schedule = *std::move(schedule);
  if (auto wbs = wbs_from_json(read_value(source, "wbs_project_level1_and_level2_and_level3.tree")))
    values.wbs = *std::move(wbs);
  if (const json::value* limits = find(read_value(source, "identify_purpose.raw"), "stated_limits"))
    values.limits = *limits;
  return values;
}

std::vector<ReportSection> report_sections(const ReportSource& source) {
  const ReportValues values = report_values(source);
  std::vector<ReportSection> sections;
  for (const SectionSpec& spec : kSections) sections.push_back(section_of(source, values, spec));
  return sections;
}

std::vector<RenderedSection> render_sections(const ReportSource& source, const ReportValues& values,
                                             const std::vector<ReportSection>& sections) {
  std::vector<RenderedSection> rendered;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    RenderedSection out;
    out.section = sections[i];
    out.kind = kSections[i].kind;
    if (out.section.present) {
      render_one(source, values, out);
    } else {
      out.html = fmt::format("<p class=\"gap\">{}</p>\n", escape_html(out.section.gap));
    }
    rendered.push_back(std::move(out));
  }
  return rendered;
}

}  // namespace planexe::plan
