#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/conversation/call_ledger.hpp"
#include "server/conversation/delta_gather.hpp"
#include "server/conversation/intake_draft.hpp"
#include "server/conversation/run.hpp"
#include "server/conversation/turn_failure.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// One model call of a turn before it starts.
struct PlannedCall {
  llm::CallSpec spec;
  llm::Judge judge;
  CallLedger ledger;
};

/// A turn before it starts. With a reply it is a turn of the conversation and has its row; without one it only makes the
/// form, and fails when it cannot.
struct TurnSetup {
  std::string token;
  store::ConversationRow conversation;  ///< as read; model_key is the one of this turn
  store::TurnRow answer;                ///< conversation, number, time; the row to be filled
  /// Without a reply: any turn of the conversation. Turns are refused for a conversation that is gone, so that writing it
  /// along keeps a deleted one from coming back.
  std::optional<store::TurnRow> witness;
  std::string first_prompt;
  std::optional<PlannedCall> reply;
  std::optional<PlannedCall> form;
};

/// How a turn ended.
struct TurnEnd {
  std::optional<TurnFailure> failure;
  std::string text, reasoning, response_id;
  std::string model;                    ///< that really answered
  std::optional<IntakeDraft> draft;     ///< made in this turn
  llm::Usage usage;                     ///< of all calls and attempts
  TimePoint completed_at{};
};

/// The machine of one turn: the reply is streamed while a second call fills in the form from the same messages.
///
/// Two calls and not one structured answer with both: text of a strict answer comes only after what stands before it in
/// the schema and would have to be cut out of unfinished JSON, and a form that has to be repaired would repeat the reply.
/// They run at the same time, so that the turn takes as long as the longer one; a form that fails costs the turn nothing
/// but the new draft.
///
/// What clients are told at the end is told after the commit.
class TurnRun final : public Run {
 public:
  explicit TurnRun(TurnSetup setup);

  Wants start(Moment now) override;
  Wants attempt_ready(CallPart part, const llm::AttemptStart& start, Moment now) override;
  Wants response_id(CallPart part, int attempt, const std::string& id, Moment now) override;
  Wants delta(CallPart part, int attempt, TextKind kind, std::string_view text, Moment now) override;
  Wants attempt_ended(CallPart part, const llm::AttemptRecord& record, Moment now) override;
  Wants finished(CallPart part, llm::CallOutcome outcome, Moment now) override;
  Wants committed(int token, const store::CommitResult& result, Moment now) override;
  Wants wake(Moment now) override;
  Wants cancel(ErrorCode why, Moment now) override;
  Wants discard(Moment now) override;

  [[nodiscard]] const EventLog& log() const override { return log_; }
  [[nodiscard]] bool over() const override { return phase_ == Phase::over; }
  /// Complete when over().
  [[nodiscard]] const TurnEnd& end() const { return end_; }

 private:
  enum class Phase { running, stopping, storing, over };
  struct CallState {
    PlannedCall planned;
    bool active = false;
    bool ok = false;
    bool cancelled = false;
  };
  struct Waiting {
    CallPart part;
    int attempt;
  };

  CallState* state(CallPart part);
  void begin_call(CallPart part);
  void write(std::vector<store::Write> writes, std::string label);
  int commit(std::vector<store::Write> writes, std::string label);
  json::object event(json::object fields) const;
  void tell_created(Moment now);
  void tell_deltas(std::vector<DeltaGather::Piece> pieces, Moment now);
  void pass_deltas(Moment now);
  void restart_reply();
  void reply_finished(CallState& call, llm::CallOutcome& outcome, Moment now);
  void form_finished(CallState& call, llm::CallOutcome& outcome, Moment now);
  void tell_draft();
  void stop(TurnFailure failure);
  void cancel_calls();
  void started(bool stored);
  void settle(Moment now);
  void store_end(Moment now);
  void tell_end(Moment now);
  void tell_failure();
  void finish();
  Wants take() { return std::exchange(wants_, {}); }

  TurnSetup setup_;
  std::map<CallPart, CallState> calls_;
  EventLog log_;
  DeltaGather gather_;
  TurnEnd end_;
  Wants wants_;
  Phase phase_ = Phase::running;
  bool discarded_ = false;
  bool start_pending_ = false;  ///< the beginning is not stored yet
  bool created_ = false;       ///< the current response was told
  bool draft_told_ = false;
  int last_token_ = 0, start_token_ = 0, end_token_ = 0;
  std::map<int, Waiting> waiting_;
  std::vector<std::pair<Waiting, std::vector<store::Write>>> delayed_;  ///< ledger rows that come after the beginning
  std::optional<std::chrono::steady_clock::time_point> form_due_, asked_wake_;
};

}  // namespace planexe::server
