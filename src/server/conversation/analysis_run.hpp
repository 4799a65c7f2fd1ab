#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/conversation/call_ledger.hpp"
#include "server/conversation/delta_gather.hpp"
#include "server/conversation/run.hpp"
#include "server/conversation/turn_failure.hpp"

namespace planexe::server {

/// An analysis before it starts.
struct AnalysisSetup {
  std::string session_id, task_id, model_key;
  std::string previous_response_id;  ///< that it goes on with; "" = none
  json::object metadata;             ///< of the client
  TimePoint expires_at{};            ///< of the session, as it was promised
  llm::CallSpec spec;
  llm::Judge judge;
  CallLedger ledger;
};

/// The machine of one analysis: one model call, told as it comes; ends with exactly one stream.complete or stream.error.
class AnalysisRun final : public Run {
 public:
  explicit AnalysisRun(AnalysisSetup setup);

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
  /// Of a successful analysis: what another one may go on with.
  [[nodiscard]] const std::optional<llm::Parent>& thread() const { return thread_; }

 private:
  enum class Phase { running, stopping, storing, over };

  int commit(std::vector<store::Write> writes, std::string label);
  json::object event(json::object fields) const;
  void tell_status(std::string_view status, std::string_view message, Moment now);
  void tell_chunks(std::vector<DeltaGather::Piece> pieces, Moment now);
  void pass_chunks(Moment now);
  void tell_end(Moment now);
  void stop(TurnFailure failure);
  Wants take() { return std::exchange(wants_, {}); }

  AnalysisSetup setup_;
  EventLog log_;
  DeltaGather gather_;
  Wants wants_;
  Phase phase_ = Phase::running;
  std::optional<TurnFailure> failure_;
  json::value answer_;
  std::string response_id_;
  std::optional<llm::Parent> thread_;
  json::array text_chunks_, reasoning_chunks_;
  int last_token_ = 0, end_token_ = 0;
  std::map<int, int> waiting_;  ///< attempts by the token of their commit
  std::optional<std::chrono::steady_clock::time_point> asked_wake_;
};

/// Any text that is not blank; its value is the text.
llm::Judge analysis_judge();
/// The intake form as far as it is filled in.
llm::Judge analysis_form_judge();

}  // namespace planexe::server
