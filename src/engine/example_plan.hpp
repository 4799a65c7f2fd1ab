#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/plan_run.hpp"

namespace planexe::engine {

/// What the run of a whole recipe in memory gave, without database, model or files.
struct ExampleRun {
  std::string status;                            ///< completed, failed, …
  std::string error;
  std::map<std::string, llm::CallSpec> calls;    ///< by unit name "task/key"
  std::map<std::string, std::string> files;      ///< by file name
  std::map<std::string, store::TaskRow> tasks;
  std::vector<std::string> order;                ///< units in the order in which their calls were started
  std::vector<std::string> problems;             ///< answers that were not accepted, files that vary
  std::chrono::milliseconds elapsed{0};          ///< of the simulated clock: the longest chain of calls by their latencies
  std::size_t most_in_flight = 0;                ///< calls at one time
};

struct ExampleOptions {
  std::string prompt = "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months";
  std::string speed = "all_details_but_slow";
  std::string redline_mode = "block";
  json::value intake;
  std::uint64_t order_seed = 0;                  ///< 0: calls end in the order they were started; else in a random order of this seed
  std::string plan_id = "PlanExe_example";
  TimePoint now = TimePoint(std::chrono::milliseconds(1767258000000));  ///< 2026-01-01T09:00:00Z
  /// Time that a call takes on the simulated clock, on which everything else takes none; calls then end in the order of
  /// their ends. Empty: the clock stands still.
  std::function<std::chrono::milliseconds(const llm::CallSpec& spec)> latency;
  /// Text that answers a call; empty: the example of its step.
  std::function<std::string(const llm::CallSpec& spec, const recipe::Task& task, const recipe::Step& step, int number)> answer;
};

/// Runs the recipe to its end through the same machine as a real plan; the model's part is played by the examples.
ExampleRun run_example(const recipe::Recipe& recipe, const ExampleOptions& options);

/// The example answer of a unit: the step's example, or its `number`-th element (from 1, going round) for maps and rounds.
std::string example_answer(const recipe::Step& step, int number);

}  // namespace planexe::engine
