#include "script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "spoil.hpp"

namespace planexe::rehearsal {
namespace {

constexpr std::array<std::string_view, 5> kActions{"refuse", "reset", "close", "half_close", "stall"};
/// Tests use some dozen; more is a runaway client.
constexpr std::size_t kScriptsMax = 1'000;
/// Ten minutes: longer than every timer of a client.
constexpr std::int64_t kDelayMax = 600'000;

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::InvalidRequest, "Script: " + std::move(message)); }

std::string as_bytes(const json::value& value) { return value.is_string() ? std::string(value.as_string()) : to_json(value); }

bool path_fits(const std::string& wanted, const std::string& path) {
  if (wanted.empty()) return path == "/v1/responses" || path == "/v1/chat/completions";
  if (wanted.ends_with('*')) return path.starts_with(std::string_view(wanted).substr(0, wanted.size() - 1));
  return wanted == path;
}

Result<void> known_members(const json::object& object, std::initializer_list<std::string_view> names, std::string_view where) {
  for (const auto& [key, value] : object)
    if (std::find(names.begin(), names.end(), std::string_view(key)) == names.end())
      return bad(fmt::format("{} has no member '{}'", where, std::string_view(key)));
  return {};
}

Result<void> read_headers(const json::value& value, Headers& headers) {
  if (value.is_object()) {
    for (const auto& [name, text] : value.as_object()) headers.emplace_back(name, as_bytes(text));
    return {};
  }
  return bad("'headers' is an object of name and value");
}

/// An object is one event; a text is sent as it stands.
std::string event_bytes(const json::value& event) {
  if (event.is_string()) return std::string(event.as_string());
  const auto type = get_string(event, "type");
  return (type ? "event: " + std::string(*type) + "\n" : std::string()) + "data: " + to_json(event) + "\n\n";
}

Result<void> read_delays(const json::value& value, ScriptStep& step) {
  if (!value.is_object()) return bad("'delay' is an object: accept, headers, first_event, between (milliseconds)");
  PLANEXE_TRY(known_members(value.as_object(), {"accept", "headers", "first_event", "between"}, "'delay'"));
  const std::array<std::pair<const char*, std::chrono::milliseconds*>, 4> members{
      {{"accept", &step.accept}, {"headers", &step.headers_delay}, {"first_event", &step.first_event}, {"between", &step.between}}};
  for (const auto& [name, target] : members) {
    const auto ms = get_int(value, name).value_or(0);
    if (ms < 0 || ms > kDelayMax) return bad(fmt::format("'delay.{}' is outside of 0..{}", name, kDelayMax));
    *target = std::chrono::milliseconds(ms);
  }
  return {};
}

Result<void> read_connection(const json::value& value, ScriptStep& step) {
  step.connection = get_string(value, "connection").value_or("");
  if (!step.connection.empty() && std::find(kActions.begin(), kActions.end(), step.connection) == kActions.end())
    return bad("'connection' is one of refuse, reset, close, half_close, stall");
  step.after_events = static_cast<int>(get_int(value, "after_events").value_or(-1));
  if (const auto* sizes = get_array(value, "bytes"))
    for (const auto& size : *sizes) {
      const auto n = as_int(size);
      if (!n || *n < 1) return bad("'bytes' is a list of sizes from 1");
      step.bytes.push_back(static_cast<std::size_t>(*n));
    }
  return {};
}

}  // namespace

Result<ScriptStep> read_step(const json::value& value) {
  if (!value.is_object()) return bad("a step is an object");
  PLANEXE_TRY(known_members(value.as_object(),
                            {"status", "headers", "body", "raw", "events", "bytes", "delay", "connection", "after_events", "answer", "text",
                             "incomplete", "failed", "usage", "replay"},
                            "a step"));
  ScriptStep step;
  if (const auto status = get_int(value, "status")) {
    if (*status < 200 || *status > 599) return bad("'status' is outside of 200..599");
    step.status = static_cast<int>(*status);
  }
  if (const auto* headers = find(value, "headers")) PLANEXE_TRY(read_headers(*headers, step.headers));
  if (const auto* body = find(value, "body")) step.body = as_bytes(*body);
  if (const auto raw = get_string(value, "raw")) step.raw = *raw;
  if (const auto* events = get_array(value, "events")) {
    step.events.emplace();
    for (const auto& event : *events) step.events->push_back(event_bytes(event));
  }
  if (const auto* delay = find(value, "delay")) PLANEXE_TRY(read_delays(*delay, step));
  PLANEXE_TRY(read_connection(value, step));
  step.answer = get_string(value, "answer").value_or("");
  if (!step.answer.empty() && !is_spoiling(step.answer)) return bad("'answer' is no known kind: " + step.answer);
  if (const auto text = get_string(value, "text")) step.text = *text;
  step.incomplete = get_string(value, "incomplete").value_or("");
  step.failed = get_string(value, "failed").value_or("");
  step.replay = get_bool(value, "replay").value_or(false);
  if (const auto* usage = find(value, "usage")) step.usage = *usage;
  return step;
}

Result<void> ScriptBook::add(const json::value& script) {
  if (!script.is_object()) return bad("a script is an object with 'match' and 'steps'");
  if (scripts_.size() >= kScriptsMax) return fail(ErrorCode::LimitExceeded, fmt::format("More than {} scripts; POST /control/reset clears them.", kScriptsMax));
  PLANEXE_TRY(known_members(script.as_object(), {"match", "repeat", "steps"}, "a script"));
  Script read;
  if (const auto* match = find(script, "match")) {
    if (!match->is_object()) return bad("'match' is an object");
    PLANEXE_TRY(known_members(match->as_object(), {"model", "call", "task", "attempt", "path", "nth"}, "'match'"));
    const auto text = [&](const char* key) {
      const auto* member = find(*match, key);
      return member ? as_bytes(*member) : std::string();
    };
    read.match = {text("path"), text("model"), text("call"), text("task"), text("attempt")};
    read.nth = get_int(*match, "nth").value_or(0);
  }
  read.repeat = get_int(script, "repeat").value_or(1);
  if (read.repeat < 0) return bad("'repeat' is 0 (without end) or a count");
  const auto* steps = get_array(script, "steps");
  if (!steps || steps->empty()) return bad("'steps' is a list of at least one step");
  for (const auto& step : *steps) {
    PLANEXE_TRY_ASSIGN(auto one, read_step(step));
    read.steps.push_back(std::move(one));
  }
  scripts_.push_back(std::move(read));
  return {};
}

bool ScriptBook::matches(const Script& script, const RequestFacts& facts) {
  const auto fits = [](const std::string& wanted, const std::string& given) { return wanted.empty() || wanted == given; };
  return path_fits(script.match.path, facts.path) && fits(script.match.model, facts.model) && fits(script.match.call, facts.call) &&
         fits(script.match.task, facts.task) && fits(script.match.attempt, facts.attempt);
}

const ScriptStep* ScriptBook::next(const RequestFacts& facts) {
  for (auto& script : scripts_) {
    if (!matches(script, facts)) continue;
    ++script.seen;
    if (script.nth > 0 && script.seen < script.nth) continue;
    const auto count = static_cast<std::int64_t>(script.steps.size());
    if (script.repeat > 0 && script.used >= script.repeat * count) continue;
    return &script.steps[static_cast<std::size_t>(script.used++ % count)];
  }
  return nullptr;
}

}  // namespace planexe::rehearsal
