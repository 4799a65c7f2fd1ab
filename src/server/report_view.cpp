#include "server/report_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

/// One entry of an Accept header.
struct MediaRange {
  std::string type, subtype;
  double quality = 1;
};

std::string lower_ascii(std::string_view text) {
  std::string out = trim(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(mark);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

/// 0 to 1; a value that is none makes the entry unacceptable, as if it had not been sent.
double quality_of(std::string_view parameters) {
  for (const auto part : split(parameters, ';')) {
    const auto text = lower_ascii(part);
    if (!text.starts_with("q=")) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1 ? value : 0;
  }
  return 1;
}

std::vector<MediaRange> ranges_of(std::string_view accept) {
  std::vector<MediaRange> ranges;
  for (const auto entry : split(accept, ',')) {
    const auto end = entry.find(';');
    const auto name = lower_ascii(entry.substr(0, end));
    const auto slash = name.find('/');
    if (slash == std::string::npos) continue;
    const auto parameters = end == std::string_view::npos ? std::string_view() : entry.substr(end + 1);
    ranges.push_back({name.substr(0, slash), name.substr(slash + 1), quality_of(parameters)});
  }
  return ranges;
}

/// The quality of the most specific entry that takes this type.
double welcome(const std::vector<MediaRange>& ranges, std::string_view type, std::string_view subtype) {
  int best = -1;
  double quality = 0;
  for (const auto& range : ranges) {
    const bool any_type = range.type == "*" && range.subtype == "*";
    const bool any_subtype = range.type == type && range.subtype == "*";
    const bool exact = range.type == type && range.subtype == subtype;
    const int rank = exact ? 2 : any_subtype ? 1 : any_type ? 0 : -1;
    if (rank > best) {
      best = rank;
      quality = range.quality;
    }
  }
  return quality;
}

bool is_script_hash(std::string_view text) {
  constexpr std::size_t kBase64OfSha256 = 44;
  if (!text.starts_with("sha256-") || text.size() != 7 + kBase64OfSha256) return false;
  return std::ranges::all_of(text.substr(7), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  });
}

/// The hash in the policy that our template writes at the beginning of the page; "" in a page of another origin.
std::string_view declared_hash(std::string_view html) {
  constexpr std::string_view kHead =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"";
  constexpr std::string_view kScripts = "script-src '";
  if (!html.starts_with(kHead)) return {};
  html.remove_prefix(kHead.size());
  const auto policy = html.substr(0, html.find('"'));
  const auto at = policy.find(kScripts);
  if (at == std::string_view::npos) return {};
  const auto hash = policy.substr(at + kScripts.size());
  const auto whole = hash.substr(0, hash.find('\''));
  return is_script_hash(whole) ? whole : std::string_view();
}

json::object plan_value(const store::PlanRow& plan) {
  return {{"prompt", plan.prompt},
          {"title", plan.title},
          {"start_date", format_date(date_of(plan.created_at))},
          {"created_at", format_iso(plan.created_at)},
          {"intake", plan.enriched_intake},
          {"speed", plan.speed_vs_detail},
          {"rehearsal", plan.rehearsal}};
}

bool is_missing(const plan::ReportSection& section, const std::set<std::string, std::less<>>& files) {
  return !section.present || !files.contains(section.filename);
}

}  // namespace

std::optional<ReportForm> report_form(std::string_view format, std::string_view accept) {
  if (format == "html") return ReportForm::html;
  if (format == "json") return ReportForm::json;
  if (trim(accept).empty()) return ReportForm::html;
  const auto ranges = ranges_of(accept);
  const double html = welcome(ranges, "text", "html"), json = welcome(ranges, "application", "json");
  if (html <= 0 && json <= 0) return std::nullopt;
  return json > html ? ReportForm::json : ReportForm::html;
}

std::string report_policy(std::string_view html) {
  const auto declared = declared_hash(html);
  const std::string hash = declared.empty() ? plan::report_script_hash() : std::string(declared);
  return fmt::format(
      "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src '{}'; img-src data:", hash);
}

Result<plan::ReportSource> report_source(const store::PlanRow& plan, const store::TaskBoard& board,
                                         const LoadText& load) {
  plan::ReportSource source;
  source.plan = plan_value(plan);
  for (const auto& task : board.tasks)
    source.statuses[task.task_key] = json::object{{"status", task.state},
                                                  {"reason", task.state_reason},
                                                  {"error", task.error_message},
                                                  {"degraded", task.degraded}};
  const auto artefacts = plan::report_artefacts();
  for (const auto& row : board.contents) {
    if (std::ranges::find(artefacts, std::string_view(row.filename), &plan::ReportArtefact::filename) ==
        artefacts.end())
      continue;
    PLANEXE_TRY_ASSIGN(const auto text, load(row.filename));
    if (text) source.add_file(row.filename, *text);
  }
  return source;
}

std::optional<json::object> structured_report(const store::PlanRow& plan, const store::TaskBoard& board,
                                              const plan::ReportSource& source) {
  std::set<std::string, std::less<>> files;
  for (const auto& row : board.contents) files.insert(row.filename);
  auto sections = plan::report_sections(source);
  const auto all = sections.size();
  // The prompt is known from the beginning; it becomes a section when its task has written it.
  std::erase_if(sections, [&](const auto& section) { return is_missing(section, files); });
  if (sections.empty()) return std::nullopt;
  std::vector<store::ContentRow> used;
  for (const auto& row : board.contents)
    if (row.filename == view::kReportFile ||
        std::ranges::find(sections, row.filename, &plan::ReportSection::filename) != sections.end())
      used.push_back(row);
  return json::object{{"plan_id", plan.plan_id},
                      {"title", plan::report_title(source)},
                      {"generated_at", format_iso(newest(used, plan.created_at))},
                      {"source", "database"},
                      {"complete", sections.size() == all},
                      {"stale", std::ranges::any_of(used, &store::ContentRow::stale)},
                      {"sections", plan::report_sections_json(sections)}};
}

TimePoint newest(const std::vector<store::ContentRow>& rows, TimePoint fallback) {
  const auto latest = std::ranges::max_element(rows, {}, &store::ContentRow::created_at);
  return latest == rows.end() ? fallback : latest->created_at;
}

}  // namespace planexe::server
