#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>
#include <optional>

#include "cli/app.hpp"
#include "cli/exit_code.hpp"
#include "cli/rehearsal_process.hpp"
#include "cli/watcher.hpp"
#include "engine/engine.hpp"
#include "store/lock.hpp"

namespace planexe::cli {

/// Everything that a command which runs plans needs, opened in the order in which it can fail cheaply:
/// recipe, catalogue, database, model (or rehearsal server), engine.
class RunSession {
 public:
  static Result<std::unique_ptr<RunSession>> open(const App& app, const PlanOptions& options);

  [[nodiscard]] engine::Engine& engine() { return *engine_; }
  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] const recipe::Recipe& recipe() const { return *loaded_.recipe; }
  [[nodiscard]] bool rehearsal() const { return rehearsal_.has_value(); }
  /// The catalogue has this model and it can be asked; "" and "auto" are fine when any can.
  Result<void> check_model(const std::string& id) const;

  /// Runs the plan to its end with progress; prints the result. The exit code follows the plan's end.
  Exit run_to_end(const std::string& plan_id, const PlanOptions& options);

 private:
  explicit RunSession(const App& app) : app_(app) {}
  Result<void> open_model(const PlanOptions& options);
  void handle_signals(const std::string& plan_id);
  Exit finish(const std::string& plan_id, const PlanOptions& options);
  Exit print_failure(const store::PlanRow& plan) const;
  Exit print_result(const store::PlanRow& plan, const PlanOptions& options, Exit exit) const;

  const App& app_;
  App::LoadedRecipe loaded_;
  llm::Catalogue catalogue_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::DataDirLock> lock_;
  std::optional<RehearsalProcess> rehearsal_;
  boost::asio::io_context loop_;
  std::unique_ptr<llm::ModelClient> client_;
  std::unique_ptr<engine::Engine> engine_;
  std::optional<boost::asio::signal_set> signals_;
  std::unique_ptr<Watcher> watcher_;
  std::optional<engine::RunEnded> end_;
  bool interrupted_ = false;
};

}  // namespace planexe::cli
