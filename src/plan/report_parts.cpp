// The parts of the report that are drawn from data: the work breakdown and the questions.
#include <fmt/format.h>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/gantt_text.hpp"
#include "plan/html.hpp"
#include "plan/report_sections.hpp"

namespace planexe::plan {
namespace {

class WbsView {
 public:
  explicit WbsView(const Schedule* schedule) {
    if (schedule == nullptr) return;
    for (const Activity& row : schedule->activities) rows_.emplace(row.id, &row);
  }

  std::string html(const Wbs& wbs) {
    out_ = fmt::format(
        "<p class=\"lead\"><strong>{}</strong>{}</p>\n", escape_html(wbs.root.title),
        wbs.root.final_deliverable.empty() ? "" : fmt::format(": {}", escape_html(wbs.root.final_deliverable)));
    out_ +=
        "<p class=\"w-tools\" hidden><button type=\"button\" data-wbs=\"open\">Unfold all</button> <button "
        "type=\"button\" data-wbs=\"close\">Fold all</button></p>\n";
    out_ += "<div class=\"wbs\">\n";
    for (const WbsNode& phase : wbs.root.children) node(phase, true);
    return std::move(out_) + "</div>\n";
  }

 private:
  std::string dates(const WbsNode& node) const {
    const auto row = rows_.find(node.id);
    if (row == rows_.end()) return {};
    const Activity& activity = *row->second;
    return fmt::format("<span class=\"w-dates{}\">{} to {}, {}</span>", activity.critical ? " crit" : "",
                       format_date(activity.start_date), format_date(activity.finish_date),
                       days_text(activity.duration_days));
  }

  void label(const WbsNode& node) {
    out_ += fmt::format("<span class=\"w-title\"><span class=\"ref\">{}</span> {}</span>", node.ref,
                        escape_html(node.title));
    if (node.level != kWbsSubtask) out_ += dates(node);
  }

  void node(const WbsNode& node, bool open) {
    if (node.level == kWbsSubtask) return subtask(node);
    if (node.children.empty()) {
      out_ += fmt::format("<div class=\"w-leaf l{}\">", node.level);
      label(node);
      out_ += "</div>\n";
      return;
    }
    out_ += fmt::format("<details class=\"l{}\"{}><summary>", node.level, open ? " open" : "");
    label(node);
    out_ += "</summary>\n";
    for (const WbsNode& child : node.children) this->node(child, false);
    out_ += "</details>\n";
  }

  void subtask(const WbsNode& node) {
    out_ += "<div class=\"w-sub\"><p>";
    label(node);
    out_ += "</p>";
    if (!node.details.empty()) out_ += fmt::format("<p class=\"w-text\">{}</p>", escape_html(node.details));
    if (!node.resources.empty()) {
      out_ += "<p class=\"muted\">Needs: ";
      for (std::size_t i = 0; i < node.resources.size(); ++i)
        out_ += fmt::format("{}{}", i > 0 ? ", " : "", escape_html(node.resources[i]));
      out_ += "</p>";
    }
    out_ += "</div>\n";
  }

  std::map<std::string, const Activity*, std::less<>> rows_;
  std::string out_;
};

}  // namespace

std::string wbs_html(const Wbs& wbs, const Schedule* schedule) { return WbsView(schedule).html(wbs); }

std::string questions_html(const json::value& raw) {
  std::string html;
  int number = 0;
  for (const json::value& pair : list(raw, "question_answer_pairs")) {
    const std::string question = trim(text(pair, "question"));
    const std::string answer = trim(text(pair, "answer"));
    if (question.empty() || answer.empty()) continue;
    ++number;
    MarkdownOptions options;
    options.id_prefix = fmt::format("qa{}", number);
    options.top_heading = 5;
    html += fmt::format("<div class=\"qa\"><h3 id=\"qa-{0}\">{0}. {1}</h3>\n{2}", number, escape_html(question),
                        render_markdown(answer, options).html);
    if (const std::string why = trim(text(pair, "rationale")); !why.empty())
      html += fmt::format("<p class=\"muted why\">{}</p>\n", escape_html(why));
    html += "</div>\n";
  }
  const std::string summary = trim(text(raw, "summary"));
  if (number > 0 && !summary.empty())
    html += fmt::format("<h3 id=\"qa-summary\">Summary</h3>\n{}",
                        render_markdown(summary, {.id_prefix = "qa-s", .top_heading = 4, .drop_title = ""}).html);
  return html;
}

}  // namespace planexe::plan
