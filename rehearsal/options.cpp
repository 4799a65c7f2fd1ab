#include "options.hpp"

#include <CLI/CLI.hpp>

#include "base/random.hpp"

namespace planexe::rehearsal {
namespace {

constexpr int kUsage = 2;

struct Given {
  std::string profile = "instant";
  int latency_ms = -1, token_rate = -1;
  std::optional<std::uint64_t> seed;
};

void add_options(CLI::App& app, Options& options, Given& given) {
  app.add_option("--host", options.host, "Loopback address to listen on");
  app.add_option("--port", options.port, "Port; 0 takes a free one");
  app.add_option("--seed", given.seed, "Seed of ids, times and random faults (default: another one each time)");
  app.add_option("--profile", given.profile, "instant, fast or realistic")->check(CLI::IsMember({"instant", "fast", "realistic"}));
  app.add_option("--latency-ms", given.latency_ms, "Milliseconds until the first text of each answer")->check(CLI::Range(0, 600'000));
  app.add_option("--token-rate", given.token_rate, "Tokens per second of each answer; 0 is unlimited")->check(CLI::Range(0, 1'000'000));
  app.add_option("--fault-rate", options.service.fault_rate, "Share of answers that a random fault spoils")->check(CLI::Range(0.0, 1.0));
  app.add_option("--rpm", options.service.rpm, "Requests per minute")->check(CLI::Range(1, 1'000'000'000));
  app.add_option("--tpm", options.service.tpm, "Tokens per minute")->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000'000}));
  app.add_option("--answers", options.answers, "Answers of a finished run (zip or folder)");
  app.add_option("--recipe", options.recipe_dir, "Folder with task folders laid over the built-in recipe");
  app.add_option("--script", options.script, "File with a script, or a list of scripts, as for POST /control/scripts");
  app.add_option("--log", options.log, "File for one line per request");
}

}  // namespace

std::variant<Options, int> parse_options(int argc, char** argv) {
  CLI::App app("A model server without a model: the Responses API and chat completions on loopback, with prepared answers.", "planexe-rehearsal");
  Options options;
  Given given;
  add_options(app, options, given);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  options.service.pace = pace_of_profile(given.profile).value_or(Pace{});
  if (given.latency_ms >= 0) {
    options.service.pace.headers = std::chrono::milliseconds(0);
    options.service.pace.first_event = std::chrono::milliseconds(given.latency_ms);
  }
  if (given.token_rate >= 0) options.service.pace.tokens_per_second = given.token_rate;
  options.service.seed = given.seed.value_or(SystemRandom().next());
  return options;
}

}  // namespace planexe::rehearsal
