#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>

#include "cli/options.hpp"
#include "cli/progress.hpp"

namespace planexe::cli {

/// Shows a run while it goes on: a live picture on a terminal, plain lines elsewhere, JSON lines with --json, nothing with --quiet.
class Watcher {
 public:
  Watcher(boost::asio::io_context& loop, const CommonOptions& options, Progress progress, const Clock& clock);
  ~Watcher();

  void on_events(const std::vector<engine::Event>& events);
  /// Refreshes figures that events do not carry, before each drawing.
  void set_refresh(std::function<void(Progress&)> refresh) { refresh_ = std::move(refresh); }
  void begin(const store::PlanRow& plan, const std::vector<store::TaskRow>& tasks) { progress_.begin(plan, tasks); }
  void start();
  /// Leaves the last picture on the screen.
  void stop();

 private:
  enum class Mode { live, lines, json, quiet };
  void draw();
  void schedule();

  boost::asio::steady_timer timer_;
  Mode mode_ = Mode::quiet;
  Progress progress_;
  const Clock& clock_;
  std::function<void(Progress&)> refresh_;
  std::size_t drawn_lines_ = 0;
  bool running_ = false;
};

}  // namespace planexe::cli
