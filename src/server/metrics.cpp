#include "server/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <set>

#include "base/text.hpp"
#include "base/version.hpp"

namespace planexe::server {
namespace {

namespace prom = prometheus;
template <class T>
using Family = prom::Family<T>;
using Buckets = prom::Histogram::BucketBoundaries;

/// The contract has about fifty routes, a catalogue at most a thousand models of which few are used, a recipe 61 tasks.
constexpr std::size_t kRoutesMax = 100, kNamesMax = 200, kWordsMax = 32;
constexpr std::size_t kLabelCharsMax = 128;

const Buckets kRequestSeconds{0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60};
const Buckets kDatabaseSeconds{0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 2};
const Buckets kCallSeconds{0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900};
const Buckets kTaskSeconds{0.1, 1, 5, 15, 30, 60, 120, 300, 900, 3600};
const Buckets kWaitSeconds{0.01, 0.1, 1, 5, 30, 120, 600, 3600};

/// Lets so many different values of a label pass; whatever comes later is "other".
class BoundedLabel {
 public:
  explicit BoundedLabel(std::size_t max) : max_(max) {}

  std::string operator()(std::string_view value) {
    if (value.empty()) return "unknown";
    const std::lock_guard lock(mutex_);
    if (const auto known = values_.find(value); known != values_.end()) return *known;
    if (values_.size() >= max_ || value.size() > kLabelCharsMax || !valid_utf8(value)) return "other";
    return *values_.emplace(value).first;
  }

 private:
  std::size_t max_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> values_;
};

Family<prom::Counter>& counter(prom::Registry& registry, const char* name, const char* help) {
  return prom::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<prom::Gauge>& gauge(prom::Registry& registry, const char* name, const char* help) {
  return prom::BuildGauge().Name(name).Help(help).Register(registry);
}
Family<prom::Histogram>& histogram(prom::Registry& registry, const char* name, const char* help) {
  return prom::BuildHistogram().Name(name).Help(help).Register(registry);
}

/// Clients invent methods.
std::string_view known_method(std::string_view method) {
  constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return std::ranges::find(kMethods, method) == kMethods.end() ? "other" : method;
}

double positive(std::int64_t value) { return value > 0 ? static_cast<double>(value) : 0.0; }
double positive(Metrics::Seconds time) { return std::max(0.0, time.count()); }

}  // namespace

struct Metrics::Families {
  prom::Registry registry;
  BoundedLabel route{kRoutesMax}, rate_class{kWordsMax}, kind{kWordsMax}, state{kWordsMax},
      task{kNamesMax}, provider{kWordsMax}, model{kNamesMax}, reason{kWordsMax}, operation{kWordsMax};
  std::atomic<std::int64_t> running{0}, waiting{0};

  Family<prom::Counter>& requests = counter(registry, "planexe_http_requests_total", "Requests by route and status.");
  Family<prom::Histogram>& request_time =
      histogram(registry, "planexe_http_request_seconds", "Time from the head of a request to the end of its answer.");
  Family<prom::Counter>& limited =
      counter(registry, "planexe_http_rate_limited_total", "Requests that a rate limit refused.");
  prom::Gauge& connections = gauge(registry, "planexe_http_connections", "Open connections.").Add({});

  Family<prom::Gauge>& streams = gauge(registry, "planexe_streams", "Open streams by kind.");
  Family<prom::Counter>& dropped =
      counter(registry, "planexe_stream_messages_dropped_total", "Messages that slow clients did not get one by one.");

  Family<prom::Gauge>& plans = gauge(registry, "planexe_plans", "Plans by state.");
  Family<prom::Counter>& transitions =
      counter(registry, "planexe_plan_transitions_total", "Plans that came into a state.");
  Family<prom::Gauge>& queue = gauge(registry, "planexe_queue_plans", "Plans that run or wait for their start.");
  prom::Histogram& queue_wait =
      histogram(registry, "planexe_queue_wait_seconds", "Time from creation to start.").Add({}, kWaitSeconds);

  Family<prom::Counter>& tasks = counter(registry, "planexe_tasks_total", "Ended tasks by key and state.");
  Family<prom::Histogram>& task_time = histogram(registry, "planexe_task_seconds", "Duration of tasks that ran.");

  Family<prom::Counter>& attempts = counter(registry, "planexe_llm_attempts_total", "Requests to models by result.");
  Family<prom::Counter>& retries =
      counter(registry, "planexe_llm_retries_total", "Requests to models after the first, by reason.");
  Family<prom::Counter>& tokens =
      counter(registry, "planexe_llm_tokens_total", "Tokens; cached_input is part of input, reasoning part of output.");
  Family<prom::Counter>& cost = counter(registry, "planexe_llm_cost_dollars_total", "Cost where prices are known.");
  Family<prom::Histogram>& call_time =
      histogram(registry, "planexe_llm_attempt_seconds", "Duration of requests to models.");
  Family<prom::Histogram>& call_wait = histogram(registry, "planexe_llm_limit_wait_seconds",
                                                 "Time that calls waited under the limits of their endpoint.");
  Family<prom::Gauge>& breakers = gauge(registry, "planexe_llm_breaker_state", "0 closed, 1 half open, 2 open.");

  Family<prom::Histogram>& database_time = histogram(registry, "planexe_database_seconds", "Latency of the database.");
  prom::Gauge& database_up =
      gauge(registry, "planexe_database_up", "1 when the last probe of the database succeeded.").Add({});
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {
  auto& registry = families_->registry;
  gauge(registry, "planexe_build_info", "The version of this program.")
      .Add({{"version", std::string(kVersion)}})
      .Set(1);
  gauge(registry, "planexe_start_time_seconds", "Start of the process, in Unix time.").Add({}).SetToCurrentTime();
}

Metrics::~Metrics() = default;

void Metrics::request_finished(std::string_view route, std::string_view method, int status, Seconds time) {
  auto& all = *families_;
  const prom::Labels labels{{"route", all.route(route)},
                            {"method", std::string(known_method(method))},
                            {"status", std::to_string(std::clamp(status, 0, 999))}};
  all.requests.Add(labels).Increment();
  all.request_time.Add(labels, kRequestSeconds).Observe(positive(time));
}

void Metrics::request_limited(std::string_view rate_class) {
  families_->limited.Add({{"class", families_->rate_class(rate_class)}}).Increment();
}

void Metrics::connections(std::int64_t open) { families_->connections.Set(positive(open)); }

void Metrics::stream_opened(std::string_view kind) {
  families_->streams.Add({{"kind", families_->kind(kind)}}).Increment();
}

void Metrics::stream_closed(std::string_view kind) {
  families_->streams.Add({{"kind", families_->kind(kind)}}).Decrement();
}

void Metrics::messages_dropped(std::string_view kind, std::int64_t count) {
  families_->dropped.Add({{"kind", families_->kind(kind)}}).Increment(positive(count));
}

void Metrics::set_plans(std::string_view state, std::int64_t count) {
  families_->plans.Add({{"state", families_->state(state)}}).Set(positive(count));
}

void Metrics::plan_entered(std::string_view state) {
  families_->transitions.Add({{"state", families_->state(state)}}).Increment();
}

void Metrics::queue(std::int64_t running, std::int64_t waiting) {
  auto& all = *families_;
  all.running = running;
  all.waiting = waiting;
  all.queue.Add({{"state", "running"}}).Set(positive(running));
  all.queue.Add({{"state", "waiting"}}).Set(positive(waiting));
}

void Metrics::plan_started(Seconds waited) { families_->queue_wait.Observe(positive(waited)); }

void Metrics::task_ended(std::string_view key, std::string_view state, Seconds time) {
  auto& all = *families_;
  const auto task = all.task(key);
  all.tasks.Add({{"task", task}, {"state", all.state(state)}}).Increment();
  // What was skipped or blocked did not run; its zero would spoil the distribution.
  if (state == "completed" || state == "failed")
    all.task_time.Add({{"task", task}}, kTaskSeconds).Observe(positive(time));
}

void Metrics::llm_attempt_ended(const LlmAttempt& attempt) {
  auto& all = *families_;
  const prom::Labels of{{"provider", all.provider(attempt.provider)}, {"model", all.model(attempt.model)}};
  const auto with = [&](const char* name, std::string value) {
    auto labels = of;
    labels.emplace(name, std::move(value));
    return labels;
  };
  all.attempts.Add(with("status", all.state(attempt.status))).Increment();
  if (!attempt.reason.empty() && attempt.reason != "first")
    all.retries.Add(with("reason", all.reason(attempt.reason))).Increment();
  all.tokens.Add(with("kind", "input")).Increment(positive(attempt.input_tokens));
  all.tokens.Add(with("kind", "cached_input")).Increment(positive(attempt.cached_input_tokens));
  all.tokens.Add(with("kind", "output")).Increment(positive(attempt.output_tokens));
  all.tokens.Add(with("kind", "reasoning")).Increment(positive(attempt.reasoning_tokens));
  all.cost.Add(of).Increment(positive(attempt.cost_micros) / 1e6);
  all.call_time.Add(of, kCallSeconds).Observe(positive(attempt.time));
}

void Metrics::llm_waited(std::string_view provider, std::string_view model, Seconds time) {
  auto& all = *families_;
  all.call_wait.Add({{"provider", all.provider(provider)}, {"model", all.model(model)}}, kWaitSeconds)
      .Observe(positive(time));
}

void Metrics::breaker(std::string_view provider, std::string_view model, BreakerState state) {
  auto& all = *families_;
  all.breakers.Add({{"provider", all.provider(provider)}, {"model", all.model(model)}}).Set(static_cast<double>(state));
}

void Metrics::database_latency(std::string_view operation, Seconds time) {
  families_->database_time.Add({{"operation", families_->operation(operation)}}, kDatabaseSeconds)
      .Observe(positive(time));
}

void Metrics::database_up(bool up) { families_->database_up.Set(up ? 1 : 0); }

Metrics::Queue Metrics::queue_now() const { return {families_->running, families_->waiting}; }

std::string Metrics::text() const { return prom::TextSerializer().Serialize(families_->registry.Collect()); }

}  // namespace planexe::server
