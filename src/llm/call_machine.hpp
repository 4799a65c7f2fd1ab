#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "llm/attempt_policy.hpp"
#include "llm/candidates.hpp"
#include "llm/catalogue.hpp"
#include "llm/exchange.hpp"
#include "llm/knowledge.hpp"
#include "llm/limits.hpp"
#include "llm/redact.hpp"
#include "llm/request.hpp"
#include "llm/settings.hpp"
#include "llm/types.hpp"

namespace planexe::llm {

/// Both clocks at one moment. Timers use the steady one; dates of servers, ages and prices the wall clock.
struct Now {
  SteadyTime steady;
  TimePoint wall;
};

/// What a call machine wants to be done.
namespace action {
/// Wait for a place at the endpoint of `model`; answered by admitted().
struct Enqueue {
  const ModelEntry* model;
  Ticket ticket;
};
struct LeaveQueue {};
/// Show the attempt to the host; answered by gate().
struct Announce {
  AttemptStart start;
};
/// Send a request; answered by head(), body() and ended().
struct Send {
  const ModelEntry* model;
  Request request;
};
/// Stop the transfer; nothing of it is reported any more.
struct Abort {};
/// The answer is complete; the transfer may end by itself, unreported.
struct Drain {};
/// Stop a background response at the provider; nobody waits for the answer.
struct CancelAtProvider {
  const ModelEntry* model;
  std::string response_id;
};
/// The admitted request is over.
struct FinishTicket {
  Feedback feedback;
};
struct LearnHeaders {
  HeaderMap headers;
};
struct FirstToken {};
struct ResponseId {
  int attempt;
  std::string id;
};
struct Deltas {
  int attempt;
  std::string text, reasoning;
};
struct EndAttempt {
  AttemptRecord record;
};
struct Finish {
  CallOutcome outcome;
};
}  // namespace action

using Action = std::variant<action::Enqueue, action::LeaveQueue, action::Announce, action::Send, action::Abort, action::Drain,
                            action::CancelAtProvider, action::FinishTicket, action::LearnHeaders, action::FirstToken,
                            action::ResponseId, action::Deltas, action::EndAttempt, action::Finish>;
using Actions = std::vector<Action>;

/// What all calls share. `limits` is only asked here; its changes are actions.
struct CallEnvironment {
  const ClientSettings& settings;
  const Catalogue& catalogue;
  const PriceTable& prices;
  const Limits& limits;
  Knowledge& knowledge;
  const Redactor& redact;
  Random& random;
  std::function<bool(const ModelEntry&)> configured;
  bool store_responses = true;
};

/// One call from the queue to its outcome: retries, repairs, budgets, fallback, chains, recovery. Pure: every event gives
/// the actions that follow from it, in order. After a Finish action every event gives nothing.
class CallMachine {
 public:
  CallMachine(TicketId id, CallSpec spec, Judge judge, CallEnvironment& environment);
  CallMachine(const CallMachine&) = delete;
  CallMachine& operator=(const CallMachine&) = delete;

  Actions start(Now now);
  Actions admitted(Now now);
  /// The queue had no room.
  Actions queue_full(Now now);
  /// The host's answer to Announce; `refusal` ends the call when `go` is false.
  Actions gate(bool go, ErrorCode refusal, Now now);
  Actions head(const ResponseHead& head, Now now);
  Actions body(std::string_view bytes, Now now);
  Actions ended(const TransferEnd& end, Now now);
  /// The time of deadline() has come.
  Actions timer(Now now);
  /// A breaker opened; a waiting call looks for another model.
  Actions breaker_opened(Now now);
  /// `at_provider`: background responses are stopped at the provider too.
  Actions cancel(bool at_provider, Now now);
  /// Nothing is read because the host takes no deltas.
  void paused(Now now);

  /// When timer() must be called; nothing when the call is finished.
  [[nodiscard]] std::optional<SteadyTime> deadline() const;
  [[nodiscard]] bool finished() const { return phase_ == Phase::finished; }
  [[nodiscard]] const CallSpec& spec() const { return spec_; }

 private:
  enum class Phase { idle, queued, announced, exchanging, waiting, finished };
  /// What a waiting call does next.
  enum class Next { request, fetch, continuation };

  /// State of the request in flight.
  struct Attempt {
    int number = 0;
    AttemptReason reason = AttemptReason::first;
    bool recovered = false;
    bool background = false;
    bool store = false;
    bool by_parent = false;
    bool resent = false;
    Next doing = Next::request;
    std::string request_hash;
    std::string provider_request_id;
    SteadyTime queued_at{};
    SteadyTime started_at{};
    TimePoint started_wall{};
    std::int64_t queue_ms = 0;
    std::int64_t first_byte_ms = 0;
    std::int64_t first_token_ms = 0;
    bool response_id_told = false;
    int continuations = 0;
    int fetch_failures = 0;
    ClientSettings::Ms poll_delay{0};
    int http_status = 0;
    std::unique_ptr<StreamAccumulator> accumulator;
    std::unique_ptr<Exchange> exchange;
    Request request;
  };

  // call_machine.cpp: events and the way to the next request
  void start_recovery(Now now);
  void take_first_model(Now now);
  void use_model(const ModelEntry& model, Now now);
  void switch_model(MoveReason reason, Now now);
  void enqueue(AttemptReason reason, Now now);
  bool move_if_closed(Now now);
  void queue_timer(Now now);
  void announce(Now now);
  void wait(Next next, ClientSettings::Ms delay, Now now);
  void after_wait(Now now);
  void send(const Request& request, Now now);
  [[nodiscard]] RequestInput request_input() const;
  [[nodiscard]] bool wants_background() const;
  [[nodiscard]] bool may_use_parent(Now now) const;
  [[nodiscard]] int output_budget(const ModelEntry& model) const;
  [[nodiscard]] bool fits(const ModelEntry& model) const;
  [[nodiscard]] Candidates::Facts facts();
  [[nodiscard]] ClientSettings::Ms time_left(Now now) const;
  void give(Action action) { actions_.push_back(std::move(action)); }
  Actions take_actions() { return std::exchange(actions_, {}); }

  // call_machine_exchange.cpp: what comes from the provider
  void after_input(const StreamUpdate& update, Now now);
  void exchange_over(Now now);
  void stop_transfer();
  bool continue_background(Now now);
  bool fetch_again(const FailureSignal& signal, Now now);
  void poll_later(Now now);
  void flush_deltas(Now now);
  void on_exchange_timer(Now now);
  void attempt_timed_out(Now now);
  void abandon_recovered(std::string_view why, Now now);

  // call_machine_judge.cpp: what the answer is worth
  void judge_response(const ModelResponse& response, Now now);
  void judge_text(const ModelResponse& response, Now now);
  void reject(const ModelResponse& response, const Judgement& judgement, Now now);
  void keep_partial(const ModelResponse& response, const Judgement& judgement);
  bool salvage_cut(const ModelResponse& response, Now now);
  void repair(const ModelResponse& response, const Judgement& judgement, Now now);
  void accept(const ModelResponse& response, Judgement judgement, Now now);
  void attempt_failed(const FailureSignal& signal, Now now);
  void act(const Decision& decision, Error error, MoveReason move, Now now);
  [[nodiscard]] bool can_repair(Now now) const;
  [[nodiscard]] bool can_move(MoveReason reason) const;

  // call_machine_end.cpp: ledger and outcome
  [[nodiscard]] ModelResponse heard() const;
  void end_attempt(std::string_view status, std::optional<Error> error, bool will_retry, bool possibly_billed, Now now);
  void fill_usage(AttemptRecord& record, const ModelResponse& response, bool possibly_billed, Now now) const;
  void finish_ticket(const Feedback& feedback);
  void fail_call(Error error, Now now);
  bool accept_partial();
  void finish(CallOutcome outcome);
  [[nodiscard]] Message said(const ModelResponse& response, std::size_t bytes_max) const;
  [[nodiscard]] CallOutcome outcome_of(const ModelResponse& response, Judgement judgement);

  TicketId id_;
  CallSpec spec_;
  Judge judge_;
  CallEnvironment& env_;
  Candidates candidates_;
  Actions actions_;
  SteadyTime asked_at_{};                    ///< of the event being handled, for questions about breakers

  Phase phase_ = Phase::idle;
  Next next_ = Next::request;
  AttemptReason next_reason_ = AttemptReason::first;
  SteadyTime wake_at_{};
  SteadyTime phase_since_{};
  bool has_ticket_ = false;
  std::optional<SteadyTime> first_sent_at_;
  std::optional<SteadyTime> blocked_since_;  ///< waits for an endpoint whose breaker is open

  const ModelEntry* model_ = nullptr;
  Wire wire_ = Wire::responses;
  std::string effort_;
  int budget_ = 0;
  std::int64_t input_tokens_ = 0;
  std::string closed_provider_;              ///< refused this call for good

  std::vector<Message> conversation_;        ///< everything, in order
  std::size_t question_end_ = 0;             ///< messages before the first answer
  std::size_t known_ = 0;                    ///< messages that the provider has under parent_id_
  std::string parent_id_;

  Progress progress_;
  int next_attempt_ = 1;
  int repairs_total_ = 0;
  int retries_total_ = 0;
  Attempt attempt_;

  json::array kept_;                         ///< valid elements of a partial list
  std::string partial_text_;                 ///< the text that kept_ was last judged with
  json::array kept_before_;
  Message partial_message_;                  ///< that text as part of the conversation

  std::string pending_text_;
  std::string pending_reasoning_;
  SteadyTime flushed_at_{};
};

}  // namespace planexe::llm
