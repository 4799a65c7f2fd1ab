#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/event_log.hpp"
#include "recipe/recipe.hpp"
#include "store/rows.hpp"

namespace planexe::cli {

/// What a watcher knows about a run, built from its events alone. Pure.
class Progress {
 public:
  Progress(const recipe::Recipe& recipe, TimePoint started);

  /// Where the plan stands when watching begins.
  void begin(const store::PlanRow& plan, const std::vector<store::TaskRow>& tasks);
  void apply(const engine::Event& event);
  /// Figures that are not in events.
  void set_totals(std::int64_t tokens, std::int64_t cost_micros, bool cost_known, std::optional<std::int64_t> eta_seconds);

  /// Live picture, one line per stage and the running tasks; every line at most `width` columns.
  [[nodiscard]] std::vector<std::string> picture(TimePoint now, std::size_t width) const;
  /// The line to print for an event where no terminal is attached; empty for most.
  [[nodiscard]] std::string line(const engine::Event& event, TimePoint now) const;
  [[nodiscard]] int percent() const { return percent_; }

 private:
  struct TaskLine {
    std::string title, stage, state, detail;
    int units_done = 0, units_total = 0;
  };
  [[nodiscard]] std::string summary(TimePoint now) const;

  TimePoint started_;
  std::vector<std::string> stages_;
  std::map<std::string, TaskLine> tasks_;
  std::vector<std::string> order_;
  int percent_ = 0;
  std::int64_t tokens_ = 0, cost_micros_ = 0;
  bool cost_known_ = false;
  std::optional<std::int64_t> eta_seconds_;
};

/// "1 h 05 min", "4 min 10 s", "850 ms".
std::string human_duration(std::int64_t ms);
/// "$0.31", "under $0.01".
std::string human_cost(std::int64_t micros);

}  // namespace planexe::cli
