#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/conversation/intake_schema.hpp"
#include "server/conversation/interview.hpp"
#include "server/conversation/limits.hpp"
#include "server/conversation/run.hpp"
#include "store/store.hpp"
#include "support/temp_dir.hpp"

namespace planexe::server::test {

using namespace std::chrono_literals;

inline constexpr const char* kConversation = "conv_00000000-0000-4000-8000-000000000001";

/// A database of its own with one conversation and the person's first message.
class ConversationStore {
 public:
  ConversationStore() {
    store::OpenOptions options;
    options.url = "sqlite:///plans.db";
    options.data_dir = folder_.path().string();
    auto opened = store::open_store(options);
    EXPECT_TRUE(opened) << to_string(opened.error());
    store = std::move(*opened);
    store::ConversationRow row;
    row.id = kConversation;
    row.model_key = "model-a";
    row.created_at = row.updated_at = start;
    commit({store::PutConversation{row}});
    say(1, "user", "Open a bicycle repair shop in Lyon");
  }

  void say(int turn, const std::string& role, const std::string& text, const std::string& status = "completed") {
    store::TurnRow row;
    row.conversation_id = kConversation;
    row.turn = turn;
    row.role = role;
    row.text = text;
    row.status = status;
    row.created_at = start;
    commit({store::PutTurn{row}});
  }
  void commit(std::vector<store::Write> writes) {
    const auto result = store->commit(store::Transaction{"", std::nullopt, std::move(writes), "test"});
    ASSERT_TRUE(result.ok()) << (result.error ? to_string(*result.error) : "");
  }
  [[nodiscard]] store::ConversationRow row() { return store->conversation(kConversation).value().value(); }
  [[nodiscard]] std::vector<store::TurnRow> turns() { return store->turns(kConversation).value(); }

  const TimePoint start = *parse_iso("2031-03-01T09:00:00Z");
  std::unique_ptr<store::Store> store;

 private:
  planexe::test::TempDir folder_;
};

/// Performs what a run wants: commits go to a real database at once unless they are held back; the calls are the test's.
class RunBench {
 public:
  RunBench(Run& run, store::Store& store, TimePoint start) : run_(run), store_(store), wall_(start) {}

  [[nodiscard]] Moment now() const { return {steady_, wall_}; }
  void pass(std::chrono::milliseconds by) {
    steady_ += by;
    wall_ += by;
  }

  void start() { perform(run_.start(now())); }
  void ready(CallPart part, int attempt = 1, llm::AttemptReason reason = llm::AttemptReason::first) {
    llm::AttemptStart begin;
    begin.attempt = attempt;
    begin.reason = reason;
    begin.model = "model-a";
    begin.provider = "rehearsal";
    perform(run_.attempt_ready(part, begin, now()));
  }
  void response(CallPart part, const std::string& id, int attempt = 1) { perform(run_.response_id(part, attempt, id, now())); }
  void text(const std::string& delta, int attempt = 1) { perform(run_.delta(CallPart::reply, attempt, TextKind::text, delta, now())); }
  void reasoning(const std::string& delta) { perform(run_.delta(CallPart::reply, 1, TextKind::reasoning, delta, now())); }
  void wake() { perform(run_.wake(now())); }
  void cancel(ErrorCode why = ErrorCode::Cancelled) { perform(run_.cancel(why, now())); }
  void discard() { perform(run_.discard(now())); }

  void attempt_ended(CallPart part, int attempt, const std::string& text, const std::string& response, std::optional<Error> error = {},
                     bool will_retry = false, std::int64_t duration_ms = 10) {
    llm::AttemptRecord record;
    record.attempt = attempt;
    record.status = error ? "failed" : "completed";
    record.model = "model-a";
    record.provider = "rehearsal";
    record.response_id = response;
    record.text = text;
    record.reasoning = "thought";
    record.usage = {100, 20, 0, 10, 2, false};
    record.error = std::move(error);
    record.will_retry = will_retry;
    record.duration_ms = duration_ms;
    perform(run_.attempt_ended(part, record, now()));
  }
  /// The judge of the call decides, as the model client lets it.
  void answered(CallPart part, const std::string& text, const std::string& response, int attempt = 1) {
    attempt_ended(part, attempt, text, response);
    auto judgement = judges.at(part)(text, {}, true);
    ASSERT_TRUE(judgement.accepted) << judgement.error;
    llm::CallOutcome outcome;
    outcome.ok = true;
    outcome.value = std::move(judgement.value);
    outcome.model = "model-a";
    outcome.provider = "rehearsal";
    outcome.response_id = response;
    outcome.stored = true;
    perform(run_.finished(part, std::move(outcome), now()));
  }
  void failed(CallPart part, ErrorCode code, int attempt = 1, std::int64_t duration_ms = 10) {
    attempt_ended(part, attempt, "", "", Error(code, "secret words of a provider"), false, duration_ms);
    ended_with(part, code);
  }
  /// A call that ends before a request was sent.
  void ended_with(CallPart part, ErrorCode code) {
    llm::CallOutcome outcome;
    outcome.error = Error(code, "secret words of a provider");
    perform(run_.finished(part, std::move(outcome), now()));
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (std::int64_t id = 1; id <= run_.log().last_id(); ++id) list.emplace_back(run_.log().name(id));
    return list;
  }
  [[nodiscard]] json::value data(std::int64_t id) const { return json::parse(run_.log().data(id)); }
  [[nodiscard]] json::value last() const { return data(run_.log().last_id()); }
  [[nodiscard]] bool was_let_go(CallPart part, int attempt = 1) const {
    const auto it = let_go.find({part, attempt});
    return it != let_go.end() && it->second.go;
  }

  /// Commits that were held back, in order.
  void release() {
    hold = false;
    for (auto& commit : std::exchange(held_, {})) perform_one(commit);
  }

  std::map<CallPart, llm::CallSpec> specs;
  std::map<CallPart, llm::Judge> judges;
  std::map<std::pair<CallPart, int>, wanted::LetGo> let_go;
  std::vector<CallPart> cancelled;
  std::vector<std::string> committed;   ///< labels
  std::vector<std::chrono::steady_clock::time_point> wakes;
  std::string failing;                  ///< label of commits that fail
  bool hold = false;
  int overs = 0;

 private:
  void perform(Wants wants) {
    for (auto& want : wants) std::visit([this](auto& one) { perform_one(one); }, want);
  }
  void perform_one(wanted::Commit& commit) {
    if (hold) {
      held_.push_back(std::move(commit));
      return;
    }
    committed.push_back(commit.transaction.label);
    store::CommitResult result{store::CommitStatus::failed, Error(ErrorCode::DatabaseError, "full")};
    const int token = commit.token;
    if (commit.transaction.label != failing) result = store_.commit(std::move(commit.transaction));
    perform(run_.committed(token, result, now()));
  }
  void perform_one(wanted::StartCall& start) {
    specs[start.part] = std::move(start.spec);
    judges[start.part] = std::move(start.judge);
  }
  void perform_one(wanted::LetGo& one) { let_go.insert_or_assign(std::pair(one.part, one.attempt), one); }
  void perform_one(wanted::CancelCall& one) { cancelled.push_back(one.part); }
  void perform_one(wanted::Wake& one) { wakes.push_back(one.at); }
  void perform_one(wanted::Over&) { ++overs; }

  Run& run_;
  store::Store& store_;
  TimePoint wall_;
  std::chrono::steady_clock::time_point steady_{1000h};
  std::vector<wanted::Commit> held_;
};

/// An answer to the form's schema.
inline std::string form_answer(const std::string& title = "Bicycle shop", const json::value& digital = false) {
  return to_json(json::object{
      {"conversation_summary", "A shop in Lyon."},
      {"areas_needing_clarification", json::array{}},
      {"project_title", title},
      {"refined_objective", "Open a repair shop."},
      {"scale", "local"},
      {"risk_tolerance", "moderate"},
      {"domain", "Trade"},
      {"budget", json::object{{"estimated_total", "80 000 EUR"}, {"funding_sources", json::array{"savings"}}, {"currency", "EUR"}}},
      {"timeline", json::object{{"target_completion", nullptr}, {"key_milestones", json::array{}}, {"urgency", nullptr}}},
      {"team_size", nullptr},
      {"existing_resources", json::array{}},
      {"geography", json::object{{"is_digital_only", digital}, {"physical_locations", json::array{"Lyon"}}, {"notes", nullptr}}},
      {"hard_constraints", json::array{"no new bicycles"}},
      {"success_criteria", json::array{}},
      {"key_stakeholders", json::array{}},
      {"regulatory_context", nullptr},
      {"confidence_score", 7},
      {"language", "de"}});
}

}  // namespace planexe::server::test
