#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "llm/types.hpp"
#include "server/conversation/event_log.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// Both clocks at one instant: waits are measured with the steady one, the wall clock is stored and shown.
struct Moment {
  std::chrono::steady_clock::time_point steady;
  TimePoint wall;
};

/// The model calls of a turn; an analysis has a reply only.
enum class CallPart { reply, form };

/// What a run wants to be done.
namespace wanted {
/// Answered by committed(token).
struct Commit {
  int token = 0;
  store::Transaction transaction;
};
struct StartCall {
  CallPart part;
  llm::CallSpec spec;
  llm::Judge judge;
};
/// The answer to an announced attempt.
struct LetGo {
  CallPart part;
  int attempt = 1;
  bool go = false;
  ErrorCode refusal = ErrorCode::Cancelled;
};
struct CancelCall {
  CallPart part;
};
/// wake() at this time.
struct Wake {
  std::chrono::steady_clock::time_point at;
};
/// The run is over; nothing is wanted afterwards.
struct Over {};
}  // namespace wanted

using Wanted = std::variant<wanted::Commit, wanted::StartCall, wanted::LetGo, wanted::CancelCall, wanted::Wake, wanted::Over>;
using Wants = std::vector<Wanted>;

/// A machine that asks models and tells what happens in a stream of events. Pure: every function gives what follows.
class Run {
 public:
  virtual ~Run() = default;

  virtual Wants start(Moment now) = 0;
  virtual Wants attempt_ready(CallPart part, const llm::AttemptStart& start, Moment now) = 0;
  virtual Wants response_id(CallPart part, int attempt, const std::string& id, Moment now) = 0;
  virtual Wants delta(CallPart part, int attempt, TextKind kind, std::string_view text, Moment now) = 0;
  virtual Wants attempt_ended(CallPart part, const llm::AttemptRecord& record, Moment now) = 0;
  virtual Wants finished(CallPart part, llm::CallOutcome outcome, Moment now) = 0;
  virtual Wants committed(int token, const store::CommitResult& result, Moment now) = 0;
  virtual Wants wake(Moment now) = 0;
  /// It is to stop: CANCELLED when somebody wants it, SHUTTING_DOWN when the server ends. What has come is stored with that code.
  virtual Wants cancel(ErrorCode why, Moment now) = 0;
  /// Its owner is deleted: it stops and writes nothing any more.
  virtual Wants discard(Moment now) = 0;

  [[nodiscard]] virtual const EventLog& log() const = 0;
  [[nodiscard]] virtual bool over() const = 0;
};

}  // namespace planexe::server
