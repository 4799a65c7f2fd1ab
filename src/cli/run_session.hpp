#pragma once

#include <boost/asio/signal_set.hpp>
#include <memory>
#include <optional>

#include "cli/app.hpp"
#include "cli/exit_code.hpp"
#include "cli/watcher.hpp"
#include "cli/workplace.hpp"

namespace planexe::cli {

/// A command that runs one plan to its end and shows it.
class RunSession {
 public:
  static Result<std::unique_ptr<RunSession>> open(const App& app, const PlanOptions& options);

  [[nodiscard]] engine::Engine& engine() { return place_->engine(); }
  [[nodiscard]] store::Store& store() { return place_->store(); }
  [[nodiscard]] bool rehearsal() const { return place_->rehearsal(); }

  /// Runs the plan to its end with progress; prints the result. The exit code follows the plan's end.
  Exit run_to_end(const std::string& plan_id, const PlanOptions& options);

 private:
  RunSession(const App& app, std::unique_ptr<Workplace> place) : app_(app), place_(std::move(place)) {}
  void handle_signals();
  Exit finish(const std::string& plan_id, const PlanOptions& options);
  static Exit print_failure(const store::PlanRow& plan);
  Exit print_result(const store::PlanRow& plan, const PlanOptions& options, Exit exit);

  const App& app_;
  std::unique_ptr<Workplace> place_;
  std::optional<boost::asio::signal_set> signals_;
  std::unique_ptr<Watcher> watcher_;
  std::optional<engine::RunEnded> end_;
  bool interrupted_ = false;
};

}  // namespace planexe::cli
