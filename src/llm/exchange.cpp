#include "llm/exchange.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace planexe::llm {

namespace {

ProviderError own_error(std::string message) { return ProviderError{{}, {}, std::move(message), {}}; }

bool is_success(int status) { return status >= 200 && status < 300; }

/// What an error body says: the error object, or its first words when it is none.
ProviderError error_of_body(std::string_view body) {
  constexpr std::size_t kShownCharsMax = 200;
  if (const auto parsed = parse_json(body)) {
    if (auto error = read_provider_error(*parsed)) return *error;
  }
  const std::string text = trim(strip_control(body.substr(0, 4 * kShownCharsMax)));
  if (text.empty()) return {};
  if (text.starts_with('<')) return own_error("an HTML page");
  return own_error(cut_code_points(text, kShownCharsMax));
}

}  // namespace

Exchange::Exchange(const ClientSettings& settings, StreamAccumulator& accumulator, bool streaming, SteadyTime sent_at)
    : settings_(settings), accumulator_(accumulator), streaming_(streaming), sent_at_(sent_at), last_byte_at_(sent_at),
      last_progress_at_(sent_at), parser_(settings.sse_line_bytes_max, settings.sse_event_bytes_max),
      repeats_(settings.identical_chunks_max) {}

void Exchange::on_head(const ResponseHead& head, SteadyTime now) {
  if (over_) return;
  head_ = head;
  has_head_ = true;
  last_byte_at_ = now;
  last_progress_at_ = now;
  first_byte_at_ = now;
  if (!is_success(head.status)) {
    body_kind_ = Body::error;
    return;
  }
  const auto type = head.headers.find("content-type");
  if (type == head.headers.end()) return;
  if (type->second.contains("text/event-stream")) body_kind_ = Body::events;
  if (type->second.contains("json")) body_kind_ = Body::whole;
}

StreamUpdate Exchange::on_body(std::string_view bytes, SteadyTime now) {
  if (over_ || bytes.empty()) return {};
  last_byte_at_ = now;
  if (body_kind_ == Body::events) return feed_events(bytes, now);
  collect(bytes);
  if (body_kind_ != Body::unknown || over_) return {};
  decide_body();
  if (body_kind_ != Body::events) return {};
  const std::string begun = std::exchange(body_, {});
  return feed_events(begun, now);
}

/// Without a telling content type the first characters decide: an event stream never begins with a bracket.
void Exchange::decide_body() {
  const std::size_t first = body_.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string::npos) return;
  const char c = body_[first];
  body_kind_ = c == '{' || c == '[' || c == '<' ? Body::whole : Body::events;
}

void Exchange::collect(std::string_view bytes) {
  if (body_kind_ == Body::error) {
    body_.append(bytes.substr(0, settings_.error_body_bytes_max - std::min(body_.size(), settings_.error_body_bytes_max)));
    if (body_.size() >= settings_.error_body_bytes_max) end_of_error();
    return;
  }
  if (body_.size() + bytes.size() > settings_.body_bytes_max) {
    fail(FailurePhase::too_long, own_error("the body is too long"));
    return;
  }
  body_.append(bytes);
}

StreamUpdate Exchange::feed_events(std::string_view bytes, SteadyTime now) {
  StreamUpdate sum;
  const Result<void> fed = parser_.feed(bytes, [&](const SseEvent& event) {
    if (over_) return;
    const Result<StreamUpdate> update = accumulator_.on_event(event);
    if (!update) {
      const bool limit = update.error().code == ErrorCode::LimitExceeded;
      fail(limit ? FailurePhase::too_long : FailurePhase::protocol, own_error(update.error().message));
      return;
    }
    if (update->semantic) last_progress_at_ = now;
    sum.semantic = sum.semantic || update->semantic;
    sum.text += update->text;
    sum.reasoning += update->reasoning;
    if (repeats_.repeats(update->text.empty() ? update->reasoning : update->text)) fail(FailurePhase::repeated);
    if (accumulator_.result()) over_ = true;
  });
  if (!fed && !over_) fail(FailurePhase::too_long, own_error(fed.error().message));
  return sum;
}

void Exchange::on_end(const TransferEnd& end, SteadyTime) {
  transfer_ended_ = true;
  if (over_) return;
  reused_connection_ = end.reused_connection;
  if (end.kind != TransferEnd::Kind::clean) {
    take_end_failure(end);
    return;
  }
  if (!has_head_) {
    fail(FailurePhase::no_answer, own_error(end.message));
    return;
  }
  switch (body_kind_) {
    case Body::events: end_of_events(); break;
    case Body::error: end_of_error(); break;
    case Body::whole:
    case Body::unknown: end_of_whole(); break;
  }
}

void Exchange::take_end_failure(const TransferEnd& end) {
  switch (end.kind) {
    case TransferEnd::Kind::resolve:
    case TransferEnd::Kind::connect: fail(FailurePhase::connect, own_error(end.message)); return;
    case TransferEnd::Kind::tls: fail(FailurePhase::tls, own_error(end.message)); return;
    case TransferEnd::Kind::broken:
    case TransferEnd::Kind::clean: break;
  }
  // A broken error answer still has its status.
  if (body_kind_ == Body::error) {
    end_of_error();
    return;
  }
  fail(has_head_ ? FailurePhase::cut : FailurePhase::no_answer, own_error(end.message));
}

void Exchange::end_of_events() {
  accumulator_.on_end();
  if (accumulator_.result()) {
    over_ = true;
    return;
  }
  fail(FailurePhase::cut, own_error("the stream ended without its last event"));
}

void Exchange::end_of_whole() {
  const Result<json::value> parsed = parse_json(body_);
  if (!parsed) {
    fail(FailurePhase::protocol, own_error(body_.empty() ? "the answer is empty" : "the answer is neither JSON nor an event stream"));
    return;
  }
  if (const Result<void> taken = accumulator_.on_body(*parsed); !taken) {
    auto error = read_provider_error(*parsed);
    const bool limit = taken.error().code == ErrorCode::LimitExceeded;
    if (error && !limit) {
      fail(FailurePhase::event, std::move(*error));
    } else {
      fail(limit ? FailurePhase::too_long : FailurePhase::protocol, own_error(taken.error().message));
    }
    return;
  }
  over_ = true;
}

void Exchange::end_of_error() { fail(FailurePhase::http, error_of_body(body_)); }

void Exchange::fail(FailurePhase phase, ProviderError error) {
  if (over_) return;
  over_ = true;
  FailureSignal signal;
  signal.phase = phase;
  signal.status = head_.status;
  signal.headers = head_.headers;
  signal.error = std::move(error);
  failure_ = std::move(signal);
}

void Exchange::on_timer(SteadyTime now) {
  if (over_ || now < deadline()) return;
  if (!has_head_) {
    fail(FailurePhase::headers_late);
  } else if (body_kind_ == Body::error) {
    end_of_error();
  } else if (now - last_byte_at_ >= settings_.liveness_timeout) {
    fail(FailurePhase::stalled, own_error("no bytes in time"));
  } else {
    fail(FailurePhase::stalled, own_error("no progress in time"));
  }
}

void Exchange::on_paused(SteadyTime now) {
  last_byte_at_ = now;
  last_progress_at_ = now;
}

bool Exchange::stale_connection(SteadyTime now) const {
  return failure_ && failure_->phase == FailurePhase::no_answer && reused_connection_ &&
         now - sent_at_ < settings_.stale_connection_window;
}

SteadyTime Exchange::deadline() const {
  if (!has_head_) {
    return sent_at_ + (streaming_ ? settings_.headers_timeout_streaming : settings_.headers_timeout_plain);
  }
  if (body_kind_ == Body::error) return last_byte_at_ + settings_.error_body_timeout;
  return std::min(last_byte_at_ + settings_.liveness_timeout, last_progress_at_ + settings_.progress_timeout);
}

}  // namespace planexe::llm
