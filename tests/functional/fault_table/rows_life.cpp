// Faults 50 to 57 and 60: lost replies, background, usage, slow readers, stops, odd HTTP, any order.
#include <boost/asio/ip/tcp.hpp>
#include <boost/crc.hpp>

#include "bench.hpp"
#include "rows_life.hpp"

namespace planexe::faults {
namespace {

void lost_reply(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  server.next({json::object{{"connection", "reset"}}});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->records.size() == 2, "both attempts are in the ledger");
  checks.expect(server.asked() == 2 && host->finished_count == 1, "two requests, one result");
  checks.expect(!host->records.empty() && host->records[0].usage.estimated, "the lost one counts as possibly billed");
  checks.note(host->history());
}

rehearsal::ServiceOptions slow(int queued_ms, int text_ms) {
  rehearsal::ServiceOptions options;
  options.pace.headers = milliseconds(queued_ms);
  options.pace.first_event = milliseconds(text_ms);
  return options;
}

std::size_t count(Endpoint& server, std::string_view method, std::string_view ending) {
  std::size_t n = 0;
  for (const auto& request : server.requests(method, ""))
    if (std::string_view(request.at("target").as_string()).find(ending) != std::string_view::npos) ++n;
  return n;
}

void background(Bench& bench, Checks& checks) {
  auto& server = bench.add_server(slow(300, 300));
  bench.add_model("m1", server.url()).caps.background = "always";
  const auto host = std::make_shared<Host>();
  const auto id = bench.client().start(Bench::spec(), schema_judge(), host);
  bench.run_until([&] { return !host->response_ids.empty(); });
  bench.client().cancel(id);
  bench.client().cancel(id);
  bench.run_until([&] { return host->outcome.has_value(); });
  bench.run_for(100);
  checks.expect(host->error_code() == "CANCELLED" && host->finished_count == 1, "cancelled twice, ended once");
  checks.expect(count(server, "POST", "/cancel") == 1, "one cancel at the provider");
  // A response in the queue that is only known by its id is polled.
  const auto first = bench.start(Bench::spec("one/main/2"));
  bench.run_until([&] { return !first->response_ids.empty(); });
  auto spec = Bench::spec("one/main/2");
  llm::Recovery recovery;
  recovery.model = "m1";
  recovery.response_id = first->response_ids.empty() ? "" : first->response_ids[0];
  recovery.background = true;
  spec.recovery = recovery;
  bench.drop_client();
  const auto host2 = bench.ask(spec);
  checks.expect(host2->ok() && server.requests().size() == 2, "fetched, not asked again");
  checks.note(fmt::format("{}; {} reads by id", host2->history(), count(server, "GET", "/v1/responses/")));
}

void ignored(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  bench.catalogue.models[0].caps.strict_on_responses = bench.catalogue.models[0].caps.strict_on_chat = false;
  bench.catalogue.models[0].caps.stateful = false;
  server.next({json::object{{"text", "Here you are: frost."}}});
  const auto host = bench.ask();
  const auto bodies = server.bodies();
  checks.expect(host->ok() && host->records.size() == 2 && host->reason(1) == "repair", "an answer without the schema is repaired");
  checks.expect(!bodies.empty() && to_json(bodies[0]).find("JSON Schema") != std::string::npos, "the schema is also said in words");
  for (const auto& body : bodies) checks.expect(!get_string(body, "previous_response_id"), "no parent id where the endpoint has no state");
  checks.note(host->history());
}

void usages(Bench& bench, Checks& checks) {
  const std::vector<std::pair<const char*, json::value>> cases{
      {"null", nullptr},
      {"without details", json::object{{"input_tokens", 50}, {"output_tokens", 7}, {"total_tokens", 57}}},
      {"huge", json::object{{"input_tokens", 9'000'000'000'000'000'000}, {"output_tokens", 9'000'000'000'000'000'000}, {"total_tokens", -1}}},
      {"texts", json::object{{"input_tokens", "many"}, {"output_tokens", json::array{}}}}};
  for (const auto& [name, usage] : cases) {
    Bench own;
    own.one().next({json::object{{"usage", usage}}});
    const auto host = own.ask();
    checks.expect(host->ok() && host->records.size() == 1, std::string(name) + ": no crash");
    if (host->records.empty()) continue;
    const auto& record = host->records[0];
    checks.expect(record.usage.input_tokens >= 0 && record.usage.total() >= 0 && record.cost_micros.value_or(0) >= 0, std::string(name) + ": nothing overflows");
    if (usage.is_null() || std::string_view(name) == "texts")
      checks.expect(record.usage.estimated && record.usage.total() > 0, std::string(name) + ": estimated");
    checks.note(fmt::format("{}: {} tokens", name, record.usage.total()));
  }
  static_cast<void>(bench);
}

void slow_consumer(Bench& bench, Checks& checks) {
  auto& server = bench.one();
  std::string long_text;
  while (long_text.size() < (std::size_t{7} << 20U)) long_text += fmt::format("{} ", long_text.size());
  const std::string text = R"({"risk":")" + long_text + R"("})";
  server.next({json::object{{"events", wire(good_events(text, 1U << 16U))}}});
  bool takes = false;
  const auto host = std::make_shared<Host>();
  host->takes_deltas = [&] { return takes; };
  bench.client().start(Bench::spec(), schema_judge(), host);
  bench.run_for(600);
  const auto held = server.service.journal().counters().at("running").to_number<int>();
  const auto given = host->text.size();
  checks.expect(held == 1 && !host->outcome, "the server cannot get rid of its stream");
  checks.expect(given < (std::size_t{4} << 20U), "nothing piles up at the host");
  takes = true;
  bench.run_until([&] { return host->outcome.has_value(); }, 20'000);
  checks.expect(host->ok() && host->records.size() == 1 && host->text == text, "goes on when the host is ready");
  checks.note(fmt::format("{} KiB given while paused", given / 1024));
}

/// Cancels in some phase; gives the milliseconds until the end.
std::int64_t stop(Bench& bench, Endpoint* server, Checks& checks, const std::string& phase, int wait_ms) {
  const auto host = std::make_shared<Host>();
  const auto id = bench.client().start(Bench::spec("one/main/9"), schema_judge(), host);
  bench.run_for(wait_ms);
  const auto asked = server ? server->asked() : 0;
  if (phase == "connect") checks.expect(host->starts.size() == 1 && host->records.empty(), "still connecting");
  const auto begun = std::chrono::steady_clock::now();
  bench.client().cancel(id);
  bench.run_until([&] { return host->outcome.has_value(); }, 2'000);
  const auto ms = std::chrono::duration_cast<milliseconds>(host->finished_at - begun).count();
  bench.run_for(150);
  checks.expect(host->error_code() == "CANCELLED" && ms <= 100, fmt::format("{}: {} ms", phase, ms));
  if (server) checks.expect(server->asked() == asked, phase + ": no later request");
  return ms;
}

/// A port that accepts nobody: its queue of one is full, so that further connections hang in the handshake.
class FullPort {
 public:
  explicit FullPort(boost::asio::io_context& loop) : acceptor_(loop) {
    const tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
    acceptor_.open(any.protocol());
    acceptor_.bind(any);
    acceptor_.listen(0);
    for (int i = 0; i < 3; ++i) {
      waiting_.push_back(std::make_unique<tcp::socket>(loop));
      waiting_.back()->async_connect(acceptor_.local_endpoint(), [](const boost::system::error_code&) {});
    }
    loop.restart();
    loop.run_for(milliseconds(30));
  }
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}/v1", acceptor_.local_endpoint().port()); }

 private:
  using tcp = boost::asio::ip::tcp;
  tcp::acceptor acceptor_;
  std::vector<std::unique_ptr<tcp::socket>> waiting_;
};

void stops(Bench& bench, Checks& checks) {
  std::string times;
  {
    Bench own;
    const FullPort port(own.loop);
    own.add_model("m1", port.url());
    times += fmt::format("connect {} ms, ", stop(own, nullptr, checks, "connect", 60));
  }
  for (const auto& [phase, step] : {std::pair<const char*, json::object>{"wait", {{"connection", "stall"}}},
                                    {"back-off", {{"status", 429}, {"headers", json::object{{"retry-after", "5"}}}}},
                                    {"stream", {{"connection", "stall"}, {"after_events", 5}}}}) {
    Bench own;
    auto& server = own.one();
    server.next({step});
    times += fmt::format("{} {} ms, ", phase, stop(own, &server, checks, phase, 150));
  }
  auto& server = bench.one();
  bench.max_concurrent = 1;
  server.next({json::object{{"connection", "stall"}}});
  const auto first = bench.start(Bench::spec());
  bench.run_for(60);
  times += fmt::format("queue {} ms", stop(bench, &server, checks, "queue", 60));
  checks.note(times);
}

/// A gzip file with one stored block: enough to see that the client unpacks.
std::string gzip(const std::string& text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  const auto little = [](std::uint32_t n, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>((n >> (8 * i)) & 0xFFU);
    return out;
  };
  std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
  for (std::size_t at = 0; at < text.size(); at += 60'000) {
    const auto part = text.substr(at, 60'000);
    const auto size = static_cast<std::uint32_t>(part.size());
    out += static_cast<char>(at + part.size() >= text.size() ? 1 : 0);
    out += little(size, 2) + little(~size, 2) + part;
  }
  return out + little(crc.checksum(), 4) + little(static_cast<std::uint32_t>(text.size()), 4);
}

std::string joined_stream() {
  std::string all;
  for (const auto& event : good_events(kGood)) all += event.text();
  return all;
}

void odd_http(Bench& bench, Checks& checks) {
  const auto body = joined_stream();
  const auto packed = gzip(body);
  const std::string type = "Content-Type: text/event-stream\r\n";
  const std::vector<std::pair<const char*, std::string>> good{
      {"gzip", fmt::format("HTTP/1.1 200 OK\r\n{}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{}", type, packed.size(), packed)},
      {"trailers", fmt::format("HTTP/1.1 200 OK\r\n{}Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n{:x}\r\n{}\r\n0\r\nx-sum: 1\r\n\r\n", type, body.size(), body)},
      {"1xx", fmt::format("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n{}", type, body.size(), body)},
      {"wrong type", fmt::format("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)}};
  for (const auto& [name, raw] : good) {
    Bench own;
    own.one().next({json::object{{"raw", raw}}});
    const auto host = own.ask();
    checks.expect(host->ok(), std::string(name) + " ends well");
    checks.note(fmt::format("{}: {}", name, host->history()));
  }
  for (const auto& [name, raw] : {std::pair<const char*, std::string>{"204", "HTTP/1.1 204 No Content\r\n\r\n"},
                                  {"HTML", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>Hi</html>"}}) {
    Bench own;
    own.one().next({json::object{{"raw", raw}}});
    const auto host = own.ask();
    checks.expect(!host->records.empty() && host->records[0].status != "completed" && host->records[0].error.has_value(), std::string(name) + " is a clean error");
    checks.note(fmt::format("{}: {}", name, host->history()));
  }
  static_cast<void>(bench);
}

/// All calls of one run: key -> body and value.
std::map<std::string, std::pair<std::string, std::string>> fan_out(std::uint64_t seed) {
  Bench bench;
  rehearsal::ServiceOptions options = slow(4, 40);
  options.seed = seed;
  options.pace.spread = 0.95;
  auto& server = bench.add_server(options);
  bench.add_model("m1", server.url());
  std::map<std::string, HostPtr> hosts;
  for (int i = 1; i <= 16; ++i) {
    auto spec = Bench::spec(fmt::format("one/main/{}/1", i));
    spec.item_number = i;
    spec.messages.push_back({llm::Message::Role::user, {fmt::format("Item {}", i)}});
    hosts[spec.call_key] = bench.start(spec);
  }
  bench.run_until([&] { return bench.client().active() == 0; });
  std::map<std::string, std::pair<std::string, std::string>> result;
  for (const auto& body : server.bodies()) result[std::string(get_string(body.at("metadata"), "call").value_or(""))].first = to_json(body);
  for (const auto& [key, host] : hosts) result[key].second = host->ok() ? to_json(host->outcome->value) : host->error_code();
  return result;
}

void any_order(Bench& bench, Checks& checks) {
  const auto one = fan_out(1), two = fan_out(2);
  checks.expect(one.size() == 16 && one == two, "identical requests and results per key in both runs");
  checks.note(fmt::format("{} keys compared", one.size()));
  static_cast<void>(bench);
}

void repeated_chunk(Bench& bench, Checks& checks) {
  auto [first, second] = bench.two();
  auto events = wire(good_events(kGood));
  events.erase(events.begin() + 4, events.end());
  const json::value delta("data: " + to_json(json::object{{"type", "response.output_text.delta"}, {"item_id", "msg_scripted"}, {"output_index", 0},
                                                          {"content_index", 0}, {"delta", "again "}}) + "\n\n");
  for (int i = 0; i < 300; ++i) events.push_back(delta);
  first.script(json::object{{"repeat", 0}, {"steps", json::array{json::object{{"events", events}}}}});
  const auto host = bench.ask();
  checks.expect(host->ok() && host->outcome->model == "m2", "then the next model");
  checks.expect(first.asked() == 2, "once more on the same model");
  checks.expect(!host->records.empty() && host->records[0].status != "completed" && host->records[0].text.size() < 150 * 6, "aborted after about 100");
  checks.note(host->history());
}

}  // namespace

std::vector<Row> life_rows() {
  std::vector<Row> rows{{50, "first POST runs, reply lost, second POST runs", "both in the ledger, one result", lost_reply},
                        {51, "background queued; cancel race; cancel twice", "polls; idempotent", background},
                        {52, "parent id or schema silently ignored", "found locally, by capability flags", ignored},
                        {53, "usage missing, null, without details, huge", "estimate or saturate, no crash", usages},
                        {54, "slow consumer of deltas", "memory bounded, reading paused", slow_consumer},
                        {55, "stop during connect, wait, queue, back-off, stream", "<= 100 ms, no later request", stops},
                        {56, "gzip, trailers, 1xx, 204, wrong Content-Type", "handled or clean error", odd_http},
                        {57, "random latency, any order of ends", "identical requests and results per key", any_order},
                        {60, "same chunk repeated without end", "aborted after 100", repeated_chunk}};
  for (const auto& row : process_rows()) rows.push_back(row);
  return rows;
}

}  // namespace planexe::faults
