#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "engine/names.hpp"
#include "engine/plan_run.hpp"

namespace planexe::engine {
namespace {

constexpr std::size_t kPreviewChars = 400;
/// Above about 15 requests a minute for one key providers send the rest to other machines, whose caches are empty.
constexpr int kCallsPerCacheKey = 15;
constexpr std::size_t kFinalTextBytesMax = 256 * 1024;

json::object usage_object(const llm::Usage& usage) {
  return {{"input_tokens", usage.input_tokens},
          {"cached_input_tokens", usage.cached_input_tokens},
          {"output_tokens", usage.output_tokens},
          {"reasoning_tokens", usage.reasoning_tokens},
          {"total_tokens", usage.total()}};
}

void copy_record(const llm::AttemptRecord& record, store::InteractionRow& row) {
  row.status = record.status;
  row.llm_model = record.model;
  row.provider = record.provider;
  row.response_id = record.response_id;
  row.provider_request_id = record.provider_request_id;
  row.request_hash = record.request_hash;
  row.response_text = record.text.empty() ? record.refusal : record.text;
  row.reasoning_text = record.reasoning;
  row.input_tokens = record.usage.input_tokens;
  row.cached_input_tokens = record.usage.cached_input_tokens;
  row.cache_write_tokens = record.usage.cache_write_tokens;
  row.output_tokens = record.usage.output_tokens;
  row.reasoning_tokens = record.usage.reasoning_tokens;
  row.usage_source = record.usage.estimated ? "estimate" : "provider";
  row.cost_micros = record.cost_micros;
  row.price_version = record.price_version;
  row.queue_ms = record.queue_ms;
  row.first_byte_ms = record.first_byte_ms;
  row.first_token_ms = record.first_token_ms;
  row.http_status = record.http_status;
  row.background = record.background;
  row.last_event_sequence = record.last_event_sequence;
  row.error_code = record.error ? std::string(to_string(record.error->code)) : "";
  row.error_message = record.error ? record.error->message : "";
  json::object metadata{{"provider_model", record.provider_model}, {"duration_ms", record.duration_ms}};
  if (!record.service_tier.empty()) metadata["service_tier"] = record.service_tier;
  if (!record.counters.empty()) metadata["counters"] = record.counters;
  row.response_metadata = std::move(metadata);
}

}  // namespace

Result<void> PlanRun::prepare_unit(TaskRun& task, StepRun& step, UnitRun& unit) {
  unit.context = make_context(task, &step, &unit);
  PLANEXE_TRY_ASSIGN(unit.prompt,
                     recipe::render_prompt(*config_.recipe, *task.task, *step.step, *unit.context->scope));
  if (!framing_.empty() && step.step->include_plan && task.row.task_key != config_.recipe->gate) {
    const auto at = std::find_if(unit.prompt.blocks.begin(), unit.prompt.blocks.end(), [](const auto& block) {
      return block.kind != recipe::PromptBlock::Kind::plan;
    });
    unit.prompt.blocks.insert(at, {recipe::PromptBlock::Kind::plan, "safety", framing_});
  }
  return {};
}

void PlanRun::start_unit(TaskRun& task, StepRun& step, UnitRun& unit) {
  if (auto ready = prepare_unit(task, step, unit); !ready) {
    fail_task(task, ready.error());
    return;
  }
  unit.checked = true;
  const auto hash = recipe::input_hash(*config_.recipe, *step.step, unit.prompt);
  if (unit.row.state == "done" && unit.row.input_hash == hash && unit.row.state_reason != "requested") {
    apply_row_units(task);
    return;
  }
  // A stored answer to another question is no answer to this one.
  const bool same_question = unit.row.input_hash == hash;
  unit.row.state = "running";
  unit.row.state_reason.clear();
  unit.row.input_hash = hash;
  unit.row.result = nullptr;
  unit.row.error_code.clear();
  unit.row.error_message.clear();
  if (unit.row.run_attempt != plan_.run_attempt) unit.row.attempt = 0;
  unit.row.run_attempt = plan_.run_attempt;
  unit.calling = true;
  unit.handed_out = false;
  auto recovery = take_open_call(task, unit, same_question);
  auto spec = make_spec(task, step, unit);
  if (recovery) {
    spec.recovery = std::move(recovery);
    spec.first_attempt = unit.row.attempt;
  } else {
    ++unit.row.attempt;
    spec.first_attempt = unit.row.attempt;
    open_interaction(task, step, unit, unit.row.attempt, "first");
  }
  put_item(task, unit);
  deferred_.push_back(StartCall{unit_name(task.row.task_key, unit.unit.key), std::move(spec), make_judge(task, step, unit)});
}

std::optional<llm::Recovery> PlanRun::take_open_call(TaskRun& task, UnitRun& unit, bool same_question) {
  const auto it = open_calls_.find(call_key(task.row.task_key, unit.unit.key));
  if (it == open_calls_.end()) return std::nullopt;
  auto row = std::move(it->second);
  open_calls_.erase(it);
  unit.row.attempt = std::max(unit.row.attempt, row.attempt);
  if (same_question && !row.response_id.empty() && row.run_attempt == plan_.run_attempt) {
    llm::Recovery recovery{row.id, row.attempt, row.llm_model, row.response_id, row.background, row.last_event_sequence};
    unit.interaction_id = row.id;
    unit.ledger = std::move(row);
    return recovery;
  }
  row.status = "abandoned";
  row.completed_at = now_;
  row.error_message = row.response_id.empty()
                          ? "The process ended while this call was in flight; the provider may have billed it."
                          : "The process ended while this call was in flight and its question has changed since.";
  row.usage_source = "estimate";
  write(store::UpdateInteraction{std::move(row)});
  return std::nullopt;
}

llm::CallSpec PlanRun::make_spec(const TaskRun& task, const StepRun& step, const UnitRun& unit) const {
  llm::CallSpec spec;
  spec.plan_id = plan_.plan_id;
  spec.task_key = task.row.task_key;
  spec.call_key = call_key(task.row.task_key, unit.unit.key);
  spec.item_number = unit.unit.number;
  spec.schema_name = (task.row.task_key + "__" + step.step->name).substr(0, 64);
  spec.schema = step.step->text_answer ? json::value(nullptr) : step.step->schema;
  spec.messages.push_back({llm::Message::Role::developer, {unit.prompt.system}});
  llm::Message user{llm::Message::Role::user, {}};
  for (const auto& block : unit.prompt.blocks) user.parts.push_back(block.text);
  spec.messages.push_back(std::move(user));
  if (!step.step->chain.empty()) spec.parent = parent_of(task, step);
  spec.model = task.row.ask_anew && !task.row.model.empty() ? task.row.model : config_.model;
  const auto speed = recipe::speed_from(plan_.speed_vs_detail).value_or(recipe::Speed::all);
  spec.effort = step.step->effort.at(speed);
  if (spec.effort.empty()) spec.effort = config_.effort.empty() ? config_.recipe->default_effort : config_.effort;
  spec.max_output_tokens =
      step.step->max_output_tokens > 0 ? step.step->max_output_tokens : config_.recipe->max_output_tokens;
  spec.cache_group = plan_.plan_id + "/" + task.row.task_key + "/" + step.step->name;
  const auto part = (unit.unit.number - 1) / kCallsPerCacheKey;
  spec.cache_key = sha256_hex(fmt::format("{}/{}", spec.cache_group, part)).substr(0, 32);
  spec.priority = task.path_length;
  return spec;
}

std::optional<llm::Parent> PlanRun::parent_of(const TaskRun& task, const StepRun& step) const {
  for (const auto& earlier : task.steps) {
    if (earlier.step->name != step.step->chain || earlier.units.empty()) continue;
    const auto& unit = earlier.units.back();
    llm::Parent parent;
    parent.call_key = call_key(task.row.task_key, unit.unit.key);
    parent.transcript.push_back({llm::Message::Role::developer, {unit.prompt.system}});
    llm::Message user{llm::Message::Role::user, {}};
    for (const auto& block : unit.prompt.blocks) user.parts.push_back(block.text);
    parent.transcript.push_back(std::move(user));
    const auto answer = unit.row.result.is_string() ? std::string(unit.row.result.as_string()) : to_json(unit.row.result);
    parent.transcript.push_back({llm::Message::Role::assistant, {answer}});
    parent.response_id = get_string(unit.row.meta, "response_id").value_or("");
    parent.provider = get_string(unit.row.meta, "provider").value_or("");
    parent.model = get_string(unit.row.meta, "model").value_or("");
    parent.stored = get_bool(unit.row.meta, "stored").value_or(false);
    if (const auto at = get_string(unit.row.meta, "completed_at"))
      if (auto time = parse_iso(*at)) parent.completed_at = *time;
    return parent;
  }
  return std::nullopt;
}

llm::Judge PlanRun::make_judge(const TaskRun& task, const StepRun& step, const UnitRun& unit) const {
  return [task = task.task, step = step.step, context = unit.context](std::string_view text, const json::array& kept,
                                                                      bool last) {
    auto verdict = recipe::judge_answer(*task, *step, text, *context->scope, kept);
    llm::Judgement out;
    out.partial = verdict.partial;
    if (verdict.partial) out.kept = recipe::kept_elements(*step, verdict);
    out.accepted = verdict.accepted() || (last && verdict.degraded);
    out.degraded = !verdict.accepted() && out.accepted;
    context->problems.reset();
    if (out.accepted) {
      context->problems = std::move(verdict.problems);
    } else {
      out.feedback = recipe::repair_text(verdict, *step);
      for (const auto& problem : verdict.problems)
        if (problem.is_assert) {
          out.error = problem.pointer + ": " + problem.message;
          break;
        }
    }
    out.value = std::move(verdict.value);
    return out;
  };
}

void PlanRun::open_interaction(TaskRun& task, StepRun& step, UnitRun& unit, int attempt, std::string_view reason) {
  store::InteractionRow row;
  row.id = config_.next_interaction_id();
  row.plan_id = row.owner_id = plan_.plan_id;
  row.stage = task.row.task_key;
  row.call_key = call_key(task.row.task_key, unit.unit.key);
  if (!step.step->chain.empty()) row.parent_call_key = call_key(task.row.task_key, step.step->chain);
  row.attempt = attempt;
  row.attempt_reason = reason;
  row.run_attempt = plan_.run_attempt;
  row.input_hash = unit.row.input_hash;
  row.llm_model = config_.model;
  row.started_at = now_;
  std::vector<store::TextBlock> blocks;
  const auto add = [&](const std::string& text) {
    auto hash = sha256_hex(text);
    row.prompt_blocks.push_back(hash);
    if (stored_blocks_.insert(hash).second) blocks.push_back({std::move(hash), text});
  };
  add(unit.prompt.system);
  for (const auto& block : unit.prompt.blocks) add(block.text);
  if (!blocks.empty()) write(store::PutBlocks{std::move(blocks)});
  unit.interaction_id = row.id;
  unit.text_sequence = 0;
  write(store::PutInteraction{row});
  unit.ledger = std::move(row);
}

Actions PlanRun::on_attempt_ready(const std::string& name, const llm::AttemptStart& start, TimePoint now) {
  now_ = now;
  TaskRun* task = nullptr;
  StepRun* step = nullptr;
  auto* unit = find_unit(name, &task, &step);
  const auto refuse = [&](ErrorCode code) { return Actions{LetGo{name, start.attempt, false, code}}; };
  if (!unit || ended_ || ending_ != Ending::none) return refuse(ErrorCode::Cancelled);
  if (plan_.max_cost_micros && usage_.cost_micros + reserved_micros_ + start.cost_bound_micros > *plan_.max_cost_micros)
    return refuse(ErrorCode::BudgetExceeded);
  const bool row_exists = unit->ledger && unit->ledger->attempt == start.attempt;
  if (!row_exists) {
    flush_ended(*unit);
    unit->row.attempt = start.attempt;
    open_interaction(*task, *step, *unit, start.attempt, to_string(start.reason));
    put_item(*task, *unit);
  }
  auto& row = *unit->ledger;
  row.status = "running";
  row.llm_model = start.model;
  row.provider = start.provider;
  row.request_hash = start.request_hash;
  row.queue_ms = start.queue_ms;
  row.background = start.background;
  row.attempt_reason = to_string(start.reason);
  unit->reserved_micros = start.cost_bound_micros;
  reserved_micros_ += unit->reserved_micros;
  write(store::UpdateInteraction{row});
  const auto& instruction = unit->prompt.blocks.empty() ? unit->prompt.system : unit->prompt.blocks.back().text;
  json::object payload{{"stage", task->row.task_key},
                       {"interaction_id", unit->interaction_id},
                       {"event", "start"},
                       {"sequence", unit->text_sequence++},
                       {"data", json::object{{"prompt_preview", cut_code_points(instruction, kPreviewChars)},
                                             {"call_key", row.call_key},
                                             {"attempt", start.attempt},
                                             {"attempt_reason", row.attempt_reason},
                                             {"provider", start.provider},
                                             {"model", start.model}}}};
  events_.store("llm_stream", std::move(payload), now_, unit->interaction_id);
  // The row of a first attempt was committed with what made it ready; later ones wait for their own.
  (row_exists ? immediate_ : deferred_).push_back(LetGo{name, start.attempt, true, ErrorCode::Cancelled});
  return row_exists ? flush_soon() : flush("attempt");
}

Actions PlanRun::on_response_id(const std::string& name, int attempt, const std::string& response_id, TimePoint now) {
  now_ = now;
  auto* unit = find_unit(name);
  if (!unit || ended_ || !unit->ledger || unit->ledger->attempt != attempt) return {};
  unit->ledger->response_id = response_id;
  write(store::SetResponseId{unit->interaction_id, response_id, -1});
  return flush("response_id");
}

Actions PlanRun::on_delta(const std::string& name, DeltaKind kind, std::string_view delta, TimePoint now) {
  now_ = now;
  TaskRun* task = nullptr;
  auto* unit = find_unit(name, &task);
  if (!unit || ended_) return {};
  events_.pass("llm_stream",
               {{"stage", task->row.task_key},
                {"interaction_id", unit->interaction_id},
                {"event", kind == DeltaKind::text ? "text_delta" : "reasoning_delta"},
                {"sequence", unit->text_sequence++},
                {"data", json::object{{"delta", delta}}}},
               now_, unit->interaction_id);
  auto events = events_.drain();
  return events.empty() ? Actions{} : Actions{Publish{std::move(events)}};
}

Actions PlanRun::on_attempt_ended(const std::string& name, const llm::AttemptRecord& record, TimePoint now) {
  now_ = now;
  TaskRun* task = nullptr;
  auto* unit = find_unit(name, &task);
  if (!unit || ended_) return {};
  if (!unit->ledger) return {};
  reserved_micros_ -= std::exchange(unit->reserved_micros, 0);
  auto& row = *unit->ledger;
  copy_record(record, row);
  row.completed_at = now_;
  account(*task, record);
  const auto event = [&](std::string_view kind, json::object data) {
    events_.store("llm_stream",
                  {{"stage", task->row.task_key},
                   {"interaction_id", row.id},
                   {"event", kind},
                   {"sequence", unit->text_sequence++},
                   {"data", std::move(data)}},
                  now_, row.id);
  };
  if (record.status == "completed" && !record.error) {
    json::object data{{"text", std::string_view(record.text).substr(0, kFinalTextBytesMax)},
                      {"reasoning", record.reasoning},
                      {"usage", usage_object(record.usage)},
                      {"raw_payload", json::object{{"id", record.response_id}, {"model", record.provider_model}, {"status", record.status}}}};
    if (record.text.size() > kFinalTextBytesMax) {
      data["text"] = cut_code_points(record.text, kFinalTextBytesMax / 4);
      data["text_truncated"] = true;
    }
    event("final", std::move(data));
  }
  json::object end{{"status", record.status == "abandoned" ? "failed" : record.status},
                   {"error", record.error ? json::value(record.error->message) : json::value(nullptr)},
                   {"error_code", row.error_code.empty() ? json::value(nullptr) : json::value(row.error_code)},
                   {"duration_ms", record.duration_ms},
                   {"cost_micros", record.cost_micros ? json::value(*record.cost_micros) : json::value(nullptr)},
                   {"will_retry", record.will_retry}};
  event("end", std::move(end));
  unit->ended = row;
  if (!record.will_retry) return {};  // written together with the call's result
  flush_ended(*unit);
  return flush("attempt");
}

void PlanRun::flush_ended(UnitRun& unit) {
  if (unit.ended) write(store::UpdateInteraction{std::move(*unit.ended)});
  unit.ended.reset();
}

void PlanRun::close_ledger(UnitRun& unit, const llm::CallOutcome& outcome) {
  if (unit.ended) {
    flush_ended(unit);
  } else if (unit.ledger && (unit.ledger->status == "pending" || unit.ledger->status == "running")) {
    // The call ended before its request was sent: cancelled in the queue, or refused by a limit.
    unit.ledger->status = "cancelled";
    unit.ledger->completed_at = now_;
    if (outcome.error) unit.ledger->error_message = outcome.error->message;
    write(store::UpdateInteraction{*unit.ledger});
  }
}

void PlanRun::account(TaskRun& task, const llm::AttemptRecord& record) {
  for (auto* sums : {&usage_, &task.usage}) {
    ++sums->calls;
    if (record.reason == llm::AttemptReason::repair) ++sums->repairs;
    if (record.reason != llm::AttemptReason::first && record.reason != llm::AttemptReason::repair) ++sums->retries;
    sums->input_tokens += record.usage.input_tokens;
    sums->cached_input_tokens += record.usage.cached_input_tokens;
    sums->output_tokens += record.usage.output_tokens;
    sums->reasoning_tokens += record.usage.reasoning_tokens;
    sums->cost_micros += record.cost_micros.value_or(0);
    sums->unpriced += record.cost_micros ? 0 : 1;
    sums->estimated += record.usage.estimated ? 1 : 0;
  }
  if (record.status == "completed") {
    call_ms_sum_ += record.duration_ms;
    ++call_count_;
  }
}

Actions PlanRun::on_call_finished(const std::string& name, const llm::CallOutcome& outcome, TimePoint now) {
  now_ = now;
  TaskRun* task = nullptr;
  StepRun* step = nullptr;
  auto* unit = find_unit(name, &task, &step);
  if (!unit || ended_) return {};
  unit->calling = false;
  close_ledger(*unit, outcome);
  settle_unit(*task, *step, *unit, outcome);
  // Whoever watches sees the items of a fan-out end one by one.
  if (task->row.state == "running" && task->row.units_total > 1) task_event(*task, task->row.state);
  if (task->row.state == "running" && ending_ == Ending::none) work_on(*task);
  advance();
  return flush("accept");
}

void PlanRun::settle_unit(TaskRun& task, StepRun& step, UnitRun& unit, const llm::CallOutcome& outcome) {
  if (outcome.ok) {
    plan_.recovery_count = 0;  // a new result: the run gets on
    unit.row.state = "done";
    unit.row.result = outcome.value;
    json::object meta{{"model", outcome.model},
                      {"provider", outcome.provider},
                      {"response_id", outcome.response_id},
                      {"stored", outcome.stored},
                      {"completed_at", format_iso(now_)},
                      {"attempts", outcome.attempts}};
    if (outcome.degraded) meta["degraded"] = true;
    record_findings(task, step, unit, meta);
    unit.row.meta = std::move(meta);
    if (!outcome.model.empty()) task.row.model = outcome.model;
  } else if (!settle_gate_refusal(task, unit, outcome)) {
    settle_failure(unit, outcome.error.value_or(Error(ErrorCode::TaskFailed, "The call failed.")));
  }
  put_item(task, unit);
  apply_row_units(task);
}

void PlanRun::settle_failure(UnitRun& unit, const Error& error) {
  switch (error.code) {
    case ErrorCode::Cancelled:
      if (ending_ == Ending::none) break;  // nobody asked for it: the model side ended the call, asking again would loop
      unit.row.state = "waiting";
      unit.row.state_reason = "cancelled";
      return;
    case ErrorCode::ProviderAuth:
    case ErrorCode::ProviderQuota:
    case ErrorCode::BudgetExceeded:
      // No other call of this plan could do better: stop, keep what is there.
      unit.row.state = "waiting";
      unit.row.state_reason = to_string(error.code);
      if (ending_ == Ending::none) {
        ending_ = Ending::failed;
        end_error_ = error;
        plan_.failed_task_key = unit.row.task_key;
        stop_calls();
      }
      return;
    default:
      break;
  }
  unit.row.state = "missing";
  unit.row.error_code = to_string(error.code);
  unit.row.error_message = error.message;
}

bool PlanRun::settle_gate_refusal(TaskRun& task, UnitRun& unit, const llm::CallOutcome& outcome) {
  if (task.row.task_key != config_.recipe->gate || !outcome.error || outcome.error->code != ErrorCode::ModelRefused)
    return false;
  // A model that will not even judge the prompt has judged it.
  unit.row.state = "done";
  unit.row.result = json::object{{"rationale_short", "The model refused to answer: " + outcome.error->message},
                                 {"violation_category", "Other"},
                                 {"violation_claim", "refused by the model"},
                                 {"violation_capability_uplift", true},
                                 {"violation_severity", "High"},
                                 {"verdict", "REFUSE"}};
  unit.row.meta = json::object{{"model", outcome.model}, {"model_refused", true}};
  return true;
}

void PlanRun::record_findings(const TaskRun& task, const StepRun& step, const UnitRun& unit, json::object& meta) const {
  // An answer that came by another way than the judge of its call is judged now.
  const auto problems = unit.context->problems
                            ? *unit.context->problems
                            : recipe::judge_value(*task.task, *step.step, unit.row.result, *unit.context->scope).problems;
  json::array findings;
  for (const auto& problem : problems)
    findings.push_back(json::object{{"rule", problem.rule}, {"path", problem.pointer}, {"message", problem.message}});
  if (!findings.empty()) meta["findings"] = std::move(findings);
}

void PlanRun::put_item(TaskRun& task, UnitRun& unit) {
  unit.row.task_key = task.row.task_key;
  write(store::PutItem{unit.row});
}

}  // namespace planexe::engine
