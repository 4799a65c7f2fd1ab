// Faults 29 to 36: answers that are cut, refused, empty or in the wrong form.
#include "bench.hpp"

namespace planexe::faults {
namespace {

std::int64_t budget_of(const json::value& body) { return get_int(body, "max_output_tokens").value_or(0); }

void budget_doubled(const HostPtr& host, Endpoint& server, Checks& checks) {
  const auto bodies = server.bodies();
  checks.expect(host->ok() && host->records.size() == 2, "a second attempt answers");
  checks.expect(host->reason(1) == "budget", "its reason is the budget");
  checks.expect(bodies.size() == 2 && budget_of(bodies[1]) == 2 * budget_of(bodies[0]), "twice the budget");
  checks.note(host->history());
}

void cut_by_length(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  server.next({json::object{{"incomplete", "max_output_tokens"}, {"answer", "truncated"}}});
  budget_doubled(bench.ask(), server, checks);
  // Without an end the doubling happens once; then another model, then the typed error.
  Bench other;
  auto& always = other.one();
  always.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"incomplete", "max_output_tokens"}, {"answer", "truncated"}}}}});
  const auto host = other.ask();
  checks.expect(host->error_code() == "OUTPUT_TRUNCATED", "OUTPUT_TRUNCATED when it never ends");
  checks.note(host->history());
}

void cut_without_message(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  server.next({json::object{{"incomplete", "max_output_tokens"}, {"text", ""}}});
  budget_doubled(bench.ask(), server, checks);
}

void content_filter(Bench& bench, Checks& checks) {
  auto [first, second] = bench.two();
  first.next({json::object{{"incomplete", "content_filter"}, {"answer", "truncated"}}});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2", "one other model");
  Bench both;
  auto [a, b] = both.two();
  for (auto* server : {&a, &b}) server->script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"incomplete", "content_filter"}, {"text", ""}}}}});
  const auto filtered = both.ask();
  checks.expect(filtered->error_code() == "CONTENT_FILTERED", "CONTENT_FILTERED");
  checks.expect(filtered->records.size() == 2, "no repeat on the same model");
  checks.note(filtered->history());
}

void completed_but_incomplete(Bench& bench, Checks& checks) {
  auto events = good_events(R"({"risk":"Fro)");
  auto response = final_response(R"({"risk":"Fro)", "incomplete");
  response["incomplete_details"] = json::object{{"reason", "max_output_tokens"}};
  events.back().data["response"] = response;
  auto& server = bench.one();
  server.next({json::object{{"events", wire(events)}}});
  budget_doubled(bench.ask(), server, checks);
}

void refusal(Bench& bench, Checks& checks) {
  auto [first, second] = bench.two();
  // As a stream of refusal deltas on one side, only in the final response on the other.
  first.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"answer", "refusal"}}}}});
  auto response = final_response("x");
  response["output"].as_array()[0].as_object()["content"] = json::array{json::object{{"type", "refusal"}, {"refusal", "I will not."}}};
  auto events = good_events("x");
  events.erase(events.begin() + 2, events.end() - 1);
  events.back().data["response"] = response;
  second.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"events", wire(events)}}}}});
  const auto host = bench.ask();
  checks.expect(host->error_code() == "MODEL_REFUSED", "MODEL_REFUSED");
  checks.expect(host->records.size() == 2, "one other model, no repeat, no repair");
  checks.expect(host->records.size() == 2 && !host->records[0].refusal.empty() && host->records[1].refusal == "I will not.", "the refusal's text is stored");
  checks.note(host->history());
}

void empty_answer(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  server.next({json::object{{"answer", "empty"}}});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "not taken as a success");
  checks.expect(host->reason(1) == "repair", "repair round");
  checks.note(host->history());
}

void wrong_forms(Bench& bench, Checks& checks) {
  for (const char* kind : {"missing_key", "wrong_type", "surplus_key", "two_objects", "schema_echo", "truncated"}) {
    Bench own;
    auto& server = own.one();
    server.next({json::object{{"answer", kind}}});
    const auto host = own.ask();
    checks.expect(host->ok() && host->records.size() == 2 && host->reason(1) == "repair", std::string(kind) + " is repaired");
    const auto bodies = server.bodies();
    checks.expect(bodies.size() == 2 && to_json(bodies[1]).size() > 100 && get_string(bodies[1], "previous_response_id").has_value(),
                  std::string(kind) + ": the round continues the first by its id");
  }
  for (const char* kind : {"fenced", "prose_after"}) {
    Bench own;
    own.one().next({json::object{{"answer", kind}}});
    const auto host = own.ask();
    checks.expect(host->ok() && host->records.size() == 1, std::string(kind) + " is read without a round");
  }
  checks.note("six kinds repaired, two read as they are");
  static_cast<void>(bench);
}

void repair_fails(Bench& bench, Checks& checks) {
  auto [first, second] = bench.two();
  first.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"answer", "missing_key"}}}}});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2", "then the next model");
  checks.expect(first.asked() == 3, "two repair rounds before");
  checks.note(host->history());
  second.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"answer", "missing_key"}}}}});
  const auto failed = bench.ask(Bench::spec("one/main/2"));
  checks.expect(failed->error_code() == "SCHEMA_REPAIR_EXHAUSTED", "SCHEMA_REPAIR_EXHAUSTED at the end");
  checks.note(failed->history());
}

}  // namespace

std::vector<Row> answer_rows() {
  return {{29, "incomplete by length, JSON cut", "budget doubled once", cut_by_length},
          {30, "incomplete, no message item", "budget doubled once", cut_without_message},
          {31, "incomplete by content filter", "typed outcome", content_filter},
          {32, "completed event with status incomplete", "as 29", completed_but_incomplete},
          {33, "refusal as stream and as part", "typed refusal, no parse", refusal},
          {34, "completed, empty text", "repair round, not success", empty_answer},
          {35, "schema violations, fence, prose, two objects", "tolerant reading or repair", wrong_forms},
          {36, "repair fails twice", "next model, then task error", repair_fails}};
}

}  // namespace planexe::faults
