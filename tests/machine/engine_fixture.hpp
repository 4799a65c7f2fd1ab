#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/names.hpp"
#include "engine/plan_run.hpp"
#include "engine/requests.hpp"
#include "plan/builtin.hpp"
#include "recipe/recipe.hpp"
#include "support/memory_plan.hpp"

namespace planexe::test {

/// A small recipe with every kind of task: a gate, a single question, a map, rounds, a view, an optional task, a report.
std::vector<recipe::RecipeFile> small_recipe_files();
recipe::Recipe small_recipe();
const std::map<std::string, plan::Builtin, std::less<>>& small_builtins();

/// Plays database and model for a PlanRun. Calls are answered by `answer` (text, or an error); the order is the caller's.
class RunDriver {
 public:
  struct Reply {
    std::string text;
    std::optional<ErrorCode> error;
  };
  using Answer = std::function<Reply(const std::string& unit, const llm::CallSpec& spec)>;

  explicit RunDriver(const recipe::Recipe& recipe, Answer answer = {}, std::string redline = "block", std::string speed = "all");

  void start();                    ///< a new process: the machine is built from the stored rows
  bool step();                     ///< performs one action or answers one call; false: nothing left
  void run();                      ///< until nothing is left
  void crash();                    ///< the machine is gone; rows and the model's stored answers stay
  void cancel();
  void resume();
  void retry(const std::string& task, engine::RetryItems items = engine::RetryItems::automatic);
  /// Of a running machine; gives the tasks that are pending now.
  Result<std::vector<std::string>> retry_now(const std::string& task, engine::RetryItems items = engine::RetryItems::automatic);
  void answer(std::size_t index);

  MemoryPlan database;
  std::unique_ptr<engine::PlanRun> machine;
  std::deque<engine::Action> queue;
  std::vector<engine::StartCall> waiting;
  std::vector<std::string> asked;          ///< units in the order in which calls were let go
  std::vector<engine::Event> published;
  std::optional<engine::RunEnded> ended;
  std::function<store::CommitStatus(int number)> commit_fate;   ///< of the n-th commit; committed when empty
  int commits = 0;
  std::vector<std::uint64_t> acknowledged;
  std::mt19937_64 order{0};
  bool shuffle = false;

 private:
  void take(engine::Actions actions);
  void perform(engine::Commit& action);
  void perform(engine::StartCall& action) { waiting.push_back(std::move(action)); }
  void perform(engine::LetGo& action);
  void perform(engine::CancelCall& action);
  void perform(engine::Compute& action);
  void perform(engine::WriteFiles&) {}
  void perform(engine::Acknowledge& action) { acknowledged.push_back(action.ticket); }
  void perform(engine::Publish& action);
  void perform(engine::Wake&);
  void perform(engine::RunEnded& action) { ended = action; }

  const recipe::Recipe& recipe_;
  Answer answer_;
  std::int64_t last_id_ = 0;
  std::set<std::string> let_go_;
  std::map<std::string, std::string> provider_;  ///< finished responses by id
};

}  // namespace planexe::test
