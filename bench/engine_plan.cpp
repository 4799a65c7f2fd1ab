// Prints what the engine and the database cost, with a model that answers at once or after a fixed time, in the same process.

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/embedded.hpp"
#include "engine/engine.hpp"
#include "engine/example_plan.hpp"
#include "llm/prefix_share.hpp"

namespace {

using namespace planexe;
using Millis = std::chrono::duration<double, std::milli>;

using Latency = std::function<std::chrono::milliseconds(const llm::CallSpec&)>;

/// Answers every call with the example of its step after its latency.
class ExampleClient final : public llm::ModelClient {
 public:
  ExampleClient(boost::asio::io_context& loop, const recipe::Recipe& recipe, Latency latency)
      : loop_(loop), recipe_(recipe), latency_(std::move(latency)) {}

  llm::CallId start(llm::CallSpec spec, llm::Judge judge, std::shared_ptr<llm::CallHost> host) override {
    ++calls_;
    llm::AttemptStart begin;
    begin.attempt = spec.first_attempt;
    begin.model = begin.provider = "example";
    auto timer = std::make_shared<boost::asio::steady_timer>(loop_, latency_(spec));
    host->attempt_ready(begin, [this, timer, spec = std::move(spec), judge = std::move(judge), host](bool go, ErrorCode) {
      if (!go) return;
      timer->async_wait([this, timer, spec, judge, host](const boost::system::error_code&) { answer(spec, judge, *host); });
    });
    return ++last_id_;
  }
  void cancel(llm::CallId) override {}
  [[nodiscard]] std::size_t active() const override { return 0; }
  void shut_down() override {}
  [[nodiscard]] int calls() const { return calls_; }

 private:
  void answer(const llm::CallSpec& spec, const llm::Judge& judge, llm::CallHost& host) {
    const auto& task = *recipe_.task(spec.task_key);
    const auto rest = spec.call_key.substr(spec.task_key.size() + 1);
    const auto* step = task.step(rest.substr(0, rest.find('/')));
    llm::AttemptRecord record;
    record.attempt = spec.first_attempt;
    record.status = "completed";
    record.model = record.provider = "example";
    record.text = engine::example_answer(*step, spec.item_number);
    auto judged = judge(record.text, {}, true);
    llm::CallOutcome outcome;
    outcome.ok = judged.accepted;
    outcome.value = std::move(judged.value);
    outcome.model = outcome.provider = "example";
    if (!outcome.ok) outcome.error = Error(ErrorCode::SchemaRepairExhausted, judged.error);
    host.attempt_ended(record);
    host.finished(std::move(outcome));
  }

  boost::asio::io_context& loop_;
  const recipe::Recipe& recipe_;
  Latency latency_;
  llm::CallId last_id_ = 0;
  int calls_ = 0;
};

/// 61 tasks that ask for one word: 36 in a chain, the rest beside it, as deep and wide as a real plan.
std::vector<recipe::RecipeFile> noop_recipe() {
  std::string order;
  std::vector<recipe::RecipeFile> files{{"fragments/system.md", "Answer.\n"}};
  const std::string schema = R"({"type":"object","additionalProperties":false,"properties":{"word":{"type":"string","description":"A word."}},"required":["word"]})";
  for (int i = 0; i < 61; ++i) {
    const auto key = fmt::format("t{:02}", i);
    order += fmt::format("\"{}\", ", key);
    const auto before = i == 0 ? "" : fmt::format("- t{:02}.raw\n", i < 36 ? i - 1 : i - 36);
    files.push_back({"tasks/" + key + "/task.toml", fmt::format("title = \"{}\"\nphase = \"reporting\"\n[outputs]\nraw = \"{:03}-{}.json\"\n", key, i + 1, key)});
    files.push_back({"tasks/" + key + "/prompt.md", "# context\n" + before + "\n# task\nSay a word.\n"});
    files.push_back({"tasks/" + key + "/answer.schema.json", schema});
    files.push_back({"tasks/" + key + "/example.json", R"({"word":"done"})"});
  }
  files.push_back({"recipe.toml", "name = \"No-op\"\nversion = \"1\"\nformat = 1\ntasks = [" + order + "]\n[defaults]\neffort = \"low\"\n"});
  return files;
}

struct Outcome {
  double wall_ms = 0;
  int tasks = 0, calls = 0, completed = 0;
  std::vector<double> task_ms;  ///< between the commits that ended two tasks of a plan
};

std::filesystem::path bench_folder() {
  return std::filesystem::temp_directory_path() / fmt::format("planexe-bench-{}", getpid());
}

/// The copies of a run's files go to memory where there is such a folder: what a file system takes to create thousands of
/// them differs widely and is not the engine's, which never waits for them.
std::filesystem::path run_folder() {
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory) ? memory / fmt::format("planexe-bench-{}", getpid()) : bench_folder() / "files";
}

Outcome run(const std::vector<recipe::RecipeFile>& files, int plans, const Latency& latency) {
  static int runs = 0;
  // Removed at the end of all: some file systems are slow to give new files the place of just deleted ones.
  const auto folder = bench_folder() / std::to_string(++runs);
  std::filesystem::create_directories(folder);
  Outcome out;
  {
    auto loaded = recipe::load_recipe(files);
    if (!loaded) throw std::runtime_error(loaded.error().message);
    auto recipe = std::make_shared<const recipe::Recipe>(std::move(*loaded));
    auto store = store::open_store({"sqlite:///bench.db", folder.string()});
    if (!store) throw std::runtime_error(store.error().message);
    boost::asio::io_context loop;
    SystemClock clock;
    SystemRandom random;
    ExampleClient client(loop, *recipe, latency);
    engine::EngineOptions options;
    options.owner = "bench";
    options.run_dir = run_folder() / std::to_string(runs);
    options.exclusive = true;
    engine::Engine engine(loop, **store, client, clock, random, files, recipe, options);
    std::vector<std::string> ids;
    for (int i = 0; i < plans; ++i) {
      engine::CreateRequest request;
      request.prompt = "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months";
      request.redline_mode = "warn";
      ids.push_back(engine.create(request)->plan_id);
    }
    std::map<std::string, std::chrono::steady_clock::time_point> last;
    engine.on_events([&](const std::string& id, const std::vector<engine::Event>& events) {
      for (const auto& event : events) {
        if (event.type != "task" || event.payload.at("state") != "completed") continue;
        ++out.tasks;
        const auto now = std::chrono::steady_clock::now();
        if (const auto it = last.find(id); it != last.end()) out.task_ms.push_back(Millis(now - it->second).count());
        last[id] = now;
      }
    });
    int left = plans;
    engine.on_end([&](const std::string&, const engine::RunEnded& end) {
      out.completed += end.status == "completed" ? 1 : 0;
      if (--left == 0) loop.stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& id : ids)
      if (auto started = engine.run(id); !started) throw std::runtime_error(started.error().message);
    loop.run();
    out.wall_ms = Millis(std::chrono::steady_clock::now() - begin).count();
    out.calls = client.calls();
    engine.files().flush();
  }
  return out;
}

void remove_folders() {
  std::filesystem::remove_all(bench_folder());
  std::filesystem::remove_all(run_folder());
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

void print(const char* what, const Outcome& out, int plans) {
  fmt::print("{:<44} {:>9.1f} ms  {}/{} plans complete  {:>7.0f} tasks/s  {:>6} calls\n", what, out.wall_ms, out.completed, plans,
             out.tasks * 1000.0 / out.wall_ms, out.calls);
}

Latency fixed(int ms) {
  return [ms](const llm::CallSpec&) { return std::chrono::milliseconds(ms); };
}

/// Like answers of real models, at a twentieth of their time: by the call's name between 150 ms and 1.5 s (3 to 30 s).
std::chrono::milliseconds realistic(const llm::CallSpec& call) {
  constexpr double kShortestMs = 150;
  constexpr double kSpread = 10;
  const auto hash = std::hash<std::string>{}(call.call_key);
  const double share = static_cast<double>(hash % 1000) / 1000.0;
  return std::chrono::milliseconds(static_cast<int>(kShortestMs * std::pow(kSpread, share)));
}

/// Beside the wall time the time that the calls alone need, from the same plan on a simulated clock.
void print_ratio(const char* what, const std::vector<recipe::RecipeFile>& files, const recipe::Recipe& recipe, const Latency& latency) {
  const auto measured = run(files, 1, latency);
  engine::ExampleOptions options;
  options.redline_mode = "warn";
  options.latency = latency;
  const auto chain = engine::run_example(recipe, options);
  print(what, measured, 1);
  fmt::print("{:<44} {:>9.3f} ({} ms of calls in a row, at most {} calls at once; target <= 1.05)\n", "  wall time over longest chain",
             measured.wall_ms / static_cast<double>(chain.elapsed.count()), chain.elapsed.count(), chain.most_in_flight);
}

void print_input(const recipe::Recipe& recipe) {
  const auto example = engine::run_example(recipe, {});
  std::vector<const llm::CallSpec*> calls;
  for (const auto& unit : example.order) calls.push_back(&example.calls.at(unit));
  std::int64_t input = 0;
  std::int64_t cached = 0;
  for (const auto& [group, share] : llm::prefix_shares(calls)) {
    input += share.input_tokens;
    cached += share.cached_tokens;
  }
  fmt::print("{:<44} {:>9} tokens in {} calls, {:.0f} % of them from a prefix cache\n", "input of one plan", input, calls.size(),
             100.0 * static_cast<double>(cached) / static_cast<double>(input));
}

}  // namespace

/// Without arguments every figure; "real 20" or "noop 20" only that many plans at once, for a profiler.
int main(int argc, char** argv) {
  std::vector<recipe::RecipeFile> real;
  for (const auto& file : embedded::files("recipe")) real.push_back({std::string(file.path), std::string(file.bytes)});
  const auto noop = noop_recipe();
  const auto recipe = recipe::load_recipe(real);
  if (!recipe) throw std::runtime_error(recipe.error().message);

  if (argc == 3) {
    const std::string which = argv[1];
    const int plans = std::max(1, std::atoi(argv[2]));
    print(argv[1], run(which == "noop" ? noop : real, plans, fixed(0)), plans);
    remove_folders();
    return 0;
  }

  const double at_rest = peak_mib();
  print("real recipe, one plan (target < 150 ms)", run(real, 1, fixed(0)), 1);
  fmt::print("{:<44} {:>9.1f} MiB\n", "  memory that this plan added at its peak", peak_mib() - at_rest);
  const auto single = run(noop, 1, fixed(0));
  print("no-op recipe of 61 tasks, one plan", single, 1);
  fmt::print("{:<44} {:>9.2f} ms p50 {:.2f} ms p99 (target p50 < 1.5)\n", "  overhead per durable task", percentile(single.task_ms, 0.5),
             percentile(single.task_ms, 0.99));
  print("no-op recipe, 100 plans at once", run(noop, 100, fixed(0)), 100);
  const double before = peak_mib();
  constexpr int kPlans = 100;
  print("real recipe, 100 plans at once", run(real, kPlans, fixed(0)), kPlans);
  fmt::print("{:<44} {:>9.1f} MiB\n", "  memory per plan at its peak", (peak_mib() - before) / kPlans);
  print_ratio("real recipe, model answers after 50 ms", real, *recipe, fixed(50));
  print_ratio("real recipe, answers after 150 to 1500 ms", real, *recipe, realistic);
  print_input(*recipe);
  remove_folders();
  return 0;
}
