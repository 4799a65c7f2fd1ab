#include "cli/progress.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.hpp"

namespace planexe::cli {
namespace {

bool ended(std::string_view state) {
  return state == "completed" || state == "failed" || state == "skipped" || state == "blocked" || state == "cancelled";
}

// Members of a payload in place: the functions of base/json.hpp take a value and would look into a temporary one.
const json::object* object_member(const json::object& payload, std::string_view key) {
  const auto* member = payload.if_contains(key);
  return member ? member->if_object() : nullptr;
}

std::string text_member(const json::object& payload, std::string_view key) {
  const auto* member = payload.if_contains(key);
  return member && member->is_string() ? std::string(member->get_string()) : std::string();
}

int count_member(const json::object& payload, std::string_view key, int fallback) {
  const auto* member = payload.if_contains(key);
  return member ? static_cast<int>(as_int(*member).value_or(fallback)) : fallback;
}

std::string fit(std::string line, std::size_t width) {
  line = strip_control(line);
  return code_points(line) <= width ? line : cut_code_points(line, width - 1) + "…";
}

std::string bar(int done, int total) {
  constexpr int kWidth = 16;
  const int filled = total > 0 ? done * kWidth / total : 0;
  std::string out;
  for (int i = 0; i < kWidth; ++i) out += i < filled ? "█" : "░";
  return out;
}

}  // namespace

std::string human_duration(std::int64_t ms) {
  if (ms < 1000) return fmt::format("{} ms", ms);
  const auto s = ms / 1000;
  if (s < 60) return fmt::format("{}.{} s", s, ms % 1000 / 100);
  if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
}

std::string human_cost(std::int64_t micros) {
  if (micros == 0) return "$0";
  if (micros < 10000) return "under $0.01";
  return fmt::format("${:.2f}", static_cast<double>(micros) / 1e6);
}

Progress::Progress(const recipe::Recipe& recipe, TimePoint started) : started_(started) {
  for (const auto& task : recipe.tasks) {
    if (std::find(stages_.begin(), stages_.end(), task.stage) == stages_.end()) stages_.push_back(task.stage);
    tasks_[task.key] = {task.title, task.stage, "pending", "", 0, 0};
    order_.push_back(task.key);
  }
}

void Progress::begin(const store::PlanRow& plan, const std::vector<store::TaskRow>& tasks) {
  percent_ = plan.progress_percentage;
  for (const auto& row : tasks)
    if (const auto it = tasks_.find(row.task_key); it != tasks_.end()) it->second.state = row.state;
}

void Progress::apply(const engine::Event& event) {
  if (event.type == "status" || event.type == "task")
    percent_ = count_member(event.payload, "progress_percentage", percent_);
  if (event.type != "task") return;
  const auto it = tasks_.find(text_member(event.payload, "task_key"));
  if (it == tasks_.end()) return;
  it->second.state = text_member(event.payload, "state");
  if (const auto* units = object_member(event.payload, "units")) {
    it->second.units_total = count_member(*units, "total", 0);
    it->second.units_done = count_member(*units, "done", 0);
  }
  if (const auto* error = object_member(event.payload, "error")) it->second.detail = text_member(*error, "message");
}

void Progress::set_totals(std::int64_t tokens, std::int64_t cost_micros, bool cost_known, std::optional<std::int64_t> eta_seconds) {
  tokens_ = tokens;
  cost_micros_ = cost_micros;
  cost_known_ = cost_known;
  eta_seconds_ = eta_seconds;
}

std::string Progress::summary(TimePoint now) const {
  const auto done = std::count_if(tasks_.begin(), tasks_.end(), [](const auto& t) { return ended(t.second.state); });
  auto text = fmt::format("{:3}%  {}/{} tasks  {}  {} tokens  {}", percent_, done, tasks_.size(),
                          human_duration((now - started_).count()), tokens_, cost_known_ ? human_cost(cost_micros_) : "cost unknown");
  if (eta_seconds_ && *eta_seconds_ > 0) text += "  about " + human_duration(*eta_seconds_ * 1000) + " left";
  return text;
}

std::vector<std::string> Progress::picture(TimePoint now, std::size_t width) const {
  std::vector<std::string> lines;
  for (const auto& stage : stages_) {
    int done = 0, total = 0;
    std::string running, failed;
    for (const auto& key : order_) {
      const auto& task = tasks_.at(key);
      if (task.stage != stage) continue;
      ++total;
      done += ended(task.state) ? 1 : 0;
      if (task.state == "running") {
        running += running.empty() ? task.title : ", " + task.title;
        if (task.units_total > 1) running += fmt::format(" {}/{}", task.units_done, task.units_total);
      }
      if (task.state == "failed") failed += failed.empty() ? task.title : ", " + task.title;
    }
    auto line = fmt::format("{:<12} {} {:>2}/{:<2} {}", stage, bar(done, total), done, total, running);
    if (!failed.empty()) line += "  failed: " + failed;
    lines.push_back(fit(std::move(line), width));
  }
  lines.push_back(fit(summary(now), width));
  return lines;
}

std::string Progress::line(const engine::Event& event, TimePoint now) const {
  if (event.type != "task") return {};
  const auto state = text_member(event.payload, "state");
  if (!ended(state)) return {};
  const auto done = std::count_if(tasks_.begin(), tasks_.end(), [](const auto& t) { return ended(t.second.state); });
  auto text = fmt::format("{:>9}  {:>2}/{}  {}: {}", human_duration((now - started_).count()), done, tasks_.size(),
                          text_member(event.payload, "title"), state);
  if (const auto reason = text_member(event.payload, "state_reason"); !reason.empty()) text += fmt::format(" ({})", reason);
  const auto* degraded = event.payload.if_contains("degraded");
  if (degraded && *degraded == true) text += " (with gaps)";
  if (const auto* error = object_member(event.payload, "error")) text += ": " + text_member(*error, "message");
  return strip_control(text);
}

}  // namespace planexe::cli
