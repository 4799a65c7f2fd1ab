#pragma once

#include <deque>
#include <memory>
#include <string>

#include "answers.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "journal.hpp"
#include "pace.hpp"
#include "prefix_cache.hpp"
#include "response_store.hpp"
#include "script.hpp"
#include "wire_plan.hpp"

namespace planexe::rehearsal {

struct ServiceOptions {
  Pace pace;
  std::uint64_t seed = 0;         ///< of ids, times and random faults
  double fault_rate = 0;          ///< share of answers that a random fault spoils, 0..1
  int rpm = 10'000'000;           ///< requests and tokens per minute that the rate headers promise; more is answered with 429
  std::int64_t tpm = 10'000'000'000;
};

/// The server without sockets: what each request is answered with. Time comes in, plans go out. One thread.
class Service {
 public:
  Service(ServiceOptions options, AnswerBook answers);

  struct Now {
    SteadyTime steady;
    TimePoint wall;
  };
  WirePlan handle(const HttpRequest& request, Now now);

  [[nodiscard]] Journal& journal() { return journal_; }
  [[nodiscard]] ScriptBook& scripts() { return scripts_; }

 private:
  /// What an answer is made of before it is put on the wire.
  struct Draft {
    std::shared_ptr<Request> request;
    Answer answer;
    Pace pace;
    const ScriptStep* step = nullptr;
    std::optional<ScriptStep> random_fault;
  };

  WirePlan route(const HttpRequest& request, Now now);
  WirePlan route_response(const HttpRequest& request, std::string_view rest, Now now);
  WirePlan control(const HttpRequest& request);
  WirePlan create(const HttpRequest& request, Request::Transport transport, Now now);
  WirePlan input_tokens(const HttpRequest& request);
  WirePlan fetch(const HttpRequest& request, const std::string& id, Now now);
  WirePlan cancel(const std::string& id, Now now);
  WirePlan input_items(const HttpRequest& request, const std::string& id, Now now);
  WirePlan models(std::string_view id);

  /// Joins the parent's messages in front. INVALID_REQUEST in the form of request.hpp.
  Result<void> join_parent(Request& request);
  void check_rules(const HttpRequest& http, const Request& request, const json::value& body);
  void pick_fault(Draft& draft, const RequestFacts& facts);
  void fill(Draft& draft, Now now);
  WirePlan present(Draft& draft, Now now);
  WirePlan present_good(const Draft& draft, Now now);
  WirePlan background_reply(const StoredResponse& stored, bool stream, std::int64_t after, Now now);
  [[nodiscard]] bool over_rate(std::int64_t tokens, Now now);
  [[nodiscard]] Headers headers();
  WirePlan error(int status, std::string_view message, std::string_view type, std::string_view code, std::string_view param = {});
  WirePlan refused(const Error& error);
  std::string make_id(std::string_view prefix);

  ServiceOptions options_;
  AnswerBook answers_;
  Random random_;
  Journal journal_;
  ScriptBook scripts_;
  ResponseStore responses_;
  PrefixCache cache_;
  struct Spent {
    SteadyTime at;
    std::int64_t tokens;
  };
  std::deque<Spent> minute_;
  std::int64_t minute_tokens_ = 0;
  std::int64_t requests_ = 0;
  bool stopped_ = false;   ///< a request after POST /control/stop is counted as a client's fault
};

}  // namespace planexe::rehearsal
