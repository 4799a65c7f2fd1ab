#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "llm/client.hpp"
#include "rehearsal/server.hpp"
#include "rehearsal/wire.hpp"

namespace planexe::faults {

using std::chrono::milliseconds;
using rehearsal::ScriptStep;

/// Collects what a row saw; the row fails when one of its checks does.
class Checks {
 public:
  void expect(bool held, const std::string& what);
  void note(const std::string& what);
  [[nodiscard]] bool passed() const { return passed_ && checks_ > 0; }
  [[nodiscard]] std::string text() const;

 private:
  bool passed_ = true;
  int checks_ = 0;
  std::vector<std::string> failed_, notes_;
};

/// Keeps everything the client tells.
struct Host : llm::CallHost {
  std::vector<llm::AttemptStart> starts;
  std::vector<llm::AttemptRecord> records;
  std::vector<std::string> response_ids;
  std::string text;
  std::optional<llm::CallOutcome> outcome;
  int finished_count = 0;
  std::chrono::steady_clock::time_point finished_at;
  std::function<bool(const llm::AttemptStart&)> lets_go;   ///< false: refused as over the budget
  std::function<bool()> takes_deltas;

  void attempt_ready(const llm::AttemptStart& start, std::function<void(bool, ErrorCode)> go) override;
  void response_id(int, const std::string& id) override { response_ids.push_back(id); }
  void text_delta(int, std::string_view delta) override { text += delta; }
  void reasoning_delta(int, std::string_view) override {}
  void attempt_ended(const llm::AttemptRecord& record) override { records.push_back(record); }
  void finished(llm::CallOutcome result) override;
  bool wants_deltas() override { return !takes_deltas || takes_deltas(); }

  [[nodiscard]] bool ok() const { return outcome && outcome->ok; }
  [[nodiscard]] std::string error_code() const;
  /// "first failed, retry completed": reason and status of every attempt.
  [[nodiscard]] std::string history() const;
  /// The reason of an attempt, from 0; "" when there was none.
  [[nodiscard]] std::string reason(std::size_t index) const;
};
using HostPtr = std::shared_ptr<Host>;

/// A rehearsal server in this process.
struct Endpoint {
  Endpoint(boost::asio::io_context& loop, rehearsal::ServiceOptions options);

  /// Adds a script; a script that cannot be read is a mistake of the row and aborts.
  void script(const json::value& value);
  /// The next answers are these, then good ones.
  void next(std::vector<json::value> steps);
  [[nodiscard]] std::string url() const { return server.url() + "/v1"; }
  /// Requests for an answer so far.
  [[nodiscard]] std::int64_t asked();
  /// All requests of a method and path, as kept by the server.
  std::vector<json::object> requests(std::string_view method = "POST", std::string_view path = "/v1/responses");
  std::vector<json::value> bodies();

  SystemClock clock;
  rehearsal::Service service;
  rehearsal::Server server;
};

/// One row's world: servers, a catalogue and the real client, all on one loop, with short timers.
class Bench {
 public:
  Bench();
  ~Bench();

  Endpoint& add_server(rehearsal::ServiceOptions options = {});
  /// A model on a server; the first one is asked first.
  llm::ModelEntry& add_model(const std::string& id, const std::string& base_url, const std::string& provider = "rehearsal");
  /// One server "s" with one model "m1"; for most rows.
  Endpoint& one();
  /// The same with a second model of another provider on a second server.
  std::pair<Endpoint&, Endpoint&> two();

  llm::ModelClient& client();
  void drop_client();
  [[nodiscard]] static llm::CallSpec spec(const std::string& key = "one/main/1");
  HostPtr start(llm::CallSpec spec, llm::Judge judge = {});
  /// Starts a call and runs until it is over.
  HostPtr ask(llm::CallSpec spec = Bench::spec(), llm::Judge judge = {}, int deadline_ms = 8'000);
  bool run_until(const std::function<bool()>& done, int deadline_ms = 8'000);
  void run_for(int ms);
  /// The client only fails over or gives up by the row's own fault, not because a breaker saw three of them.
  void without_breaker();

  boost::asio::io_context loop;
  llm::ClientSettings settings;
  llm::Catalogue catalogue;
  std::map<std::string, std::string> secrets;
  std::string payload_log;
  int max_concurrent = 64;
  bool store = true;
  const Clock* clock = nullptr;   ///< of the client; null: the system's

 private:
  SystemClock system_clock_;
  Random random_{11};
  std::vector<std::unique_ptr<Endpoint>> servers_;
  std::unique_ptr<llm::ModelClient> client_;
};

/// The judge of one step as the engine makes it: tolerant reading, schema, repair text.
llm::Judge schema_judge();
json::value risk_schema();

/// A good stream's events for that text, and their wire form.
std::vector<rehearsal::WireEvent> good_events(const std::string& text, std::size_t chunk = 6);
json::array wire(const std::vector<rehearsal::WireEvent>& events);
json::object final_response(const std::string& text, std::string_view status = "completed");
inline const std::string kGood = R"({"risk":"Frost"})";

/// A row of llm.md 5.2.
struct Row {
  int number = 0;
  const char* fault = "";
  const char* expected = "";
  void (*run)(Bench& bench, Checks& checks) = nullptr;
};
std::vector<Row> connection_rows();   // 1..12
std::vector<Row> stream_rows();       // 13..28
std::vector<Row> answer_rows();       // 29..36
std::vector<Row> status_rows();       // 37..49
std::vector<Row> life_rows();         // 50..63

}  // namespace planexe::faults
