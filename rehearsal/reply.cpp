#include "reply.hpp"

#include <algorithm>

namespace planexe::rehearsal {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kCharsPerToken = 4;
/// A stream of a real model writes about so often; more timers would not look different.
constexpr int kWritesPerSecond = 25;
constexpr std::size_t kUnpacedChars = 2'048;

/// The clock of one stream.
class Timeline {
 public:
  explicit Timeline(const Pace& pace) : pace_(pace), now_(pace.headers) {}

  void reach(milliseconds at) { now_ = std::max(now_, at); }
  [[nodiscard]] milliseconds text_begins() const { return pace_.headers + pace_.first_event; }
  [[nodiscard]] milliseconds reasoning_begins() const { return pace_.headers + pace_.first_event / 2; }
  /// Time of a piece of that many characters.
  milliseconds spend(std::size_t chars) {
    chars_ += chars;
    if (pace_.tokens_per_second > 0)
      reach(text_begins() + milliseconds(1'000 * static_cast<std::int64_t>(chars_ / kCharsPerToken) / pace_.tokens_per_second));
    return now_;
  }
  [[nodiscard]] milliseconds now() const { return now_; }

 private:
  const Pace& pace_;
  milliseconds now_;
  std::size_t chars_ = 0;
};

std::size_t delta_length(const json::object& data) {
  const auto* delta = data.if_contains("delta");
  return delta && delta->is_string() ? delta->as_string().size() : 0;
}

Headers with(Headers headers, const char* name, const char* value) {
  const bool there = std::any_of(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
  if (!there) headers.emplace_back(name, value);
  return headers;
}

Headers merged(Headers headers, const Headers& own) {
  for (const auto& [name, value] : own) {
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
    headers.emplace_back(name, value);
  }
  return headers;
}

WireStep::Kind action_of(const std::string& connection) {
  if (connection == "reset" || connection == "refuse") return WireStep::Kind::reset;
  if (connection == "half_close") return WireStep::Kind::half_close;
  return connection == "stall" ? WireStep::Kind::stall : WireStep::Kind::close;
}

bool has(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
}

/// A script may say a Content-Length that is not true.
void write_body(WirePlan& plan, int status, const Headers& headers, const std::string& body) {
  if (!has(headers, "content-length")) return plan.write(http_answer(status, headers, body));
  plan.write(http_head(status, headers) + body);
}

void write_stream(WirePlan& plan, const ScriptStep& step, const Headers& headers, const std::vector<TimedPiece>& pieces) {
  plan.write(http_head(step.status.value_or(200), with(with(headers, "content-type", "text/event-stream; charset=utf-8"), "transfer-encoding", "chunked")));
  milliseconds now = pieces.empty() ? milliseconds(0) : pieces.front().at;
  int written = 0;
  plan.wait(step.first_event);
  for (const auto& piece : pieces) {
    if (written == step.after_events) break;
    plan.wait(piece.at - now);
    now = std::max(now, piece.at);
    if (written > 0) plan.wait(step.between);
    plan.write(http_chunk(piece.bytes));
    ++written;
  }
  if (step.connection.empty()) {
    plan.write(std::string(kLastChunk));
  } else {
    plan.end(action_of(step.connection));
  }
}

}  // namespace

std::size_t delta_chars(const Pace& pace) {
  if (pace.tokens_per_second <= 0) return kUnpacedChars;
  return std::max<std::size_t>(8, static_cast<std::size_t>(pace.tokens_per_second) * kCharsPerToken / kWritesPerSecond);
}

milliseconds answer_time(const Pace& pace, std::int64_t output_tokens) {
  auto time = pace.headers + pace.first_event;
  if (pace.tokens_per_second > 0) time += milliseconds(1'000 * output_tokens / pace.tokens_per_second);
  return time;
}

std::vector<TimedPiece> timed_events(const std::vector<WireEvent>& events, const Pace& pace) {
  Timeline line(pace);
  std::vector<TimedPiece> pieces;
  pieces.reserve(events.size());
  for (const auto& event : events) {
    if (event.type.starts_with("response.reasoning")) line.reach(line.reasoning_begins());
    if (event.type == "response.content_part.added") line.reach(line.text_begins());
    const bool text = event.type == "response.output_text.delta" || event.type == "response.refusal.delta";
    pieces.push_back({text ? line.spend(delta_length(event.data)) : line.now(), event.text()});
  }
  return pieces;
}

std::vector<TimedPiece> timed_chunks(const std::vector<json::object>& chunks, const Pace& pace) {
  Timeline line(pace);
  std::vector<TimedPiece> pieces;
  for (const auto& chunk : chunks) {
    const auto bytes = to_json(chunk);
    if (pieces.size() == 1) line.reach(line.text_begins());
    // The frame around a chunk's text has about this length.
    constexpr std::size_t kFrame = 160;
    pieces.push_back({line.spend(bytes.size() > kFrame ? bytes.size() - kFrame : 0), "data: " + bytes + "\n\n"});
  }
  pieces.push_back({line.now(), "data: [DONE]\n\n"});
  return pieces;
}

WirePlan stream_plan(const Headers& headers, const std::vector<TimedPiece>& pieces, milliseconds headers_at, milliseconds elapsed) {
  WirePlan plan;
  auto now = elapsed;
  const auto reach = [&](milliseconds at) {
    plan.wait(at - now);
    now = std::max(now, at);
  };
  reach(headers_at);
  plan.write(http_head(200, with(with(headers, "content-type", "text/event-stream; charset=utf-8"), "transfer-encoding", "chunked")));
  for (const auto& piece : pieces) {
    reach(piece.at);
    plan.write(http_chunk(piece.bytes));
  }
  plan.write(std::string(kLastChunk));
  return plan;
}

WirePlan json_plan(int status, const Headers& headers, const json::value& body, milliseconds at) {
  WirePlan plan;
  plan.wait(at);
  plan.write(http_answer(status, with(headers, "content-type", "application/json"), to_json(body)));
  return plan;
}

WirePlan scripted_plan(const ScriptStep& step, const Headers& headers, std::vector<TimedPiece> pieces, const json::value& body, const Pace& pace) {
  WirePlan plan;
  plan.wait(step.accept);
  plan.wait(step.headers_delay.count() > 0 ? step.headers_delay : pace.headers);
  const auto own = merged(headers, step.headers);
  if (step.raw) {
    plan.write(*step.raw);
    plan.end(step.connection.empty() ? WireStep::Kind::close : action_of(step.connection));
  } else if (!step.connection.empty() && step.after_events < 0 && !step.body && !step.events) {
    plan.end(action_of(step.connection));
  } else if (step.body) {
    write_body(plan, step.status.value_or(200), with(own, "content-type", "application/json"), *step.body);
    if (!step.connection.empty()) plan.end(action_of(step.connection));
  } else if (step.events || !pieces.empty()) {
    if (step.events) {
      pieces.clear();
      for (const auto& event : *step.events) pieces.push_back({milliseconds(0), event});
    }
    write_stream(plan, step, own, pieces);
  } else {
    write_body(plan, step.status.value_or(200), with(own, "content-type", "application/json"), to_json(body));
  }
  return cut_writes(std::move(plan), step.bytes);
}

}  // namespace planexe::rehearsal
