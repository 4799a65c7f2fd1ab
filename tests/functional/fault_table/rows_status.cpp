// Faults 37 to 49: HTTP errors.
#include <fmt/chrono.h>

#include <ctime>

#include "bench.hpp"

namespace planexe::faults {
namespace {

json::object error_step(int status, const char* code, const char* message, json::object headers = {}, const char* type = "error", const char* param = "") {
  return {{"status", status},
          {"headers", std::move(headers)},
          {"body", json::object{{"error", json::object{{"message", message}, {"type", type}, {"code", *code ? json::value(code) : json::value(nullptr)},
                                                       {"param", *param ? json::value(param) : json::value(nullptr)}}}}}};
}

std::int64_t ms_of(const std::function<void()>& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun).count();
}

std::string http_date(int seconds_ahead) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::time(nullptr) + seconds_ahead));
}

void delays(Bench& bench, Checks& checks) {
  struct Case {
    std::string name, value;
    int min_ms, max_ms;
  };
  // Own back-off is at most 40 ms here; unreadable delays must end there.
  const std::vector<Case> cases{{"retry-after", "1", 1'000, 1'800},        {"retry-after-ms", "250", 250, 900}, {"retry-after", "0.3", 300, 950},
                                {"retry-after", "a date", 900, 3'500}, {"retry-after", "0", 0, 700},        {"retry-after", "-5", 0, 700},
                                {"retry-after", "inf", 0, 700},            {"retry-after", "soon", 0, 700}};
  for (const auto& one : cases) {
    Bench own;
    // A date counts from the moment of the answer, in whole seconds.
    const auto value = one.value == "a date" ? http_date(3) : one.value;
    own.one().next({error_step(429, "rate_limit_exceeded", "Rate limit reached.", {{one.name, value}})});
    HostPtr host;
    const auto ms = ms_of([&] { host = own.ask(); });
    checks.expect(host->ok() && host->records.size() == 2 && ms >= one.min_ms && ms <= one.max_ms, fmt::format("{} {}: {} ms", one.name, one.value, ms));
  }
  auto [first, second] = bench.two();
  first.next({error_step(429, "rate_limit_exceeded", "Rate limit reached.", {{"retry-after", "121"}})});
  HostPtr host;
  const auto ms = ms_of([&] { host = bench.ask(); });
  checks.expect(host->ok() && host->outcome->model == "m2" && ms < 2'000, "121 seconds are not waited for: the next model");
  checks.note("eight forms of a delay, and 121 s");
}

void burst(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.without_breaker();
  bench.settings.request_retries_max = 8;
  bench.catalogue.models[0].start_concurrency = 8;
  bench.catalogue.models[0].max_concurrency = 8;
  const json::object azure{{"x-ratelimit-remaining-requests", "-1"}, {"x-ratelimit-limit-requests", "0"}, {"x-ratelimit-remaining-tokens", "-1"}};
  server.next(std::vector<json::value>(8, json::value(error_step(429, "rate_limit_exceeded", "Rate limit reached.", azure))));
  std::vector<HostPtr> hosts;
  for (int i = 0; i < 24; ++i) hosts.push_back(bench.start(Bench::spec(fmt::format("one/main/{}/1", i))));
  bench.run_until([&] { return bench.client().active() == 0; }, 15'000);
  int good = 0;
  for (const auto& host : hosts) good += host->ok() ? 1 : 0;
  checks.expect(good == 24, "all calls answered");
  checks.expect(server.asked() == 32, "eight requests were repeated, no more");
  checks.note(fmt::format("{} of 24 calls, {} requests", good, server.asked()));
}

void quota(Bench& bench, Checks& checks) {
  auto [first, second] = bench.two();
  first.next({error_step(429, "insufficient_quota", "You exceeded your current quota")});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2" && first.asked() == 1, "quota: no retry, another provider");
  Bench alone;
  alone.one().next({error_step(429, "insufficient_quota", "You exceeded your current quota")});
  const auto failed = alone.ask();
  checks.expect(failed->error_code() == "PROVIDER_QUOTA" && failed->records.size() == 1, "alone: PROVIDER_QUOTA");
  Bench large;
  auto [one, two] = large.two();
  one.next({error_step(429, "rate_limit_exceeded", "Request too large for m1 on tokens per min (TPM): Limit 30000, Requested 45000.", {}, "tokens")});
  const auto moved = large.ask();
  checks.expect(moved->ok() && moved->outcome->model == "m2" && one.asked() == 1, "larger than the limit: the next model");
  checks.note(host->history());
}

void server_errors(Bench& bench, Checks& checks) {
  int seen = 0;
  for (const int status : {500, 502, 503, 504, 529}) {
    for (const char* body : {"<html><h1>Bad</h1>\nGateway</html>", "", "{\"error\":{\"mess", "[1,2]"}) {
      Bench own;
      own.one().next({json::object{{"status", status}, {"body", body}}});
      const auto host = own.ask();
      const bool readable = !host->records.empty() && host->records[0].error &&
                            host->records[0].error->message.find(std::to_string(status)) != std::string::npos &&
                            host->records[0].error->message.find('\n') == std::string::npos;
      checks.expect(host->ok() && host->records.size() == 2 && readable, fmt::format("{} with body '{}'", status, body));
      ++seen;
    }
  }
  checks.note(fmt::format("{} combinations retried", seen));
  static_cast<void>(bench);
}

void should_retry(Bench& bench, Checks& checks) {
  bench.one().next({error_step(400, "odd", "odd", {{"x-should-retry", "true"}})});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "400 with true is retried");
  Bench other;
  auto [first, second] = other.two();
  first.next({error_step(503, "server_error", "no", {{"x-should-retry", "false"}})});
  const auto moved = other.ask();
  checks.expect(first.asked() == 1, "503 with false is not repeated");
  checks.note(host->history() + " / " + moved->history());
}

void schema_error(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  auto spec = Bench::spec();
  // The server's own check of the strict subset refuses this one: "surplus" is not in `required`.
  server.next({error_step(400, "invalid_json_schema", "Invalid schema for response_format 'one__main': In context=('properties', 'risk'), 'type' is missing", {},
                          "invalid_request_error", "text.format.schema")});
  const auto host = bench.ask(spec);
  checks.expect(!host->ok() && host->records.size() == 1, "no retry");
  checks.expect(host->outcome && host->outcome->error && to_string(*host->outcome->error).find("'properties', 'risk'") != std::string::npos, "the error names the place");
  checks.note(host->history());
}

void unsupported(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  server.next({error_step(400, "unsupported_value", "Your organization must be verified to generate reasoning summaries.", {}, "invalid_request_error", "reasoning.summary")});
  const auto host = bench.ask();
  const auto bodies = server.bodies();
  checks.expect(host->ok() && host->records.size() == 2 && host->reason(1) == "adapt", "adapted once");
  checks.expect(bodies.size() == 2 && to_json(bodies[0]).find("summary") != std::string::npos && to_json(bodies[1]).find("\"summary\"") == std::string::npos,
                "the parameter is left out");
  const auto again = bench.ask(Bench::spec("one/main/2"));
  checks.expect(again->records.size() == 1 && to_json(server.bodies().back()).find("\"summary\"") == std::string::npos, "remembered for the model");
  checks.note(host->history());
}

void context_length(Bench& bench, Checks& checks) {
  auto [first, second] = bench.two();
  bench.catalogue.models[0].context_window = 100'000;
  first.next({error_step(400, "context_length_exceeded", "maximum context length is 1000 tokens")});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2", "a larger model answers");
  Bench alone;
  alone.one().next({error_step(400, "context_length_exceeded", "maximum context length is 1000 tokens")});
  const auto failed = alone.ask();
  checks.expect(failed->error_code() == "CONTEXT_TOO_LONG" && failed->records.size() == 1, "alone: CONTEXT_TOO_LONG");
  checks.note(host->history());
}

llm::CallSpec child_of(const HostPtr& parent, const std::string& id) {
  auto spec = Bench::spec("one/second/1");
  spec.messages = {{llm::Message::Role::user, {"And another one"}}};
  llm::Parent link;
  link.call_key = "one/main/1";
  link.transcript = parent->outcome->transcript;
  link.response_id = id;
  link.provider = parent->outcome->provider;
  link.model = parent->outcome->model;
  link.completed_at = SystemClock().now();
  link.stored = true;
  spec.parent = link;
  return spec;
}

void parent_lost(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  const auto parent = bench.ask();
  checks.expect(parent->ok(), "a parent");
  if (!parent->ok()) return;
  const auto host = bench.ask(child_of(parent, "resp_gone"));
  const auto bodies = server.bodies();
  checks.expect(host->ok() && host->records.size() == 2 && host->reason(1) == "rebuild", "resent with the transcript once");
  checks.expect(bodies.size() == 3 && get_string(bodies[1], "previous_response_id") == "resp_gone" && !get_string(bodies[2], "previous_response_id"),
                "first by id, then without");
  checks.note(host->history());
}

void locked(Bench& bench, Checks& checks) {
  bench.settings.conversation_locked_delay = milliseconds(100);
  bench.one().next({error_step(400, "conversation_locked", "Another process is using this conversation.")});
  HostPtr host;
  const auto ms = ms_of([&] { host = bench.ask(); });
  checks.expect(host->ok() && host->records.size() == 2 && ms >= 100 && ms < 1'500, "retried shortly after");
  checks.note(host->history());
}

void parent_and_conversation(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  const auto parent = bench.ask();
  checks.expect(parent->ok(), "a parent");
  if (!parent->ok()) return;
  const auto child = bench.ask(child_of(parent, parent->outcome->response_id));
  checks.expect(child->ok() && child->records.size() == 1, "a child continues by id");
  for (const auto& body : server.bodies()) checks.expect(!find(body, "conversation"), "no request names a conversation");
  checks.expect(server.service.journal().assertion_failures() == 0, "the server's own assertions hold");
  // The assertion itself works: a request with both is refused and counted.
  const auto both = R"({"model":"m","input":"x","previous_response_id":"resp_a","conversation":"conv_b"})";
  server.service.handle({"POST", "/v1/responses", both, {}}, {std::chrono::steady_clock::now(), SystemClock().now()});
  checks.expect(server.service.journal().assertion_failures() == 1, "the server sees one that does");
  checks.note(child->history());
}

void refused_access(Bench& bench, Checks& checks) {
  for (const auto& [status, code] : {std::pair{401, "invalid_api_key"}, std::pair{403, "unsupported_country_region_territory"}}) {
    Bench own;
    auto [first, second] = own.two();
    first.next({error_step(status, code, "Country, region, or territory not supported")});
    const auto host = own.ask();
    const auto again = own.ask(Bench::spec("one/main/2"));
    checks.expect(host->ok() && first.asked() == 1 && again->ok(), fmt::format("{}: not repeated, the provider is closed", status));
    checks.note(host->history());
  }
  auto [first, second] = bench.two();
  first.next({error_step(404, "model_not_found", "The model `m1` does not exist or you do not have access to it.")});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2" && first.asked() == 1, "404: the next model");
}

void redirect(Bench& bench, Checks& checks) {
  auto& trap = bench.add_server();
  auto& server = bench.add_server();
  bench.add_model("m1", server.url());
  server.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"status", 307}, {"headers", json::object{{"location", trap.url() + "/responses"}}}, {"body", ""}}}}});
  const auto host = bench.ask();
  checks.expect(!host->ok(), "refused");
  checks.expect(trap.asked() == 0, "nothing is sent to the other host");
  checks.note(host->history());
}

}  // namespace

std::vector<Row> status_rows() {
  return {{37, "429 with a delay in eight forms, 121 s", "table of delays", delays},
          {38, "429 without delay, burst, rate headers -1", "bucket pause, values ignored", burst},
          {39, "429 quota; 429 request too large", "no retry; next model", quota},
          {40, "500, 502, 503, 504, 529 with odd bodies", "retry, readable error", server_errors},
          {41, "x-should-retry true with 400, false with 503", "obeyed", should_retry},
          {42, "400 schema error", "no retry, place in the error", schema_error},
          {43, "400 unsupported value", "adapted once, remembered", unsupported},
          {44, "400 context length", "larger model, else CONTEXT_TOO_LONG", context_length},
          {45, "400 parent id not found", "transcript resent once", parent_lost},
          {46, "400 conversation locked", "short retry", locked},
          {47, "parent id and conversation together", "never sent; server asserts", parent_and_conversation},
          {48, "401, 403, 404 of the model", "not repeated; breaker or next model", refused_access},
          {49, "redirect to another host", "refused, key not sent there", redirect}};
}

}  // namespace planexe::faults
