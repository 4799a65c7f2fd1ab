// Faults 58, 59, 61 to 63: clocks, secrets, a killed process, budgets, breakers.
#include <unistd.h>

#include <cstdio>

#include "base/file.hpp"
#include "base/log.hpp"
#include "rows_life.hpp"

namespace planexe::faults {
namespace {

/// A wall clock that jumps a day to and fro with every look.
class JumpingClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override {
    return real_.now() + std::chrono::hours(++looks_ % 2 == 0 ? 24 : -24);
  }
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return real_.steady(); }

 private:
  SystemClock real_;
  mutable int looks_ = 0;
};

void clock_jumps(Bench& bench, Checks& checks) {
  const JumpingClock clock;
  bench.clock = &clock;
  auto& server = bench.one();
  server.next({json::object{{"status", 429}, {"headers", json::object{{"retry-after-ms", "200"}}}}, json::object{{"status", 503}}});
  const auto begun = std::chrono::steady_clock::now();
  const auto host = bench.ask();
  const auto ms = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun).count();
  checks.expect(host->ok() && host->records.size() == 3, "two retries, then an answer");
  checks.expect(ms >= 200 && ms < 3'000, "waited by the steady clock");
  checks.expect(!host->records.empty() && host->records.back().duration_ms >= 0 && host->records.back().duration_ms < 3'000, "durations are real");
  checks.note(fmt::format("{} in {} ms", host->history(), ms));
  bench.drop_client();
}

void key_quoted(Bench& bench, Checks& checks) {
  const std::string key = bench.secrets["TEST_KEY"];
  std::string logged;
  configure_logging({.level = LogLevel::trace, .format = LogOptions::Format::json, .sink = [&](std::string_view line) { logged += line; }});
  bench.payload_log = fmt::format("/tmp/planexe_faults_{}.log", ::getpid());
  auto& server = bench.one();
  server.next({json::object{{"status", 401},
                            {"body", json::object{{"error", json::object{{"code", "invalid_api_key"}, {"message", "Incorrect API key provided: " + key + " (sk-fault*****cdef)"}}}}}}});
  const auto host = bench.ask();
  LogOptions quiet;
  quiet.level = LogLevel::off;
  configure_logging(quiet);
  const auto payload = read_file(bench.payload_log, 1U << 20U).value_or("");
  std::remove(bench.payload_log.c_str());
  checks.expect(payload.find("Name one risk") != std::string::npos && !logged.empty(), "both logs were written");
  const auto error = host->outcome && host->outcome->error ? to_string(*host->outcome->error) : "";
  const auto record = host->records.empty() || !host->records[0].error ? "" : to_string(*host->records[0].error);
  for (const auto& [name, text] : {std::pair{"payload log", payload}, {"log", logged}, {"outcome", error}, {"ledger", record}})
    checks.expect(text.find(key) == std::string::npos && text.find("cdef") == std::string::npos, std::string("no key in the ") + name);
  checks.expect(server.service.journal().assertion_failures() == 0, "the server saw the key in its header only");
  checks.note(host->history());
}

/// What the ledger would hold of an attempt in flight when the process died.
llm::CallSpec recovered(const HostPtr& host) {
  auto spec = Bench::spec();
  llm::Recovery recovery;
  recovery.model = "m1";
  recovery.response_id = host->response_ids.empty() ? "" : host->response_ids[0];
  recovery.attempt = 1;
  spec.recovery = recovery;
  return spec;
}

struct Death {
  const char* where;
  bool let_go;                          ///< the first request was sent at all
  json::object step;
  std::function<bool(Host&)> moment;    ///< when the process dies
  std::int64_t requests;                ///< for an answer, over both lives
};

void killed(Bench& bench, Checks& checks) {
  const std::vector<Death> deaths{
      {"before the ledger row is committed", false, {}, [](Host&) { return true; }, 1},
      {"sent, no id yet", true, {{"connection", "stall"}}, [](Host& host) { return !host.starts.empty(); }, 2},
      {"id known, response still running", true, {{"connection", "stall"}, {"after_events", 3}}, [](Host& host) { return !host.response_ids.empty(); }, 1},
      {"answer complete, result not committed", true, {{"connection", "stall"}, {"after_events", 15}}, [](Host& host) { return !host.text.empty(); }, 1}};
  for (const auto& death : deaths) {
    Bench own;
    rehearsal::ServiceOptions options;
    options.pace.first_event = milliseconds(150);
    auto& server = own.add_server(options);
    own.add_model("m1", server.url());
    if (!death.step.empty()) server.next({death.step});
    auto host = std::make_shared<Host>();
    host->lets_go = [&](const llm::AttemptStart&) { return death.let_go; };
    if (death.let_go) {
      own.client().start(Bench::spec(), schema_judge(), host);
      own.run_until([&] { return death.moment(*host); });
      own.run_for(60);
    }
    own.drop_client();
    own.run_for(30);
    const auto after = own.ask(death.let_go ? recovered(host) : Bench::spec());
    checks.expect(after->ok() && after->finished_count == 1, fmt::format("{}: finished exactly once", death.where));
    checks.expect(server.asked() == death.requests, fmt::format("{}: {} requests", death.where, server.asked()));
    checks.expect(!after->records.empty(), fmt::format("{}: in the ledger", death.where));
    checks.note(fmt::format("{}: {}", death.where, after->history()));
  }
  static_cast<void>(bench);
}

void budget(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.max_concurrent = 2;
  std::int64_t left = 0, bound = 0;
  const auto lets_go = [&](const llm::AttemptStart& start) {
    if (bound == 0) {
      bound = start.cost_bound_micros;
      left = 4 * bound;
    }
    if (start.cost_bound_micros > left) return false;
    left -= start.cost_bound_micros;
    return true;
  };
  std::vector<HostPtr> hosts;
  for (int i = 0; i < 10; ++i) {
    auto host = std::make_shared<Host>();
    host->lets_go = lets_go;
    bench.client().start(Bench::spec(fmt::format("one/main/{}/1", i)), schema_judge(), host);
    hosts.push_back(host);
  }
  bench.run_until([&] { return bench.client().active() == 0; });
  int good = 0, over = 0;
  for (const auto& host : hosts) {
    good += host->ok() ? 1 : 0;
    over += host->error_code() == "BUDGET_EXCEEDED" ? 1 : 0;
  }
  checks.expect(bound > 0, "every attempt says its upper bound");
  checks.expect(good == 4 && over == 6, "four results are kept, six calls end with BUDGET_EXCEEDED");
  checks.expect(server.asked() == 4, "no request beyond the budget");
  checks.note(fmt::format("{} kept, {} refused, {} requests", good, over, server.asked()));
}

void breaker(Bench& bench, Checks& checks) {
  auto [bad, good] = bench.two();
  bench.catalogue.models[0].max_concurrency = bench.catalogue.models[0].start_concurrency = 1;
  bench.settings.breaker_open_first = milliseconds(400);
  bad.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"status", 500}}}}});
  std::vector<HostPtr> hosts;
  for (int i = 0; i < 10; ++i) hosts.push_back(bench.start(Bench::spec(fmt::format("one/main/{}/1", i))));
  bench.run_until([&] { return bench.client().active() == 0; });
  int elsewhere = 0;
  for (const auto& host : hosts) elsewhere += host->ok() && host->outcome->model == "m2" ? 1 : 0;
  checks.expect(elsewhere == 10, "all ten fail over");
  const auto before = bad.asked();
  checks.expect(before == 3, fmt::format("three failures open the breaker ({} requests)", before));
  bench.run_for(450);
  for (int i = 10; i < 15; ++i) hosts.push_back(bench.start(Bench::spec(fmt::format("one/main/{}/1", i))));
  bench.run_until([&] { return bench.client().active() == 0; });
  checks.expect(bad.asked() == before + 1, fmt::format("one probe ({} requests)", bad.asked() - before));
  for (const auto& host : hosts) checks.expect(host->ok(), "every call is answered");
  checks.note(fmt::format("{} requests before it opened, {} probe", before, bad.asked() - before));
}

}  // namespace

std::vector<Row> process_rows() {
  return {{58, "wall clock jumps", "timers unaffected", clock_jumps},
          {59, "401 body quoting the key; debug log on", "key found nowhere", key_quoted},
          {61, "process killed at each step of recovery", "finished or repeated exactly once, ledger complete", killed},
          {62, "budget reached in the middle of a fan-out", "no new call, results kept", budget},
          {63, "breaker opens while 10 calls wait", "waiting calls fail over, one probe", breaker}};
}

}  // namespace planexe::faults
