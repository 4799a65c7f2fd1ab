// Faults 1 to 12: connections that are refused, break or fall silent.
#include "bench.hpp"

namespace planexe::faults {
namespace {

void restarted(const HostPtr& host, Checks& checks, const char* reason = "restart") {
  checks.expect(host->ok(), "answered in the end");
  checks.expect(host->records.size() == 2, "two attempts in the ledger");
  checks.expect(host->reason(1) == reason, std::string("second attempt is a ") + reason);
  checks.expect(!host->records.empty() && host->records[0].status != "completed", "the first attempt is no success");
  checks.note(host->history());
}

void refused(Bench& bench, Checks& checks) {
  for (const char* url : {"http://127.0.0.1:1/v1", "http://no-such-host.invalid/v1"}) {
    Bench own;
    own.without_breaker();
    own.add_model("m1", url);
    auto& good = own.add_server();
    own.add_model("m2", good.url(), "other");
    const auto host = own.ask(Bench::spec(), {}, 20'000);
    checks.expect(host->ok() && host->outcome->model == "m2", std::string(url) + ": the next model answers");
    checks.expect(host->records.size() == 6, "four retries before");
    checks.expect(!host->records.empty() && host->records[0].usage.total() == 0, "nothing is charged for what was not sent");
    checks.note(host->history());
  }
  static_cast<void>(bench);
}

void tls_failure(Bench& bench, Checks& checks) {
  auto& plain = bench.add_server();
  auto url = plain.url();
  bench.add_model("m1", "https" + url.substr(4));
  auto& good = bench.add_server();
  bench.add_model("m2", good.url(), "other");
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2", "another provider answers");
  checks.expect(plain.asked() == 0, "no byte of the request was read by the server");
  checks.expect(host->records.size() == 2, "no retry at the provider");
  const auto again = bench.ask(Bench::spec("one/main/2"));
  checks.expect(again->records.size() == 1, "the provider is closed for the next call");
  checks.note(host->history());
}

void no_headers(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.settings.headers_timeout_streaming = milliseconds(150);
  server.next({json::object{{"connection", "stall"}}});
  const auto begun = std::chrono::steady_clock::now();
  const auto host = bench.ask();
  restarted(host, checks, "retry");
  checks.expect(std::chrono::steady_clock::now() - begun >= milliseconds(150), "not before the header timer");
}

void stale_connection(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  checks.expect(bench.ask()->ok(), "a first call leaves its connection open");
  server.next({json::object{{"connection", "close"}}});
  const auto host = bench.ask(Bench::spec("one/main/2"));
  checks.expect(host->ok() && host->records.size() == 1, "one attempt in the ledger");
  checks.expect(server.asked() == 3, "sent again at once, three requests in all");
  // Several kept connections: the request is still sent twice and not once per dead connection.
  std::vector<HostPtr> many;
  for (int i = 0; i < 6; ++i) many.push_back(bench.start(Bench::spec(fmt::format("one/main/{}/1", i))));
  bench.run_until([&] { return bench.client().active() == 0; });
  const auto before = server.asked();
  server.next({json::object{{"connection", "close"}}, json::object{{"connection", "close"}}});
  const auto again = bench.ask(Bench::spec("one/main/3"));
  checks.expect(again->ok() && server.asked() - before <= 3 && again->records.size() <= 2, fmt::format("{} requests when it breaks twice", server.asked() - before));
  checks.note(host->history() + "; broken twice: " + again->history());
}

void reset_after_headers(Bench& bench, Checks& checks) {
  bench.one().next({json::object{{"connection", "reset"}, {"after_events", 0}}});
  restarted(bench.ask(), checks);
}

void cut_after_deltas(Bench& bench, Checks& checks) {
  auto events = wire(good_events(R"({"risk":"Partial text that must not stay"})"));
  bench.one().next({json::object{{"events", events}, {"connection", "reset"}, {"after_events", 7}, {"delay", json::object{{"between", 2}}}}});
  const auto host = bench.ask();
  restarted(host, checks);
  checks.expect(host->ok() && to_json(host->outcome->value).find("Partial") == std::string::npos, "the partial text is dropped");
  checks.expect(host->records.size() == 2 && host->records[0].cost_micros.value_or(0) > 0, "the ledger shows the cost of both");
}

void cut_before_terminal(Bench& bench, Checks& checks) {
  const auto events = wire(good_events(kGood));
  bench.one().next({json::object{{"events", events}, {"connection", "reset"}, {"after_events", events.size() - 1}, {"delay", json::object{{"between", 2}}}}});
  restarted(bench.ask(), checks);
}

void clean_end_without_terminal(Bench& bench, Checks& checks) {
  auto events = wire(good_events(kGood));
  events.pop_back();
  bench.one().next({json::object{{"events", events}}});
  restarted(bench.ask(), checks);
}

void replayed_from_zero(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.catalogue.models[0].caps.background = "always";
  server.next({json::object{{"connection", "reset"}, {"after_events", 11}, {"delay", json::object{{"between", 3}}}}});
  server.script(json::object{{"match", json::object{{"path", "/v1/responses/*"}}}, {"steps", json::array{json::object{{"replay", true}}}}});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 1, "one attempt, continued");
  checks.expect(host->text == R"({"risk":"Rehearsal: a prepared text."})", "no text twice");
  const auto gets = server.service.journal().requests().at("data").as_array().size();
  checks.expect(gets == 2, "one request and one continuation");
  checks.expect(!host->records.empty() && host->records[0].counters.contains("duplicate_events"), "replayed events were dropped and counted");
  checks.note(host->history());
}

void continuation_gone(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.catalogue.models[0].caps.background = "always";
  server.next({json::object{{"connection", "reset"}, {"after_events", 9}, {"delay", json::object{{"between", 3}}}}});
  server.script(json::object{{"match", json::object{{"path", "/v1/responses/*"}}}, {"steps", json::array{json::object{{"status", 404}}}}});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "a new attempt");
  checks.expect(server.requests().size() == 2, "asked anew once");
  checks.note(host->history());
}

void bytes_stop(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.settings.liveness_timeout = milliseconds(200);
  server.next({json::object{{"connection", "stall"}, {"after_events", 5}}});
  const auto begun = std::chrono::steady_clock::now();
  const auto host = bench.ask();
  restarted(host, checks);
  const auto took = std::chrono::steady_clock::now() - begun;
  checks.expect(took >= milliseconds(200) && took < milliseconds(1'500), "ended by the liveness timer");
}

void only_comments(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.settings.liveness_timeout = milliseconds(200);
  bench.settings.progress_timeout = milliseconds(600);
  json::array events = wire(good_events(kGood));
  events.erase(events.begin() + 2, events.end());
  for (int i = 0; i < 100; ++i) events.emplace_back(": ping\n\n");
  server.next({json::object{{"events", events}, {"delay", json::object{{"between", 30}}}}});
  const auto begun = std::chrono::steady_clock::now();
  const auto host = bench.ask();
  restarted(host, checks);
  checks.expect(std::chrono::steady_clock::now() - begun >= milliseconds(600), "comments feed the liveness timer, not the progress timer");
}

}  // namespace

std::vector<Row> connection_rows() {
  return {{1, "connection refused, name not found", "retry, then next model", refused},
          {2, "TLS failure", "provider closed, no byte of the request sent", tls_failure},
          {3, "connection accepted, no headers", "header timer, retry", no_headers},
          {4, "reused connection closed before headers", "one free retry", stale_connection},
          {5, "reset after headers, before the first event", "restart", reset_after_headers},
          {6, "stream cut after some deltas", "text dropped, restart, ledger shows both", cut_after_deltas},
          {7, "cut before the terminal event", "failure, restart", cut_before_terminal},
          {8, "clean end without terminal event", "failure, restart", clean_end_without_terminal},
          {9, "background stream cut, replay from 0", "no doubled text", replayed_from_zero},
          {10, "continuation answers 404", "new attempt", continuation_gone},
          {11, "bytes stop", "liveness timer", bytes_stop},
          {12, "only comments", "progress timer, not liveness", only_comments}};
}

}  // namespace planexe::faults
