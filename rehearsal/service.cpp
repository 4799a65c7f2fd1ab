#include "service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "random_fault.hpp"
#include "reply.hpp"
#include "schema_check.hpp"
#include "spoil.hpp"

namespace planexe::rehearsal {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAtOnce{0};
constexpr auto kMinute = std::chrono::minutes(1);

/// The key of `Authorization: Bearer KEY` when it is long enough to be one.
std::string_view key_of(const HttpRequest& http) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = http.header("authorization");
  const auto key = header.starts_with(kScheme) ? header.substr(kScheme.size()) : header;
  return key.size() >= 8 ? key : std::string_view();
}

std::string task_of(const std::string& call) { return call.substr(0, call.find('/')); }

}  // namespace

Service::Service(ServiceOptions options, AnswerBook answers)
    : options_(options), answers_(std::move(answers)), random_(options.seed) {}

std::string Service::make_id(std::string_view prefix) { return fmt::format("{}{:016x}{:016x}", prefix, random_.next(), random_.next()); }

Headers Service::headers() {
  const auto requests_left = std::max<std::int64_t>(0, options_.rpm - static_cast<std::int64_t>(minute_.size()));
  return {{"x-request-id", make_id("req_")},
          {"openai-processing-ms", "1"},
          {"openai-version", "2020-10-01"},
          {"x-ratelimit-limit-requests", std::to_string(options_.rpm)},
          {"x-ratelimit-limit-tokens", std::to_string(options_.tpm)},
          {"x-ratelimit-remaining-requests", std::to_string(requests_left)},
          {"x-ratelimit-remaining-tokens", std::to_string(std::max<std::int64_t>(0, options_.tpm - minute_tokens_))},
          {"x-ratelimit-reset-requests", "6ms"},
          {"x-ratelimit-reset-tokens", "0s"}};
}

WirePlan Service::error(int status, std::string_view message, std::string_view type, std::string_view code, std::string_view param) {
  return json_plan(status, headers(), error_object(message, type, code, param), kAtOnce);
}

WirePlan Service::refused(const Error& problem) {
  const auto line = problem.detail.find('\n');
  const auto code = problem.detail.substr(0, line);
  return error(400, problem.message, "invalid_request_error", code, line == std::string::npos ? std::string() : problem.detail.substr(line + 1));
}

WirePlan Service::handle(const HttpRequest& request, Now now) {
  const auto path = request.path();
  if (path.starts_with("/control/")) return control(request);
  journal_.keep(request, now.wall);
  if (stopped_) journal_.fault_of_client("request after stop", request.method + " " + std::string(path));
  if (const auto key = key_of(request); !key.empty() && (request.body.find(key) != std::string::npos || request.target.find(key) != std::string::npos))
    journal_.fault_of_client("key outside of its header", request.method + " " + std::string(path));
  return route(request, now);
}

WirePlan Service::route(const HttpRequest& request, Now now) {
  constexpr std::string_view kResponse = "/v1/responses/", kModel = "/v1/models/";
  const auto path = request.path();
  if (request.method == "POST" && path == "/v1/responses") return create(request, Request::Transport::responses, now);
  if (request.method == "POST" && path == "/v1/chat/completions") return create(request, Request::Transport::chat, now);
  if (request.method == "GET" && path == "/v1/models") return models({});
  if (request.method == "GET" && path.starts_with(kModel)) return models(path.substr(kModel.size()));
  if (request.method == "POST" && path == "/v1/responses/input_tokens") return input_tokens(request);
  if (path.starts_with(kResponse)) {
    const auto* step = scripts_.next({std::string(path), "", "", "", ""});
    if (!step) return route_response(request, path.substr(kResponse.size()), now);
    if (step->replay) {
      auto from_zero = request;
      from_zero.target = std::string(path) + "?stream=true";
      return route_response(from_zero, path.substr(kResponse.size()), now);
    }
    auto body = error_object("Scripted.", "server_error", "server_error");
    if (!step->status || *step->status < 400) {
      const auto* stored = responses_.find(std::string(path.substr(kResponse.size())));
      if (stored) body = stored->object(now.steady);
    }
    return scripted_plan(*step, headers(), {}, body, {});
  }
  return error(404, fmt::format("Invalid URL ({} {})", request.method, path), "invalid_request_error", "");
}

WirePlan Service::route_response(const HttpRequest& request, std::string_view rest, Now now) {
  const auto slash = rest.find('/');
  const std::string id(rest.substr(0, slash));
  const auto action = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  if (!responses_.find(id))
    return error(404, fmt::format("Response with id '{}' not found.", id.substr(0, 64)), "invalid_request_error", "", "id");
  if (request.method == "GET" && action.empty()) return fetch(request, id, now);
  if (request.method == "POST" && action == "cancel") return cancel(id, now);
  if (request.method == "GET" && action == "input_items") return input_items(request, id, now);
  if (request.method == "DELETE" && action.empty()) {
    responses_.erase(id);
    return json_plan(200, headers(), json::object{{"id", id}, {"object", "response"}, {"deleted", true}}, kAtOnce);
  }
  return error(405, "Method not allowed.", "invalid_request_error", "method_not_allowed");
}

WirePlan Service::models(std::string_view id) {
  const auto model = [](std::string_view name) {
    return json::object{{"id", name}, {"object", "model"}, {"created", 0}, {"owned_by", "rehearsal"}};
  };
  if (id.empty()) return json_plan(200, headers(), json::object{{"object", "list"}, {"data", json::array{model("rehearsal")}}}, kAtOnce);
  return json_plan(200, headers(), model(id), kAtOnce);
}

Result<void> Service::join_parent(Request& request) {
  if (request.previous_id.empty()) return {};
  const auto* parent = responses_.find(request.previous_id);
  if (!parent || !parent->request->store)
    return fail(ErrorCode::InvalidRequest, fmt::format("Previous response with id '{}' not found.", request.previous_id.substr(0, 64)),
                "previous_response_not_found\nprevious_response_id");
  auto parts = parent->request->parts;
  parts.push_back(parent->answer.text);
  parts.insert(parts.end(), request.parts.begin(), request.parts.end());
  request.parts = std::move(parts);
  request.user_text = parent->request->user_text + "\n\n" + request.user_text;
  return {};
}

void Service::check_rules(const HttpRequest& http, const Request& request, const json::value& body) {
  const auto given = [&](const char* key) { return find(body, key) && !find(body, key)->is_null(); };
  const auto where = request.call.empty() ? http.method + " " + std::string(http.path()) : request.call;
  if (given("previous_response_id") && given("conversation")) journal_.fault_of_client("parent and conversation together", where);
  if (!request.previous_id.empty()) {
    const bool history = std::any_of(request.input.begin(), request.input.end(), [](const json::value& item) { return get_string(item, "role") == "assistant"; });
    if (history) journal_.fault_of_client("parent and history together", where);
  }
  if (request.strict)
    if (const auto problem = strict_violation(request.schema)) journal_.fault_of_client("schema outside of the strict subset", where + ": " + *problem);
}

bool Service::over_rate(std::int64_t tokens, Now now) {
  while (!minute_.empty() && now.steady - minute_.front().at >= kMinute) {
    minute_tokens_ -= minute_.front().tokens;
    minute_.pop_front();
  }
  if (static_cast<std::int64_t>(minute_.size()) >= options_.rpm || minute_tokens_ + tokens > options_.tpm) return true;
  minute_.push_back({now.steady, tokens});
  minute_tokens_ += tokens;
  return false;
}

WirePlan Service::create(const HttpRequest& http, Request::Transport transport, Now now) {
  const auto body = parse_json(http.body);
  if (!body) return error(400, "We could not parse the JSON body of your request.", "invalid_request_error", "");
  const bool chat = transport == Request::Transport::chat;
  auto read = chat ? read_chat_request(*body) : read_responses_request(*body);
  Draft draft;
  draft.request = std::make_shared<Request>(read ? std::move(*read) : Request{});
  auto& request = *draft.request;
  check_rules(http, request, *body);
  if (!read) return refused(read.error());
  auto& count = journal_.call(request.call);
  ++count.received;
  count.attempts = std::max(count.attempts, std::atoi(request.attempt.c_str()));
  pick_fault(draft, {std::string(http.path()), request.model, request.call, task_of(request.call), request.attempt});
  if (!draft.step || draft.step->events == std::nullopt) {
    if (const auto joined = join_parent(request); !joined) return refused(joined.error());
  }
  if (request.strict)
    if (const auto problem = strict_violation(request.schema))
      return error(400, fmt::format("Invalid schema for response_format '{}': {}", request.schema_name, *problem), "invalid_request_error",
                   "invalid_json_schema", chat ? "response_format" : "text.format.schema");
  fill(draft, now);
  if (over_rate(draft.answer.input_tokens, now)) {
    journal_.fault_of_client("more than the promised rate", request.call);
    return json_plan(429, [&] { auto list = headers(); list.emplace_back("retry-after-ms", "1000"); return list; }(),
                     error_object("Rate limit reached. Please try again in 1s.", "requests", "rate_limit_exceeded"), kAtOnce);
  }
  auto plan = present(draft, now);
  journal_.begin_answer();
  // A script's status, connection action or own bytes are no completed answer.
  const auto* step = draft.step;
  const bool answers = !step || (!step->status.has_value() && step->connection.empty() && !step->raw && !step->body);
  plan.at_end = [this, answers, call = request.call](bool whole) {
    journal_.end_answer();
    if (whole && answers) journal_.call(call).completed++;
  };
  return plan;
}

void Service::pick_fault(Draft& draft, const RequestFacts& facts) {
  ++requests_;
  draft.step = scripts_.next(facts);
  if (draft.step) return;
  const auto key = facts.call.empty() ? fmt::format("request {}", requests_) : facts.call + "#" + facts.attempt;
  draft.random_fault = random_fault(options_.fault_rate, options_.seed, key);
  if (draft.random_fault) draft.step = &*draft.random_fault;
}

void Service::fill(Draft& draft, Now now) {
  auto& request = *draft.request;
  auto& answer = draft.answer;
  answer.id = make_id("resp_");
  answer.created_at = std::chrono::duration_cast<std::chrono::seconds>(now.wall.time_since_epoch()).count();
  answer.text = answers_.answer(request);
  if (request.summary) answer.reasoning = "Rehearsal: the prepared answer is looked up.";
  if (const auto* step = draft.step) {
    if (step->text) answer.text = *step->text;
    if (step->answer == "refusal") answer.refusal = "Rehearsal: I cannot help with that.";
    if (!step->answer.empty()) answer.text = spoil(step->answer, answer.text, request);
    if (!step->incomplete.empty()) {
      answer.status = "incomplete";
      answer.incomplete_reason = step->incomplete;
    }
    if (!step->failed.empty()) {
      answer.status = "failed";
      answer.error_code = step->failed;
      answer.error_message = "Rehearsal: the response failed.";
      answer.text.clear();
    }
  }
  for (const auto& part : request.parts) answer.input_tokens += estimate_tokens(part);
  answer.cached_tokens = cache_.ask(request.model + "\n" + request.schema_name, request.parts);
  answer.reasoning_tokens = estimate_tokens(answer.reasoning);
  const auto budget = request.max_output_tokens - answer.reasoning_tokens;
  if (request.max_output_tokens > 0 && answer.status == "completed" && estimate_tokens(answer.text) > budget) {
    answer.text = cut_to_tokens(answer.text, budget);
    answer.status = "incomplete";
    answer.incomplete_reason = "max_output_tokens";
  }
  answer.output_tokens = answer.reasoning_tokens + estimate_tokens(answer.text) + estimate_tokens(answer.refusal);
  draft.pace = pace_of_answer(options_.pace, options_.seed, request.call + "#" + request.attempt);
}

WirePlan Service::present(Draft& draft, Now now) {
  if (!draft.step) return present_good(draft, now);
  const auto& step = *draft.step;
  const auto& request = *draft.request;
  const bool chat = request.transport == Request::Transport::chat;
  if (step.status && *step.status >= 400 && !step.body)
    return scripted_plan(step, headers(), {}, error_object("Rehearsal: scripted status.", "server_error", "server_error"), draft.pace);
  json::value body = chat ? chat_object(request, draft.answer) : response_object(request, draft.answer, draft.answer.status);
  std::vector<TimedPiece> pieces;
  if (request.stream && chat) pieces = timed_chunks(chat_chunks(request, draft.answer, delta_chars(draft.pace)), draft.pace);
  if (request.stream && !chat) {
    auto events = response_events(request, draft.answer, delta_chars(draft.pace));
    if (step.usage) events.back().data["response"].as_object()["usage"] = *step.usage;
    pieces = timed_events(events, draft.pace);
  }
  if (step.usage) body.as_object()["usage"] = *step.usage;
  if (!chat && (request.store || request.background)) {
    const auto time = answer_time(draft.pace, draft.answer.output_tokens);
    responses_.put({draft.request, draft.answer, now.steady, kAtOnce, time, draft.pace.headers + draft.pace.first_event});
  }
  return scripted_plan(step, headers(), std::move(pieces), body, draft.pace);
}

WirePlan Service::present_good(const Draft& draft, Now now) {
  const auto& request = *draft.request;
  const auto& answer = draft.answer;
  const auto& pace = draft.pace;
  const auto time = answer_time(pace, answer.output_tokens);
  if (request.transport == Request::Transport::chat) {
    if (!request.stream) return json_plan(200, headers(), chat_object(request, answer), time);
    return stream_plan(headers(), timed_chunks(chat_chunks(request, answer, delta_chars(pace)), pace), pace.headers);
  }
  if (request.background || request.store) {
    const auto queued = request.background ? pace.headers : kAtOnce;
    const auto& stored = responses_.put({draft.request, answer, now.steady, queued, time, pace.headers + pace.first_event});
    if (request.background) return background_reply(stored, request.stream, -1, now);
  }
  if (!request.stream) return json_plan(200, headers(), response_object(request, answer, answer.status), time);
  return stream_plan(headers(), timed_events(response_events(request, answer, delta_chars(pace)), pace), pace.headers);
}

}  // namespace planexe::rehearsal
