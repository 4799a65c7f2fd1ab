#include "llm/limits.hpp"

#include <algorithm>
#include <charconv>

namespace planexe::llm {

namespace {

std::optional<TokenBucket> fixed_bucket(std::optional<int> per_minute, const ClientSettings& settings, SteadyTime now) {
  if (!per_minute || *per_minute <= 0) return std::nullopt;
  return TokenBucket(*per_minute, settings.bucket_burst, now);
}

/// A whole number above zero; Azure sends -1 and 0 for "not known".
std::optional<std::int64_t> positive_header(const HeaderMap& headers, const std::string& name) {
  const auto at = headers.find(name);
  if (at == headers.end()) return std::nullopt;
  std::int64_t value = 0;
  const std::string& text = at->second;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

}  // namespace

std::string provider_key(const ModelEntry& model) {
  return model.provider + "|" + model.base_url + "|" + model.api_key_env;
}

Limits::Endpoint::Endpoint(const ModelEntry& model, const ClientSettings& settings, SteadyTime now)
    : provider_key(llm::provider_key(model)), provider(model.provider), rate_headers(model.caps.rate_headers),
      prefix_cache(model.caps.prefix_cache), concurrency(model.start_concurrency, model.max_concurrency, settings),
      requests(fixed_bucket(model.rpm, settings, now)), tokens(fixed_bucket(model.tpm, settings, now)),
      requests_fixed(requests.has_value()), tokens_fixed(tokens.has_value()), breaker(settings), leaders(settings) {}

Limits::Endpoint& Limits::endpoint_of(const ModelEntry& model, SteadyTime now) {
  const auto at = endpoints_.find(model.id);
  if (at != endpoints_.end()) return at->second;
  return endpoints_.emplace(std::piecewise_construct, std::forward_as_tuple(model.id),
                            std::forward_as_tuple(model, settings_, now)).first->second;
}

const Breaker* Limits::provider_breaker(const std::string& key) const {
  const auto at = providers_.find(key);
  return at == providers_.end() ? nullptr : &at->second.breaker;
}

bool Limits::open(const Endpoint& endpoint, SteadyTime now) const {
  const Breaker* provider = provider_breaker(endpoint.provider_key);
  return endpoint.breaker.state(now) == Breaker::State::open ||
         (provider != nullptr && provider->state(now) == Breaker::State::open);
}

std::vector<EndpointState> Limits::endpoints(SteadyTime now) const {
  std::vector<EndpointState> states;
  for (const auto& [id, endpoint] : endpoints_) {
    const Breaker* provider = provider_breaker(endpoint.provider_key);
    const auto is = [&](Breaker::State state) {
      return endpoint.breaker.state(now) == state || (provider != nullptr && provider->state(now) == state);
    };
    const auto breaker = is(Breaker::State::open)        ? Breaker::State::open
                         : is(Breaker::State::half_open) ? Breaker::State::half_open
                                                         : Breaker::State::closed;
    const auto waiting = std::ranges::count(waiting_, id, &std::pair<const TicketId, std::string>::second);
    states.push_back({id, endpoint.provider, breaker, static_cast<std::size_t>(waiting), endpoint.in_flight});
  }
  return states;
}

bool Limits::available(const ModelEntry& model, SteadyTime now) const {
  const auto at = endpoints_.find(model.id);
  if (at != endpoints_.end()) return !open(at->second, now);
  return !provider_closed(model, now).has_value();
}

bool Limits::healthy(const ModelEntry& model, SteadyTime now) const {
  const Breaker* provider = provider_breaker(provider_key(model));
  const auto at = endpoints_.find(model.id);
  return (at == endpoints_.end() || at->second.breaker.state(now) == Breaker::State::closed) &&
         (provider == nullptr || provider->state(now) == Breaker::State::closed);
}

std::optional<ErrorCode> Limits::provider_closed(const ModelEntry& model, SteadyTime now) const {
  const auto at = providers_.find(provider_key(model));
  if (at == providers_.end() || at->second.breaker.state(now) != Breaker::State::open) return std::nullopt;
  return at->second.reason;
}

bool Limits::enqueue(const ModelEntry& model, Ticket ticket, SteadyTime now) {
  PLANEXE_ASSERT(!waiting_.contains(ticket.id) && !admitted_.contains(ticket.id));
  if (waiting_.size() >= settings_.queue_length_max) return false;
  Endpoint& endpoint = endpoint_of(model, now);
  waiting_.emplace(ticket.id, model.id);
  if (endpoint.prefix_cache) endpoint.leaders.queued(ticket);
  endpoint.queue.push(std::move(ticket));
  return true;
}

bool Limits::leave(TicketId id) {
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return false;
  Endpoint& endpoint = endpoints_.find(at->second)->second;
  if (const Ticket* ticket = endpoint.queue.find(id)) endpoint.leaders.left(*ticket);
  endpoint.queue.erase(id);
  waiting_.erase(at);
  return true;
}

const Ticket* Limits::next_ticket(const Endpoint& endpoint, SteadyTime now) const {
  if (endpoint.queue.empty() || endpoint.in_flight >= endpoint.concurrency.limit()) return nullptr;
  const Breaker* provider = provider_breaker(endpoint.provider_key);
  if (!endpoint.breaker.admits(now) || (provider != nullptr && !provider->admits(now))) return nullptr;
  return endpoint.queue.peek([&](const Ticket& ticket) {
    return !endpoint.prefix_cache || endpoint.leaders.may_start(ticket, now);
  });
}

std::chrono::milliseconds Limits::bucket_wait(const Endpoint& endpoint, const Ticket& ticket, SteadyTime now) const {
  std::chrono::milliseconds wait{0};
  if (endpoint.requests) wait = std::max(wait, endpoint.requests->wait_for(1, now));
  if (endpoint.tokens) wait = std::max(wait, endpoint.tokens->wait_for(ticket.tokens, now));
  if (endpoint.paused_until > now) {
    wait = std::max(wait, std::chrono::ceil<std::chrono::milliseconds>(endpoint.paused_until - now));
  }
  return wait;
}

bool Limits::admit_one(const std::string& name, Endpoint& endpoint, SteadyTime now, std::vector<TicketId>& result) {
  const Ticket* next = next_ticket(endpoint, now);
  if (next == nullptr || bucket_wait(endpoint, *next, now).count() > 0) return false;
  Ticket ticket = endpoint.queue.serve(next->id);
  waiting_.erase(ticket.id);
  if (endpoint.requests) endpoint.requests->take(1, now);
  if (endpoint.tokens) endpoint.tokens->take(ticket.tokens, now);
  if (endpoint.prefix_cache) endpoint.leaders.started(ticket, now);
  endpoint.breaker.started(now);
  if (const auto provider = providers_.find(endpoint.provider_key); provider != providers_.end()) {
    provider->second.breaker.started(now);
  }
  ++endpoint.in_flight;
  result.push_back(ticket.id);
  admitted_.emplace(ticket.id, Admitted{name, std::move(ticket)});
  return true;
}

std::vector<TicketId> Limits::admit(SteadyTime now) {
  std::vector<TicketId> result;
  bool again = !waiting_.empty();
  while (again && in_flight() < concurrent_max_) {
    again = false;
    // One per endpoint and round, beginning behind the one served last.
    auto at = endpoints_.upper_bound(last_served_);
    for (std::size_t i = 0; i < endpoints_.size() && in_flight() < concurrent_max_; ++i) {
      if (at == endpoints_.end()) at = endpoints_.begin();
      if (admit_one(at->first, at->second, now, result)) {
        again = true;
        last_served_ = at->first;
      }
      ++at;
    }
  }
  return result;
}

std::optional<SteadyTime> Limits::next_admission(SteadyTime now) const {
  std::optional<SteadyTime> earliest;
  const auto consider = [&](SteadyTime at) { earliest = earliest ? std::min(*earliest, at) : at; };
  if (in_flight() >= concurrent_max_) return earliest;
  for (const auto& [name, endpoint] : endpoints_) {
    if (endpoint.queue.empty()) continue;
    if (endpoint.breaker.state(now) == Breaker::State::open) consider(endpoint.breaker.opens_until());
    const Breaker* provider = provider_breaker(endpoint.provider_key);
    if (provider != nullptr && provider->state(now) == Breaker::State::open) consider(provider->opens_until());
    if (const Ticket* ticket = next_ticket(endpoint, now)) consider(now + bucket_wait(endpoint, *ticket, now));
  }
  return earliest;
}

void Limits::first_token(TicketId id, SteadyTime now) {
  const auto at = admitted_.find(id);
  if (at == admitted_.end()) return;
  endpoints_.find(at->second.endpoint)->second.leaders.first_token(at->second.ticket, now);
}

void Limits::learn_bucket(std::optional<TokenBucket>& bucket, bool fixed, const HeaderMap& headers,
                          std::string_view what, SteadyTime now) const {
  const std::string suffix(what);
  const auto limit = positive_header(headers, "x-ratelimit-limit-" + suffix);
  if (limit && !fixed) {
    if (!bucket) {
      bucket.emplace(*limit, settings_.bucket_burst, now);
    } else if (bucket->limit() != *limit) {
      bucket->set_limit(*limit, now);
    }
  }
  if (!bucket) return;
  if (const auto remaining = positive_header(headers, "x-ratelimit-remaining-" + suffix)) {
    bucket->limit_to(*remaining, now);
    return;
  }
  // The time until the bucket is full again says as much. Longer than a minute, it belongs to a limit per day.
  constexpr std::chrono::milliseconds kMinute{60'000};
  const auto header = headers.find("x-ratelimit-reset-" + suffix);
  const auto reset = header == headers.end() ? std::nullopt : parse_go_duration(header->second);
  if (!reset || reset->count() <= 0 || *reset > kMinute) return;
  bucket->limit_to(bucket->limit() * (kMinute - *reset).count() / kMinute.count(), now);
}

void Limits::learn_headers(TicketId id, const HeaderMap& headers, SteadyTime now) {
  const auto at = admitted_.find(id);
  if (at == admitted_.end()) return;
  Endpoint& endpoint = endpoints_.find(at->second.endpoint)->second;
  if (!endpoint.rate_headers) return;
  learn_bucket(endpoint.requests, endpoint.requests_fixed, headers, "requests", now);
  learn_bucket(endpoint.tokens, endpoint.tokens_fixed, headers, "tokens", now);
}

bool Limits::finish(TicketId id, const Feedback& feedback, SteadyTime now) {
  const auto at = admitted_.find(id);
  PLANEXE_ASSERT(at != admitted_.end());
  Endpoint& endpoint = endpoints_.find(at->second.endpoint)->second;
  const Ticket ticket = std::move(at->second.ticket);
  admitted_.erase(at);
  --endpoint.in_flight;
  endpoint.queue.finished(ticket.plan_id);
  endpoint.leaders.ended(ticket);
  if (endpoint.tokens && feedback.used_tokens) endpoint.tokens->correct(ticket.tokens - *feedback.used_tokens, now);
  if (feedback.pause) {
    const auto pause = std::min(*feedback.pause, settings_.server_delay_max);
    endpoint.paused_until = std::max(endpoint.paused_until, now + pause);
  }
  if (feedback.congested) endpoint.concurrency.congested(now);
  const auto provider = providers_.find(endpoint.provider_key);
  if (feedback.neutral) {
    endpoint.breaker.probe_gone();
    if (provider != providers_.end()) provider->second.breaker.probe_gone();
    return false;
  }
  if (feedback.provider_tripped) {
    const auto [closed, added] = providers_.try_emplace(endpoint.provider_key, Breaker(settings_), *feedback.provider_tripped);
    closed->second.reason = *feedback.provider_tripped;
    closed->second.breaker.trip(now);
    return true;
  }
  if (provider != providers_.end()) provider->second.breaker.succeeded(now);
  if (feedback.endpoint_failed) return endpoint.breaker.failed(now);
  if (feedback.clean) endpoint.concurrency.completed();
  endpoint.breaker.succeeded(now);
  return false;
}

std::vector<TicketId> Limits::stranded(SteadyTime now) const {
  std::vector<TicketId> result;
  for (const auto& [name, endpoint] : endpoints_) {
    if (!open(endpoint, now)) continue;
    endpoint.queue.for_each([&](const Ticket& ticket) { result.push_back(ticket.id); });
  }
  return result;
}

int Limits::concurrency_limit(const std::string& model_id) const {
  const auto at = endpoints_.find(model_id);
  return at == endpoints_.end() ? 0 : at->second.concurrency.limit();
}

}  // namespace planexe::llm
