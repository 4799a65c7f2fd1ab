#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "llm/call_machine.hpp"
#include "llm_server.hpp"

namespace planexe::llm::test {

/// Runs one call machine with a clock of its own. Limits and knowledge are the real ones; the provider is the test.
class Harness {
 public:
  Harness() : prices(PriceTable::embedded()), random(3) {
    add_model("m1");
    key = "sk-harness-0123456789abcdef";
    redact.add_secret(key);
  }

  ModelEntry& add_model(const std::string& model_id, const std::string& provider = "rehearsal") {
    ModelEntry entry = rehearsal_catalogue("http://127.0.0.1:1/v1").models.front();
    entry.id = entry.model = model_id;
    entry.provider = provider;
    entry.base_url = "http://" + provider + "/v1";
    entry.priority = static_cast<int>(catalogue.models.size());
    entry.max_output_tokens = 65'536;
    entry.price = Price{1'000'000, 100'000, -1, 2'000'000, "test"};
    catalogue.models.push_back(entry);
    return catalogue.models.back();
  }

  static CallSpec default_spec() {
    CallSpec spec;
    spec.plan_id = "plan-1";
    spec.task_key = "one";
    spec.call_key = "one/main";
    spec.schema_name = "one_main";
    spec.schema = json::parse(R"({"type":"object","properties":{"risk":{"type":"string"}},"required":["risk"],"additionalProperties":false})");
    spec.messages = {Message{Message::Role::developer, {"Rules"}}, Message{Message::Role::user, {"Name one risk"}}};
    spec.effort = "medium";
    return spec;
  }

  static Judge default_judge() {
    return [](std::string_view text, const json::array&, bool) {
      Judgement judgement;
      const auto parsed = parse_json(text);
      if (parsed && get_string(*parsed, "risk")) {
        judgement.accepted = true;
        judgement.value = *parsed;
      } else {
        judgement.error = "/risk: missing";
        judgement.feedback = "Fix: /risk: missing";
      }
      return judgement;
    };
  }

  void start(CallSpec spec = default_spec(), Judge judge = default_judge()) {
    if (!limits) limits = std::make_unique<Limits>(settings, 64);
    if (!knowledge) knowledge = std::make_unique<Knowledge>(settings);
    environment.emplace(CallEnvironment{settings, catalogue, prices, *limits, *knowledge, redact, random,
                                        [this](const ModelEntry& model) { return !unconfigured.contains(model.id); }, store});
    machine = std::make_unique<CallMachine>(++id, std::move(spec), std::move(judge), *environment);
    perform(machine->start(now()));
  }

  [[nodiscard]] Now now() const { return {steady, wall}; }

  void perform(Actions actions) {
    for (Action& action : actions) {
      if (auto* enqueue = std::get_if<action::Enqueue>(&action)) {
        limits->enqueue(*enqueue->model, enqueue->ticket, steady);
      } else if (std::holds_alternative<action::LeaveQueue>(action)) {
        limits->leave(id);
      } else if (auto* finish = std::get_if<action::FinishTicket>(&action)) {
        limits->finish(id, finish->feedback, steady);
        feedback.push_back(finish->feedback);
      } else if (auto* learn = std::get_if<action::LearnHeaders>(&action)) {
        limits->learn_headers(id, learn->headers, steady);
      } else if (auto* announce = std::get_if<action::Announce>(&action)) {
        starts.push_back(announce->start);
        announced = true;
      } else if (auto* send = std::get_if<action::Send>(&action)) {
        sent.push_back(send->request);
        sent_to.push_back(send->model->id);
        sent_at.push_back(steady);
        in_transfer = true;
      } else if (std::holds_alternative<action::Abort>(action)) {
        in_transfer = false;
        ++aborts;
      } else if (std::holds_alternative<action::Drain>(action)) {
        in_transfer = false;
        ++drains;
      } else if (auto* cancel = std::get_if<action::CancelAtProvider>(&action)) {
        provider_cancels.push_back(cancel->response_id);
      } else if (auto* told = std::get_if<action::ResponseId>(&action)) {
        response_ids.push_back(told->id);
      } else if (auto* deltas = std::get_if<action::Deltas>(&action)) {
        shown += deltas->text;
        shown_reasoning += deltas->reasoning;
        delta_times.push_back(steady);
      } else if (auto* end = std::get_if<action::EndAttempt>(&action)) {
        records.push_back(end->record);
      } else if (auto* done = std::get_if<action::Finish>(&action)) {
        EXPECT_FALSE(outcome.has_value()) << "finished twice";
        outcome = std::move(done->outcome);
      }
    }
    settle();
  }

  /// Lets in what waits in the queue, and lets announced attempts go.
  void settle() {
    for (const TicketId ticket : limits->admit(steady)) {
      EXPECT_EQ(ticket, id);
      perform(machine->admitted(now()));
    }
    if (announced && auto_gate) {
      announced = false;
      perform(machine->gate(true, ErrorCode::Internal, now()));
    }
  }

  /// Moves time to the machine's next deadline or the queue's next admission, whichever is first.
  bool step() {
    std::optional<SteadyTime> next = machine->deadline();
    if (const auto admission = limits->next_admission(steady)) next = next ? std::min(*next, *admission) : *admission;
    if (!next) return false;
    advance(std::max(*next - steady, std::chrono::steady_clock::duration(0)));
    return true;
  }

  void advance(std::chrono::steady_clock::duration by) {
    steady += by;
    wall += std::chrono::duration_cast<std::chrono::milliseconds>(by);
    perform(machine->timer(now()));
  }

  /// Steps until a request is out or the call is finished.
  void until_sent(std::size_t count) {
    for (int i = 0; i < 200 && sent.size() < count && !outcome; ++i) {
      if (!step()) break;
    }
    EXPECT_GE(sent.size(), count);
  }

  void head(int status, HeaderMap headers = {{"content-type", "text/event-stream"}}) {
    perform(machine->head(ResponseHead{status, std::move(headers)}, now()));
  }
  void body(std::string_view bytes) { perform(machine->body(bytes, now())); }
  void end(TransferEnd::Kind kind = TransferEnd::Kind::clean, bool reused = false) {
    in_transfer = false;
    perform(machine->ended(TransferEnd{kind, reused, kind == TransferEnd::Kind::clean ? "" : "broken"}, now()));
  }

  void answer(const std::string& response_id, const std::string& text) {
    head(200);
    body(joined(answer_events(response_id, text)));
  }
  void answer_with(const json::object& response, const std::string& type = "response.completed") {
    head(200);
    body(event({{"type", type}, {"sequence_number", 0}, {"response", response}}));
  }
  void answer_json(const json::value& value) {
    head(200, {{"content-type", "application/json"}});
    body(json::serialize(value));
    end();
  }
  void error(int status, const json::object& fields, HeaderMap headers = {}) {
    headers["content-type"] = "application/json";
    head(status, std::move(headers));
    body(json::serialize(json::object{{"error", fields}}));
    end();
  }

  [[nodiscard]] json::value request(std::size_t index) const { return json::parse(sent.at(index).body); }
  [[nodiscard]] bool ok() const { return outcome && outcome->ok; }
  [[nodiscard]] ErrorCode code() const {
    EXPECT_TRUE(outcome && outcome->error);
    return outcome && outcome->error ? outcome->error->code : ErrorCode::Internal;
  }
  [[nodiscard]] std::vector<AttemptReason> reasons() const {
    std::vector<AttemptReason> result;
    for (const AttemptStart& start : starts) result.push_back(start.reason);
    return result;
  }

  ClientSettings settings;
  Catalogue catalogue;
  PriceTable prices;
  Redactor redact;
  Random random;
  std::string key;
  bool store = true;
  bool auto_gate = true;
  std::set<std::string> unconfigured;
  std::unique_ptr<Limits> limits;
  std::unique_ptr<Knowledge> knowledge;
  std::optional<CallEnvironment> environment;
  std::unique_ptr<CallMachine> machine;
  TicketId id = 0;
  SteadyTime steady{std::chrono::hours(1)};
  TimePoint wall = std::chrono::time_point_cast<std::chrono::milliseconds>(TimePoint(std::chrono::hours(24 * 365 * 56)));

  std::vector<AttemptStart> starts;
  std::vector<Request> sent;
  std::vector<std::string> sent_to;
  std::vector<SteadyTime> sent_at;
  std::vector<AttemptRecord> records;
  std::vector<Feedback> feedback;
  std::vector<std::string> response_ids, provider_cancels;
  std::vector<SteadyTime> delta_times;
  std::string shown, shown_reasoning;
  std::optional<CallOutcome> outcome;
  bool announced = false;
  bool in_transfer = false;
  int aborts = 0, drains = 0;
};

}  // namespace planexe::llm::test
