#include "server/health_probe.hpp"

#include <cmath>

#include <boost/asio/post.hpp>

#include "base/log.hpp"
#include "base/version.hpp"
#include "server/contract.hpp"
#include "server/metrics.hpp"

namespace planexe::server {
namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr int kRetryAfterSeconds = 5;
/// Not the name of any token or address: those have no brackets.
constexpr std::string_view kProbeIdentity = "(health)";
constexpr std::string_view kProbeKey = "probe";

/// A row that has expired when it is written: the next probe replaces it, so there is never more than one.
store::Transaction probe_write(TimePoint now) {
  store::IdempotencyRow row;
  row.identity = kProbeIdentity;
  row.key = kProbeKey;
  row.expires_at = now;
  store::Transaction transaction;
  transaction.writes.emplace_back(store::PutIdempotencyKey{std::move(row)});
  transaction.label = "health";
  return transaction;
}

std::string_view verdict(const HealthFacts& facts) {
  if (!facts.latency) return "unhealthy";
  return facts.available_models == 0 || facts.waiting >= facts.max_waiting ? "degraded" : "healthy";
}

}  // namespace

void HealthState::end(Time now, bool ok) {
  if (!begun_) return;
  const auto took = now - *begun_;
  begun_.reset();
  latency_.reset();
  if (ok && took <= kGiveUp) latency_ = took;
}

std::optional<HealthState::Millis> HealthState::latency(Time now) const {
  if (begun_ && now - *begun_ > kGiveUp) return std::nullopt;
  return latency_;
}

Response health_response(const HealthFacts& facts, const std::string& request_id) {
  const bool works = facts.latency.has_value();
  const auto rounded = [](HealthState::Millis time) { return std::round(time.count() * 100) / 100; };
  json::object body{
      {"status", verdict(facts)},
      {"version", facts.api_version},
      {"planexe_version", kVersion},
      {"available_models", facts.available_models},
      {"database", json::object{{"status", works ? "ok" : "error"},
                                {"backend", facts.backend},
                                {"latency_ms", works ? json::value(rounded(*facts.latency)) : json::value(nullptr)},
                                {"schema_version", works && facts.schema_version > 0 ? json::value(facts.schema_version)
                                                                                     : json::value(nullptr)}}},
      {"queue",
       json::object{{"running", facts.running}, {"waiting", facts.waiting}, {"max_running", facts.max_running}}},
      {"uptime_seconds", facts.uptime.count()},
      {"started_at", format_iso(facts.started_at)},
      {"rehearsal", facts.rehearsal}};
  if (works) return json_response(body);
  body["error"] = "The database does not answer.";
  body["code"] = to_string(ErrorCode::DatabaseUnavailable);
  body["detail"] = "The last probe failed or had no answer within 2 seconds.";
  body["request_id"] = request_id;
  body["retry_after_seconds"] = kRetryAfterSeconds;
  auto response = json_response(body, http_status(ErrorCode::DatabaseUnavailable));
  response.with("Retry-After", std::to_string(kRetryAfterSeconds));
  return response;
}

HealthProbe::HealthProbe(const Services& services)
    : services_(services),
      timer_(services.loop),
      started_(services.clock->steady()),
      started_at_(services.clock->now()) {}

void HealthProbe::start() {
  const auto begun = services_.clock->steady();
  state_.begin(begun);
  const auto facts = services_.store->facts();
  if (facts) {
    backend_ = facts->backend;
    schema_version_ = facts->schema_version;
  }
  ended({facts.has_value(), services_.clock->steady() - begun, std::nullopt});
  wait();
}

void HealthProbe::wait() {
  timer_.expires_after(kInterval);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    if (!self->state_.under_way()) self->probe();
    self->wait();
  });
}

void HealthProbe::probe() {
  state_.begin(services_.clock->steady());
  // Metrics belong to the server, which may be gone when the store answers; so times are noted on the loop's thread.
  const auto report = [weak = weak_from_this(), loop = services_.loop](Probe probe) {
    boost::asio::post(loop, [weak, probe] {
      if (const auto self = weak.lock()) self->ended(probe);
    });
  };
  boost::asio::post(*services_.pool, [report, store = services_.store, clock = services_.clock] {
    const auto begun = clock->steady();
    const auto row = store->idempotency_key(std::string(kProbeIdentity), std::string(kProbeKey));
    const auto read = clock->steady();
    if (!row) return report({false, read - begun, std::nullopt});
    store->submit(probe_write(clock->now()), [report, clock, begun, read](const store::CommitResult& result) {
      report({result.ok(), read - begun, clock->steady() - read});
    });
  });
}

void HealthProbe::ended(const Probe& probe) {
  const auto now = services_.clock->steady();
  const bool worked = state_.latency(now).has_value();
  state_.end(now, probe.ok);
  const bool works = state_.latency(now).has_value();
  services_.metrics->database_latency("read", probe.read);
  if (probe.write) services_.metrics->database_latency("write", *probe.write);
  services_.metrics->database_up(works);
  if (worked && !works) log_error("the database does not answer");
  if (!worked && works) log_info("the database answers");
}

HealthFacts HealthProbe::facts() const {
  const auto now = services_.clock->steady();
  HealthFacts facts;
  facts.latency = state_.latency(now);
  facts.api_version = get_string(services_.contract->document().at("info"), "version").value_or("");
  facts.backend = backend_;
  facts.schema_version = schema_version_;
  for (const auto& model : services_.catalogue->models)
    if (model.is_text() && services_.why_unavailable(model).empty()) ++facts.available_models;
  const auto queue = services_.metrics->queue_now();
  facts.running = static_cast<std::int64_t>(services_.engine->running());
  facts.waiting = queue.waiting;
  facts.max_running = services_.settings->max_concurrent_plans;
  facts.max_waiting = services_.settings->max_queued;
  facts.uptime = std::chrono::duration_cast<std::chrono::seconds>(now - started_);
  facts.started_at = started_at_;
  facts.rehearsal = services_.settings->rehearsal;
  return facts;
}

}  // namespace planexe::server
