#include "server/fallback_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "plan/artefact.hpp"
#include "plan/html.hpp"
#include "plan/markdown.hpp"
#include "server/report_view.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

constexpr std::size_t kReasonCharsMax = 300;
constexpr std::size_t kTitleCharsMax = 120;

const store::TaskRow* row_of(const store::TaskBoard& board, std::string_view key) {
  const auto found =
      std::ranges::find(board.tasks, key, [](const auto& task) { return std::string_view(task.task_key); });
  return found == board.tasks.end() ? nullptr : &*found;
}

bool ended_well(const store::TaskRow* task) {
  return task != nullptr && (task->state == "completed" || task->state == "skipped");
}

/// What the task says about itself, as the end of a sentence.
std::string because(const store::TaskRow& task) {
  const std::string& cause = task.error_message.empty() ? task.state_reason : task.error_message;
  const auto text = trim(replace_all(strip_control(cause), "\n", " "));
  return text.empty() ? "." : ": " + cut_code_points(text, kReasonCharsMax);
}

std::string reason_of(const store::TaskRow* task) {
  if (task == nullptr) return "The plan has no task that writes this file.";
  const auto& state = task->state;
  if (state == "pending") return "The task waits for its inputs.";
  if (state == "ready") return "The task waits for its turn.";
  if (state == "running") {
    if (task->units_total <= 1) return "The task is still running.";
    return fmt::format("The task is still running: {} of {} parts are done.", task->units_done, task->units_total);
  }
  if (state == "failed") return "The task failed" + because(*task);
  if (state == "blocked") return "The task could not start because an input failed.";
  if (state == "cancelled") return "The task was cancelled" + because(*task);
  if (state == "skipped") return "The task was not needed" + because(*task);
  return "The task is complete, but this file is not stored.";
}

json::value phase_or_null(std::string_view phase) {
  return view::is_phase(phase) ? json::value(phase) : json::value(nullptr);
}

std::string body_of(const store::ContentRow& file, const std::string& id) {
  if (file.is_binary) return "<p class=\"gap\">This file is no text. Download it to see it.</p>\n";
  if (file.content_type == "markdown") {
    plan::MarkdownOptions options;
    options.id_prefix = id;
    return plan::render_markdown(file.content, options).html;
  }
  if (plan::is_raw_artefact(file.filename) || file.content_type == "html")
    return fmt::format("<p class=\"muted\">{} bytes. Download this file to see it.</p>\n", file.content.size());
  return fmt::format("<details><summary>{} bytes</summary><pre>{}</pre></details>\n", file.content.size(),
                     plan::escape_html(file.content));
}

std::string page_title(const store::PlanRow& plan) {
  const std::string title = trim(plan.title.empty() ? plan.prompt : plan.title);
  return cut_code_points(replace_all(strip_control(title), "\n", " "), kTitleCharsMax);
}

struct Missing {
  ExpectedFile file;
  std::string reason;
};

std::string page_of(const store::PlanRow& plan, const recipe::Recipe& recipe,
                    const std::vector<store::ContentRow>& found, const std::vector<Missing>& missing) {
  plan::HtmlPage page;
  page.title = page_title(plan);
  page.style = fmt::format("{}\n{}", plan::asset("theme.css"), plan::asset("report.css"));
  page.body = fmt::format(
      "<main>\n<header class=\"cover\">\n<h1>{}</h1>\n<p class=\"muted\">What exists of this plan: {} of {} "
      "files.</p>\n</header>\n",
      plan::escape_html(page.title), found.size(), found.size() + missing.size());
  std::size_t number = 0;
  for (const auto& file : found) {
    const auto id = fmt::format("f{}", ++number);
    page.body += fmt::format(
        "<section class=\"part prose\" id=\"{}\">\n<h2>{} <span class=\"muted\">{}</span></h2>\n<div "
        "class=\"body\">\n{}</div>\n</section>\n",
        id, plan::escape_html(view::task_title(recipe, file.task_key)), plan::escape_html(file.filename),
        body_of(file, id));
  }
  if (!missing.empty()) {
    page.body += "<section class=\"part prose\" id=\"missing\">\n<h2>Missing</h2>\n<ul>\n";
    for (const auto& [file, reason] : missing)
      page.body +=
          fmt::format("<li><code>{}</code>: {}</li>\n", plan::escape_html(file.filename), plan::escape_html(reason));
    page.body += "</ul>\n</section>\n";
  }
  page.body += "</main>\n";
  return plan::render_page(page);
}

double share_of(std::size_t found, std::size_t expected) {
  if (expected == 0) return 0;
  return std::round(10'000.0 * static_cast<double>(found) / static_cast<double>(expected)) / 100.0;
}

json::array sections_of(const std::vector<store::ContentRow>& found) {
  json::array sections;
  for (const auto& file : found)
    sections.push_back(json::object{{"filename", file.filename},
                                    {"stage", phase_or_null(file.stage)},
                                    {"content_type", file.content_type},
                                    {"content", file.is_binary ? to_valid_utf8(file.content) : file.content}});
  return sections;
}

}  // namespace

std::vector<ExpectedFile> expected_files(const store::TaskBoard& board, const recipe::Recipe& recipe) {
  const auto exists = [&](const std::string& name) {
    return std::ranges::any_of(board.contents, [&](const auto& row) { return row.filename == name; });
  };
  std::vector<ExpectedFile> expected;
  for (const auto& task : recipe.tasks) {
    const bool ended = ended_well(row_of(board, task.key));
    for (const auto& output : task.outputs) {
      if (output.numbered || output.filename == view::kReportFile || (ended && !exists(output.filename))) continue;
      expected.push_back({output.filename, task.key, task.phase});
    }
  }
  std::ranges::sort(expected, {}, [](const auto& file) {
    return std::pair(plan::artefact_order(file.filename), std::string_view(file.filename));
  });
  return expected;
}

json::object fallback_report(const store::PlanRow& plan, const store::TaskBoard& board, const recipe::Recipe& recipe,
                             const std::vector<store::ContentRow>& found) {
  std::vector<Missing> missing;
  json::array missing_list;
  const auto expected = expected_files(board, recipe);
  for (const auto& file : expected) {
    if (std::ranges::any_of(found, [&](const auto& row) { return row.filename == file.filename; })) continue;
    missing.push_back({file, reason_of(row_of(board, file.task_key))});
    missing_list.push_back(json::object{
        {"filename", file.filename}, {"stage", phase_or_null(file.stage)}, {"reason", missing.back().reason}});
  }
  return {{"plan_id", plan.plan_id},
          {"generated_at", format_iso(std::max(plan.updated_at, newest(found, plan.created_at)))},
          {"completion_percentage", share_of(found.size(), expected.size())},
          {"sections", sections_of(found)},
          {"missing_sections", std::move(missing_list)},
          {"assembled_html", page_of(plan, recipe, found, missing)}};
}

}  // namespace planexe::server
