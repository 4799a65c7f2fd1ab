// Faults 13 to 28: event streams that are odd, wrong or carry errors.
#include "base/text.hpp"
#include "bench.hpp"

namespace planexe::faults {
namespace {

std::string counter(const HostPtr& host, std::size_t index, const char* name) {
  if (index >= host->records.size()) return "no record";
  const auto* value = host->records[index].counters.if_contains(name);
  return value ? to_json(*value) : "0";
}

void accepted(const HostPtr& host, Checks& checks, const std::string& value = kGood) {
  checks.expect(host->ok() && to_json(host->outcome->value) == value, "accepted: " + value);
  checks.expect(host->records.size() == 1, "one attempt");
  checks.note(host->history());
}

json::object stream(json::array events) { return {{"events", std::move(events)}}; }

void one_byte(Bench& bench, Checks& checks) {
  const std::string text = "{\"risk\":\"Fröste — 霜 🧊\"}";
  json::array events;
  const char* ends[] = {"\n", "\r\n", "\r"};
  int turn = 0;
  for (const auto& event : good_events(text)) events.emplace_back(replace_all(event.text(), "\n", ends[turn++ % 3]));
  auto step = stream(std::move(events));
  step["bytes"] = json::array{1};
  bench.one().next({step});
  accepted(bench.ask(), checks, text);
}

void blank_line_missing(Bench& bench, Checks& checks) {
  auto events = wire(good_events(kGood));
  auto& last = events.back().as_string();
  last.resize(last.size() - 1);
  bench.one().next({stream(std::move(events))});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "the unfinished event does not count");
  checks.note(host->history());
}

void odd_framing(Bench& bench, Checks& checks) {
  json::array events{"\xEF\xBB\xBF: welcome\nretry: 5\nid: 7\nunknown: field\n\n"};
  for (const auto& event : good_events(kGood)) {
    std::string lines;
    for (const auto line : split_lines(to_json_pretty(event.data))) lines += "data: " + std::string(line) + "\n";
    events.emplace_back(": comment\nevent:" + event.type + "\n" + lines + "\n");
  }
  bench.one().next({stream(std::move(events))});
  accepted(bench.ask(), checks);
}

void broken_json(Bench& bench, Checks& checks) {
  bench.payload_log.clear();
  auto events = wire(good_events(kGood));
  events[3] = "event: response.output_text.delta\ndata: {\"delta\":\"secret payload 4711\n\n";
  bench.one().next({stream(std::move(events))});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "protocol error, restart");
  checks.expect(!host->records.empty() && host->records[0].error && to_string(*host->records[0].error).find("4711") == std::string::npos,
                "the payload is not in the error");
  checks.note(host->history());
}

void huge_event(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  auto events = good_events(kGood);
  events.back().data["response"].as_object()["instructions"] = std::string(std::size_t{63} << 20U, 'y');
  server.next({stream(wire(events))});
  const auto begun = std::chrono::steady_clock::now();
  const auto host = bench.ask(Bench::spec(), {}, 60'000);
  const auto ms = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun).count();
  accepted(host, checks);
  checks.note(fmt::format("63 MiB event in {} ms", ms));
  checks.expect(ms < 30'000, "linear time");
  Bench other;
  other.settings.sse_line_bytes_max = 1U << 20U;
  other.one().next({stream(json::array{"data: " + std::string(4U << 20U, 'x')}), stream(json::array{"data: " + std::string(4U << 20U, 'x')}),
                    stream(json::array{"data: " + std::string(4U << 20U, 'x')})});
  const auto endless = other.ask();
  checks.expect(!endless->records.empty() && endless->records[0].error.has_value() && endless->records[0].error->message.size() <= 300,
                "an endless line ends with a bounded error");
  checks.note(endless->history());
}

void unknown_events(Bench& bench, Checks& checks) {
  auto events = wire(good_events(kGood));
  const std::string odd = "event: response.shiny_new\ndata: {\"type\":\"response.shiny_new\",\"x\":1}\n\n";
  const std::string alive = "event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n";
  events.insert(events.begin() + 3, json::value(odd));
  events.insert(events.begin() + 3, json::value(alive));
  bench.one().next({stream(std::move(events))});
  const auto host = bench.ask();
  accepted(host, checks);
  checks.expect(counter(host, 0, "unknown_events") == "2", "both counted");
}

void sloppy_order(Bench& bench, Checks& checks) {
  auto events = good_events(kGood);
  // No created and in_progress events, a delta before its item, a wrong index, an item id twice.
  events.erase(events.begin(), events.begin() + 2);
  std::swap(events[0], events[2]);
  events[3].data["output_index"] = 7;
  events.insert(events.begin() + 4, events[1]);
  json::array texts;
  for (auto& event : events) {
    event.data.erase("sequence_number");
    texts.emplace_back(event.text());
  }
  bench.one().next({stream(std::move(texts))});
  accepted(bench.ask(), checks);
}

void interleaved(Bench& bench, Checks& checks) {
  const auto delta = [](int item, const char* text) {
    return json::value("data: " + to_json(json::object{{"type", "response.output_text.delta"}, {"item_id", "msg_" + std::to_string(item)},
                                                       {"output_index", item}, {"content_index", 0}, {"delta", text}}) + "\n\n");
  };
  const auto item = [](int index, const char* text) {
    return json::object{{"type", "message"}, {"id", "msg_" + std::to_string(index)}, {"role", "assistant"},
                        {"content", json::array{json::object{{"type", "output_text"}, {"text", text}}}}};
  };
  auto response = final_response("");
  response["output"] = json::array{item(0, R"({"risk":)"), item(1, R"("Frost"})")};
  auto events = wire(good_events(kGood));
  json::array mixed{events[0], events[1], delta(0, "{\"ri"), delta(1, "\"Fr"), delta(0, "sk\":"), delta(1, "ost\"}")};
  mixed.emplace_back("data: " + to_json(json::object{{"type", "response.completed"}, {"response", response}}) + "\n\n");
  bench.one().next({stream(std::move(mixed))});
  accepted(bench.ask(), checks);
}

void other_final_text(Bench& bench, Checks& checks) {
  auto events = good_events(R"({"risk":"Flood"})");
  events.back().data["response"] = final_response(kGood);
  bench.one().next({stream(wire(events))});
  const auto host = bench.ask();
  accepted(host, checks);
  checks.expect(counter(host, 0, "text_mismatches") != "0", "the difference is counted");
}

void odd_numbers(Bench& bench, Checks& checks) {
  auto events = good_events(kGood);
  const auto twice = events[4];
  events.insert(events.begin() + 5, twice);
  for (std::size_t i = 7; i < events.size(); ++i) events[i].data["sequence_number"] = events[i].data["sequence_number"].as_int64() + 10;
  events[1].data.erase("sequence_number");
  bench.one().next({stream(wire(events))});
  const auto host = bench.ask();
  accepted(host, checks);
  checks.expect(host->text == kGood, "no text twice");
  checks.expect(counter(host, 0, "duplicate_events") == "1", "the double one is dropped");
  checks.expect(counter(host, 0, "sequence_gaps") != "0", "the gap is counted");
}

void done_marks(Bench& bench, Checks& checks) {
  const std::string text = R"({"risk":"data: [DONE] is no end"})";
  auto events = wire(good_events(text));
  events.emplace_back("data: [DONE]\n\n");
  // As a prefix it is no end either: here it is broken JSON, so this stream fails and the next one counts.
  auto prefixed = wire(good_events(R"({"risk":"wrong"})"));
  prefixed.insert(prefixed.begin() + 4, json::value("data: [DONE]x\n\n"));
  bench.one().next({stream(prefixed), stream(events)});
  const auto host = bench.ask();
  checks.expect(host->ok() && (to_json(host->outcome->value) == text), "only the exact value ends a stream");
  checks.note(host->history());
}

void flat_error(Bench& bench, Checks& checks) {
  auto events = wire(good_events(kGood));
  events.erase(events.begin() + 3, events.end());
  events.emplace_back("event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"broken inside\",\"param\":null,\"sequence_number\":3}\n\n");
  bench.one().next({stream(std::move(events))});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "retried");
  checks.expect(!host->records.empty() && host->records[0].error && to_string(*host->records[0].error).find("broken inside") != std::string::npos,
                "the error's own words");
  checks.note(host->history());
}

json::array failed_stream(const char* code, const char* message, bool nested) {
  auto events = wire(good_events(kGood));
  events.erase(events.begin() + 3, events.end());
  if (nested)
    events.emplace_back("event: error\ndata: " + to_json(json::object{{"type", "error"}, {"sequence_number", 3},
                        {"error", json::object{{"type", "x"}, {"code", code}, {"message", message}, {"param", nullptr}}}}) + "\n\n");
  auto response = final_response("", "failed");
  response["error"] = *code ? json::value(json::object{{"code", code}, {"message", message}}) : json::value(nullptr);
  events.emplace_back("event: response.failed\ndata: " + to_json(json::object{{"type", "response.failed"}, {"sequence_number", 4}, {"response", response}}) + "\n\n");
  return events;
}

void nested_error(Bench& bench, Checks& checks) {
  bench.one().next({stream(failed_stream("server_error", "worker died", true))});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "one failure, one good attempt");
  checks.expect(!host->records.empty() && host->records[0].error && to_string(*host->records[0].error).find("worker died") != std::string::npos,
                "reported by its code and words");
  checks.note(host->history());
}

void failed_without_error(Bench& bench, Checks& checks) {
  bench.one().next({stream(failed_stream("", "", false))});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "treated as a server error");
  checks.note(host->history());
}

void quota_in_stream(Bench& bench, Checks& checks) {
  auto [first, second] = bench.two();
  first.next({stream(failed_stream("insufficient_quota", "You exceeded your current quota", true))});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2", "another provider answers");
  const auto again = bench.ask(Bench::spec("one/main/2"));
  checks.expect(again->ok() && first.asked() == 1, "the breaker keeps the next call away");
  checks.note(host->history());
}

void rate_in_stream(Bench& bench, Checks& checks) {
  bench.one().next({stream(failed_stream("rate_limit_exceeded", "Rate limit reached. Please try again in 400ms.", true))});
  const auto begun = std::chrono::steady_clock::now();
  const auto host = bench.ask();
  const auto took = std::chrono::steady_clock::now() - begun;
  checks.expect(host->ok() && host->records.size() == 2, "restarted");
  checks.expect(took >= milliseconds(400), "not before the time it was told");
  checks.note(host->history());
}

}  // namespace

std::vector<Row> stream_rows() {
  return {{13, "one byte per packet, split UTF-8, mixed line ends", "same result", one_byte},
          {14, "last blank line missing", "failure, restart", blank_line_missing},
          {15, "multi-line data, comments, unknown fields, BOM", "parsed", odd_framing},
          {16, "broken JSON in an event", "protocol error, restart; payload not logged", broken_json},
          {17, "63 MiB event; endless line", "linear time; bounded error", huge_event},
          {18, "unknown event type, keepalive", "ignored, counted", unknown_events},
          {19, "no created event, delta before added, wrong index, repeated item", "accepted by the final response", sloppy_order},
          {20, "two items interleaved", "texts not mixed", interleaved},
          {21, "deltas differ from the final text", "final wins, counted", other_final_text},
          {22, "numbers missing, doubled, with gaps", "doubles dropped, gaps counted", odd_numbers},
          {23, "[DONE] at the end, in the text, as a prefix", "only the exact value ends", done_marks},
          {24, "flat error event", "typed error", flat_error},
          {25, "nested error, then failed", "one error, by its code", nested_error},
          {26, "failed with error null", "treated as server error", failed_without_error},
          {27, "quota error inside a 200 stream", "provider fatal, breaker open", quota_in_stream},
          {28, "rate error inside a 200 stream", "waits as told, restarts", rate_in_stream}};
}

}  // namespace planexe::faults
