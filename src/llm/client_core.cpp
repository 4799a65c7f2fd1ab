#include "llm/client_core.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

#include "base/log.hpp"
#include "llm/endpoint_address.hpp"

namespace planexe::llm {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kPauseCheck{50};

TransportOptions transport_options(const ClientOptions& options) {
  return TransportOptions{options.settings, options.ca_file, options.proxy, options.max_concurrent};
}

}  // namespace

ClientCore::ClientCore(asio::any_io_executor executor, ClientOptions options, const Clock& clock, Random& random,
                       std::optional<PayloadLog> payload_log)
    : executor_(executor), options_(std::move(options)), clock_(clock), knowledge_(options_.settings),
      limits_(options_.settings, options_.max_concurrent),
      environment_{options_.settings, options_.catalogue, options_.prices, limits_, knowledge_, redact_, random,
                   [this](const ModelEntry& model) { return is_configured(model, options_.secret); },
                   options_.store_responses},
      transport_(std::make_unique<CurlTransport>(executor, transport_options(options_))),
      payload_log_(std::move(payload_log)), pump_timer_(executor) {
  for (const std::string& value : secret_values(options_.catalogue, options_.secret)) redact_.add_secret(value);
}

void ClientCore::start(CallId id, CallSpec spec, Judge judge, std::shared_ptr<CallHost> host) {
  auto call = std::make_unique<Call>(executor_);
  call->host = std::move(host);
  call->machine = std::make_unique<CallMachine>(id, std::move(spec), std::move(judge), environment_);
  calls_.emplace(id, std::move(call));
  const bool refused = shutting_down_;
  asio::post(executor_, [self = shared_from_this(), id, refused] {
    self->tell(id, [&](CallMachine& machine, Now at) { return refused ? machine.cancel(false, at) : machine.start(at); });
  });
}

void ClientCore::cancel(CallId id) {
  const auto at = calls_.find(id);
  if (at == calls_.end()) return;
  // What the judge of the call looks at may be gone when this returns.
  at->second->cancelled = true;
  asio::post(executor_, [self = shared_from_this(), id] {
    if (const auto call = self->calls_.find(id); call != self->calls_.end()) call->second->cancelled = false;
    self->tell(id, [](CallMachine& machine, Now at) { return machine.cancel(true, at); });
  });
}

void ClientCore::shut_down() {
  shutting_down_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    std::vector<CallId> ids;
    for (const auto& [id, call] : self->calls_) ids.push_back(id);
    for (const CallId id : ids) {
      self->tell(id, [](CallMachine& machine, Now at) { return machine.cancel(false, at); });
    }
  });
}

void ClientCore::close() {
  shutting_down_ = true;
  calls_.clear();
  pump_timer_.cancel();
  transport_.reset();
}

void ClientCore::tell(CallId id, const Event& event) {
  const auto at = calls_.find(id);
  if (at == calls_.end()) return;
  Call& call = *at->second;
  if (call.cancelled) return;
  Actions actions = event(*call.machine, now());
  for (Action& action : actions) perform(id, call, action);
  if (call.machine->finished()) {
    calls_.erase(id);
  } else {
    arm(id, call);
  }
}

void ClientCore::perform(CallId id, Call& call, Action& action) {
  std::visit([&](auto& wanted) { carry_out(id, call, wanted); }, action);
}

void ClientCore::carry_out(CallId id, Call&, action::Enqueue& enqueue) {
  if (!limits_.enqueue(*enqueue.model, std::move(enqueue.ticket), now().steady)) {
    asio::post(executor_, [self = shared_from_this(), id] {
      self->tell(id, [](CallMachine& machine, Now at) { return machine.queue_full(at); });
    });
  }
  schedule_pump();
}

void ClientCore::carry_out(CallId id, Call&, action::LeaveQueue&) { limits_.leave(id); }

void ClientCore::carry_out(CallId, Call& call, action::Abort&) {
  if (call.transfer) transport_->abort(*std::exchange(call.transfer, std::nullopt));
}

void ClientCore::carry_out(CallId, Call& call, action::Drain&) {
  if (call.transfer) transport_->drain(*std::exchange(call.transfer, std::nullopt));
}

void ClientCore::carry_out(CallId id, Call&, action::FinishTicket& finish) {
  if (limits_.finish(id, finish.feedback, now().steady)) breaker_opened_ = true;
  schedule_pump();
}

void ClientCore::carry_out(CallId id, Call&, action::LearnHeaders& learn) {
  limits_.learn_headers(id, learn.headers, now().steady);
  const auto header = [&](std::string_view name) {
    const auto at = learn.headers.find(name);
    return at == learn.headers.end() ? std::string() : at->second;
  };
  const std::string requests = header("x-ratelimit-remaining-requests");
  const std::string tokens = header("x-ratelimit-remaining-tokens");
  if (requests.empty() && tokens.empty()) return;
  log_debug("model rate limits", {{"call", id}, {"remaining_requests", requests}, {"remaining_tokens", tokens},
                                  {"reset_requests", header("x-ratelimit-reset-requests")},
                                  {"reset_tokens", header("x-ratelimit-reset-tokens")}});
}

void ClientCore::carry_out(CallId id, Call&, action::FirstToken&) {
  limits_.first_token(id, now().steady);
  schedule_pump();
}

void ClientCore::carry_out(CallId, Call& call, action::ResponseId& response) {
  call.host->response_id(response.attempt, response.id);
}

void ClientCore::carry_out(CallId, Call& call, action::EndAttempt& end) {
  log_attempt(call, end.record);
  if (options_.observer != nullptr) options_.observer->attempt_ended(end.record);
  call.host->attempt_ended(end.record);
}

void ClientCore::carry_out(CallId, Call& call, action::Finish& finish) {
  call.host->finished(std::move(finish.outcome));
}

void ClientCore::carry_out(CallId id, Call& call, action::Announce& announce) {
  const AttemptStart& start = announce.start;
  call.announced_attempt = start.attempt;
  if (options_.observer != nullptr) options_.observer->attempt_started(start);
  auto go = [weak = weak_from_this(), id, attempt = start.attempt](bool allowed, ErrorCode refusal) {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->executor_, [self, id, attempt, allowed, refusal] {
      const auto at = self->calls_.find(id);
      if (at == self->calls_.end() || at->second->announced_attempt != attempt) return;
      at->second->announced_attempt = 0;
      self->tell(id, [&](CallMachine& machine, Now when) { return machine.gate(allowed, refusal, when); });
    });
  };
  call.host->attempt_ready(start, std::move(go));
}

void ClientCore::carry_out(CallId id, Call& call, action::Send& send) {
  const auto end_later = [this, id](TransferEnd end) {
    asio::post(executor_, [self = shared_from_this(), id, end = std::move(end)] {
      self->tell(id, [&](CallMachine& machine, Now at) { return machine.ended(end, at); });
    });
  };
  auto url = endpoint_url(*send.model, options_.secret, send.request.path);
  if (!url) {
    end_later(TransferEnd{TransferEnd::Kind::connect, false, url.error().message});
    return;
  }
  TransferRequest request{send.request.method, std::move(*url), endpoint_headers(*send.model, options_.secret),
                          send.request.body, send.request.streaming, {}, send.request.fresh_connection};
  request.headers.insert(request.headers.end(), send.request.headers.begin(), send.request.headers.end());
  if (payload_log_ && !send.request.body.empty()) {
    payload_log_->write(json::object{{"at", format_iso(clock_.now())}, {"call", call.machine->spec().call_key},
                                     {"model", send.model->id}, {"request", redact_(send.request.body)}});
  }
  TransferHandlers handlers;
  handlers.on_head = [this, id](const ResponseHead& head) {
    tell(id, [&](CallMachine& machine, Now at) { return machine.head(head, at); });
  };
  handlers.on_body = [this, id](std::string_view bytes) {
    tell(id, [&](CallMachine& machine, Now at) { return machine.body(bytes, at); });
  };
  handlers.on_end = [this, id](const TransferEnd& end) {
    if (const auto at = calls_.find(id); at != calls_.end()) at->second->transfer.reset();
    tell(id, [&](CallMachine& machine, Now at) { return machine.ended(end, at); });
  };
  call.paused = false;
  call.transfer = transport_->start(std::move(request), std::move(handlers));
}

void ClientCore::carry_out(CallId, Call&, action::CancelAtProvider& cancel) {
  const Request request = cancel_request(cancel.response_id);
  auto url = endpoint_url(*cancel.model, options_.secret, request.path);
  if (!url) return;
  TransferRequest transfer{request.method, std::move(*url), endpoint_headers(*cancel.model, options_.secret),
                           request.body, false, options_.settings.cancel_request_timeout};
  transfer.headers.insert(transfer.headers.end(), request.headers.begin(), request.headers.end());
  transport_->start(std::move(transfer), {});
}

void ClientCore::carry_out(CallId id, Call& call, action::Deltas& deltas) {
  if (!deltas.reasoning.empty()) call.host->reasoning_delta(deltas.attempt, deltas.reasoning);
  if (!deltas.text.empty()) call.host->text_delta(deltas.attempt, deltas.text);
  if (!call.transfer || call.paused || call.host->wants_deltas()) return;
  call.paused = true;
  transport_->pause(*call.transfer);
  check_paused(id);
}

void ClientCore::check_paused(CallId id) {
  const auto at = calls_.find(id);
  if (at == calls_.end() || !at->second->paused) return;
  Call& call = *at->second;
  call.machine->paused(now());
  if (!call.transfer || call.host->wants_deltas()) {
    call.paused = false;
    if (call.transfer) transport_->resume(*call.transfer);
    return;
  }
  call.pause_timer.expires_after(kPauseCheck);
  call.pause_timer.async_wait([weak = weak_from_this(), id](const auto& status) {
    const auto self = weak.lock();
    if (!status && self) self->check_paused(id);
  });
}

/// The timer is only moved when the deadline comes earlier: one that comes late finds nothing due and is set again.
void ClientCore::arm(CallId id, Call& call) {
  const auto due = call.machine->deadline();
  if (!due) return;
  if (call.armed && *call.armed <= *due) return;
  call.armed = *due;
  call.timer.expires_at(*due);
  call.timer.async_wait([weak = weak_from_this(), id](const auto& status) {
    const auto self = weak.lock();
    if (status || !self) return;
    const auto at = self->calls_.find(id);
    if (at == self->calls_.end()) return;
    at->second->armed.reset();
    self->tell(id, [](CallMachine& machine, Now when) { return machine.timer(when); });
  });
}

void ClientCore::schedule_pump() {
  if (std::exchange(pump_posted_, true)) return;
  // Through the loop, so that calls that start together are seen together.
  asio::post(executor_, [self = shared_from_this()] {
    self->pump_posted_ = false;
    self->pump();
  });
}

void ClientCore::pump() {
  if (transport_ == nullptr) return;
  if (std::exchange(breaker_opened_, false)) {
    for (const TicketId id : limits_.stranded(now().steady)) {
      tell(id, [](CallMachine& machine, Now at) { return machine.breaker_opened(at); });
    }
  }
  for (const TicketId id : limits_.admit(now().steady)) {
    tell(id, [](CallMachine& machine, Now at) { return machine.admitted(at); });
  }
  const auto next = limits_.next_admission(now().steady);
  pump_timer_.cancel();
  if (!next) return;
  // At least a millisecond: a rounded refill must not spin.
  pump_timer_.expires_at(std::max(*next, now().steady + std::chrono::milliseconds(1)));
  pump_timer_.async_wait([weak = weak_from_this()](const auto& status) {
    const auto self = weak.lock();
    if (!status && self) self->pump();
  });
}

void ClientCore::log_attempt(const Call& call, const AttemptRecord& record) {
  const Usage& usage = record.usage;
  const double cached = usage.input_tokens > 0
                            ? static_cast<double>(usage.cached_input_tokens) / static_cast<double>(usage.input_tokens) : 0.0;
  const auto streaming_ms = record.duration_ms - record.first_token_ms;
  const double rate = streaming_ms > 0 ? static_cast<double>(usage.output_tokens) * 1'000.0 / static_cast<double>(streaming_ms) : 0.0;
  log(record.error && record.status != "cancelled" ? LogLevel::warn : LogLevel::debug, "model attempt",
      {{"plan", call.machine->spec().plan_id},
       {"call", call.machine->spec().call_key},
       {"attempt", record.attempt},
       {"reason", to_string(record.reason)},
       {"status", record.status},
       {"model", record.model},
       {"http_status", record.http_status},
       {"request_id", record.provider_request_id},
       {"input_tokens", usage.input_tokens},
       {"output_tokens", usage.output_tokens},
       {"cached_share", cached},
       {"tokens_per_second", rate},
       {"queue_ms", record.queue_ms},
       {"first_byte_ms", record.first_byte_ms},
       {"first_token_ms", record.first_token_ms},
       {"duration_ms", record.duration_ms},
       {"error", record.error ? record.error->message : std::string()}});
  if (!payload_log_) return;
  payload_log_->write(json::object{{"at", format_iso(clock_.now())}, {"call", call.machine->spec().call_key},
                                   {"model", record.model}, {"attempt", record.attempt}, {"status", record.status},
                                   {"response", redact_(record.text)}});
}

}  // namespace planexe::llm
