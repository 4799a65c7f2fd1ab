#include "server/conversation/analysis_run.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/text.hpp"
#include "server/conversation/intake_schema.hpp"
#include "server/conversation/limits.hpp"

namespace planexe::server {
namespace {

json::value id_or_null(const std::string& id) { return id.empty() ? json::value(nullptr) : json::value(id); }

/// The answer as JSON when all of it is an object or a list.
json::value parsed_answer(const json::value& answer) {
  if (!answer.is_string()) return answer;
  auto parsed = parse_json(trim(std::string_view(answer.get_string())));
  return parsed && (parsed->is_object() || parsed->is_array()) ? *std::move(parsed) : json::value(nullptr);
}

}  // namespace

llm::Judge analysis_judge() {
  return [](std::string_view text, const json::array&, bool) {
    llm::Judgement judgement;
    const auto answer = to_valid_utf8(text);
    judgement.accepted = !trim(answer).empty();
    if (!judgement.accepted) {
      judgement.error = "the answer is empty";
      judgement.feedback = "Your answer was empty. Answer the question.";
    }
    judgement.value = json::string(answer);
    return judgement;
  };
}

llm::Judge analysis_form_judge() {
  return [judge = form_judge()](std::string_view text, const json::array& kept, bool last) {
    auto judgement = judge(text, kept, last);
    if (judgement.accepted) judgement.value = json::value(judgement.value.at("form"));
    return judgement;
  };
}

AnalysisRun::AnalysisRun(AnalysisSetup setup) : setup_(std::move(setup)), gather_(limits::kTurnDeltaInterval) {}

int AnalysisRun::commit(std::vector<store::Write> writes, std::string label) {
  const int token = ++last_token_;
  wants_.push_back(wanted::Commit{token, store::Transaction{"", std::nullopt, std::move(writes), std::move(label)}});
  return token;
}

json::object AnalysisRun::event(json::object fields) const {
  json::object data{{"taskId", setup_.task_id}, {"modelKey", setup_.model_key}};
  for (auto& member : fields) data.insert_or_assign(member.key(), std::move(member.value()));
  return data;
}

void AnalysisRun::tell_status(std::string_view status, std::string_view message, Moment now) {
  log_.append("stream.status", event({{"status", status},
                                      {"message", message},
                                      {"startedAt", format_iso(now.wall)},
                                      {"interactionId", setup_.ledger.interaction()}}));
}

Wants AnalysisRun::start(Moment now) {
  log_.append("stream.init", event({{"sessionId", setup_.session_id},
                                    {"connectedAt", format_iso(now.wall)},
                                    {"expiresAt", format_iso(setup_.expires_at)}}));
  tell_status("waiting", "Waiting for the model", now);
  wants_.push_back(wanted::StartCall{CallPart::reply, setup_.spec, setup_.judge});
  return take();
}

Wants AnalysisRun::attempt_ready(CallPart part, const llm::AttemptStart& start, Moment now) {
  auto writes = phase_ == Phase::running ? setup_.ledger.attempt_ready(start, now.wall) : std::nullopt;
  if (!writes) {
    const auto code = phase_ == Phase::running ? ErrorCode::ProviderUnavailable : ErrorCode::Cancelled;
    wants_.push_back(wanted::LetGo{part, start.attempt, false, code});
    return take();
  }
  gather_.clear();
  log_.restart_texts();
  text_chunks_.clear();
  reasoning_chunks_.clear();
  const bool first = start.attempt == setup_.spec.first_attempt;
  tell_status("running", first ? std::string("Analysis started") : fmt::format("Attempt {}: the answer begins anew", start.attempt), now);
  waiting_[commit(*std::move(writes), "analysis_attempt")] = start.attempt;
  return take();
}

Wants AnalysisRun::response_id(CallPart, int attempt, const std::string& id, Moment) {
  if (phase_ == Phase::over) return {};
  response_id_ = id;
  if (auto writes = setup_.ledger.response_id(attempt, id); !writes.empty()) commit(std::move(writes), "analysis_response");
  return take();
}

Wants AnalysisRun::delta(CallPart, int, TextKind kind, std::string_view text, Moment now) {
  if (phase_ != Phase::running) return {};
  if (log_.text(kind).size() + text.size() > limits::kAnswerBytesMax) {
    stop(turn_failure(ErrorCode::OutputTruncated));
    return take();
  }
  gather_.add(kind, text);
  pass_chunks(now);
  return take();
}

void AnalysisRun::pass_chunks(Moment now) {
  if (auto piece = gather_.take(now.steady)) tell_chunks({*std::move(piece)}, now);
  const auto due = gather_.due();
  if (!due || (asked_wake_ && *asked_wake_ <= *due && *asked_wake_ > now.steady)) return;
  asked_wake_ = *due;
  wants_.push_back(wanted::Wake{*due});
}

void AnalysisRun::tell_chunks(std::vector<DeltaGather::Piece> pieces, Moment now) {
  const bool structured = !setup_.spec.schema.is_null();
  for (auto& piece : pieces) {
    const bool text = piece.kind == TextKind::text;
    const char* kind = !text ? "reasoning" : structured ? "json" : "text";
    const auto data = event({{"kind", kind}, {"delta", piece.text}, {"timestamp", format_iso(now.wall)}});
    log_.append("stream.chunk", data);
    (text ? text_chunks_ : reasoning_chunks_).emplace_back(piece.text);
  }
}

Wants AnalysisRun::wake(Moment now) {
  if (phase_ == Phase::running) pass_chunks(now);
  return take();
}

Wants AnalysisRun::attempt_ended(CallPart, const llm::AttemptRecord& record, Moment now) {
  if (phase_ == Phase::over) return {};
  if (auto writes = setup_.ledger.attempt_ended(record, now.wall); !writes.empty()) commit(std::move(writes), "analysis_attempt_end");
  return take();
}

void AnalysisRun::stop(TurnFailure failure) {
  failure_ = std::move(failure);
  phase_ = Phase::stopping;
  wants_.push_back(wanted::CancelCall{CallPart::reply});
}

Wants AnalysisRun::cancel(ErrorCode why, Moment) {
  if (phase_ == Phase::running) stop(turn_failure(why));
  return take();
}

/// Its ledger rows belong to nobody else, so they are closed as ever.
Wants AnalysisRun::discard(Moment now) { return cancel(ErrorCode::Cancelled, now); }

Wants AnalysisRun::finished(CallPart, llm::CallOutcome outcome, Moment now) {
  if (phase_ == Phase::storing || phase_ == Phase::over) return {};
  if (phase_ == Phase::running && !outcome.ok) {
    const auto code = outcome.error ? outcome.error->code : ErrorCode::Internal;
    const bool waited = code == ErrorCode::ProviderUnavailable && setup_.ledger.timed_out();
    // Nobody here has stopped it: the client of the models does that only when the server ends.
    failure_ = turn_failure(code == ErrorCode::Cancelled ? ErrorCode::ShuttingDown : waited ? ErrorCode::ProviderTimeout : code);
  }
  tell_chunks(gather_.take_all(now.steady), now);
  auto writes = setup_.ledger.call_ended(outcome, now.wall);
  if (!failure_) {
    answer_ = std::move(outcome.value);
    response_id_ = outcome.response_id;
    thread_ = llm::Parent{setup_.spec.call_key, std::move(outcome.transcript), outcome.response_id, outcome.provider, outcome.model,
                          now.wall, outcome.stored};
  }
  phase_ = Phase::storing;
  if (!writes.empty()) {
    end_token_ = commit(std::move(writes), "analysis_end");
  } else {
    tell_end(now);
  }
  return take();
}

Wants AnalysisRun::committed(int token, const store::CommitResult& result, Moment now) {
  if (const auto it = waiting_.find(token); it != waiting_.end()) {
    const bool go = result.ok() && phase_ == Phase::running;
    wants_.push_back(wanted::LetGo{CallPart::reply, it->second, go, result.ok() ? ErrorCode::Cancelled : ErrorCode::DatabaseUnavailable});
    waiting_.erase(it);
  } else if (token == end_token_ && phase_ == Phase::storing) {
    if (!result.ok() && !failure_) failure_ = turn_failure(ErrorCode::DatabaseUnavailable);
    tell_end(now);
  }
  return take();
}

void AnalysisRun::tell_end(Moment now) {
  if (failure_) {
    thread_.reset();
    log_.append("stream.error", event({{"error", turn_error_json(*failure_)}, {"timestamp", format_iso(now.wall)}}));
  } else {
    const bool structured = !setup_.spec.schema.is_null();
    json::object summary{{"analysis", answer_.is_string() ? std::string(answer_.get_string()) : to_json(answer_)},
                         {"reasoning", setup_.ledger.reasoning()},
                         {"parsed", parsed_answer(answer_)},
                         {"tokenUsage", usage_json(setup_.ledger.usage())},
                         {"responseId", id_or_null(response_id_)},
                         {"previousResponseId", id_or_null(setup_.previous_response_id)}};
    json::object deltas{{"text", structured ? json::array{} : text_chunks_},
                        {"reasoning", reasoning_chunks_},
                        {"json", structured ? text_chunks_ : json::array{}}};
    log_.append("stream.complete", event({{"sessionId", setup_.session_id},
                                          {"responseSummary", std::move(summary)},
                                          {"deltas", std::move(deltas)},
                                          {"metadata", setup_.metadata}}));
  }
  phase_ = Phase::over;
  log_.end();
  wants_.push_back(wanted::Over{});
}

}  // namespace planexe::server
