#include "server/plan_service.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.hpp"
#include "server/metrics.hpp"

namespace planexe::server {

namespace asio = boost::asio;

namespace {

/// How often the database is asked for plans that another process created or left.
constexpr std::chrono::seconds kLook{2};

}  // namespace

PlanService::PlanService(const Services& services) : services_(services), timer_(services.loop) {}

void PlanService::start() { look_for_more(services_.exclusive); }

void PlanService::stop() {
  stopping_ = true;
  timer_.cancel();
  services_.engine->shut_down();
}

void PlanService::enqueue(const std::string& plan_id) {
  if (stopping_ || running_.contains(plan_id) || position(plan_id)) return;
  known_.insert(plan_id);
  wait_for_turn(plan_id);
  start_next();
}

void PlanService::wait_for_turn(const std::string& plan_id) {
  waiting_.push_back(plan_id);
  since_.insert_or_assign(plan_id, services_.clock->steady());
}

void PlanService::forget(const std::string& plan_id) {
  if (running_.contains(plan_id)) return;
  if (known_.erase(plan_id) > 0) std::erase(waiting_, plan_id);
  since_.erase(plan_id);
  tell_metrics();
}

bool PlanService::full() const { return next_position().value_or(0) > services_.settings->max_queued; }

std::optional<int> PlanService::position(const std::string& plan_id) const {
  const auto it = std::ranges::find(waiting_, plan_id);
  if (it == waiting_.end()) return std::nullopt;
  return static_cast<int>(it - waiting_.begin()) + 1;
}

std::map<std::string, int, std::less<>> PlanService::positions() const {
  std::map<std::string, int, std::less<>> places;
  int place = 0;
  for (const auto& plan_id : waiting_) places.emplace(plan_id, ++place);
  return places;
}

std::optional<int> PlanService::next_position() const {
  const auto ahead = running_.size() + waiting_.size() + being_stored_;
  const auto most = static_cast<std::size_t>(services_.settings->max_concurrent_plans);
  if (ahead < most) return std::nullopt;
  return static_cast<int>(ahead - most) + 1;
}

bool PlanService::may_start() const { return running_.size() < static_cast<std::size_t>(services_.settings->max_concurrent_plans); }

void PlanService::take_up(const std::string& plan_id) {
  if (stopping_ || std::erase(waiting_, plan_id) == 0) return;
  start_one(plan_id);
  tell_metrics();
}

void PlanService::start_next() {
  while (!stopping_ && !waiting_.empty() && may_start()) {
    const auto plan_id = waiting_.front();
    waiting_.pop_front();
    start_one(plan_id);
  }
  tell_metrics();
}

void PlanService::start_one(const std::string& plan_id) {
  const auto since = since_.extract(plan_id);
  auto started = services_.engine->run(plan_id);
  if (started) {
    running_.insert(plan_id);
    if (!since.empty()) services_.metrics->plan_started(services_.clock->steady() - since.mapped());
    return;
  }
  known_.erase(plan_id);
  // Another process has it, or it was cancelled or deleted meanwhile: nothing is wrong with that.
  const auto code = started.error().code;
  const bool ordinary = code == ErrorCode::Locked || code == ErrorCode::PlanNotFound || code == ErrorCode::PlanNotResumable;
  if (!ordinary) log_error("a plan could not be started", {{"plan_id", plan_id}, {"error", to_string(started.error())}});
}

void PlanService::ended(const std::string& plan_id, const engine::RunEnded& end) {
  running_.erase(plan_id);
  known_.erase(plan_id);
  if (end.error && end.status.empty())
    log_warn("a run broke off", {{"plan_id", plan_id}, {"error", to_string(*end.error)}});
  if (const auto it = waiters_.find(plan_id); it != waiters_.end()) {
    for (const auto& timer : it->second) timer->cancel();
    waiters_.erase(it);
  }
  start_next();
}

asio::awaitable<bool> PlanService::wait_until_idle(std::string plan_id, std::chrono::milliseconds most) {
  if (running_.contains(plan_id)) {
    auto timer = std::make_shared<asio::steady_timer>(services_.loop, most);
    waiters_[plan_id].push_back(timer);
    co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return !running_.contains(plan_id);
}

void PlanService::look_for_more(bool ignore_leases) {
  if (stopping_) return;
  asio::post(*services_.pool, [this, ignore_leases] {
    auto found = services_.store->runnable_plans(services_.settings->max_queued, ignore_leases);
    asio::post(services_.loop, [this, found = std::move(found)]() mutable {
      if (found) took(std::move(*found));
      timer_.expires_after(kLook);
      timer_.async_wait([this](const boost::system::error_code& error) {
        // Later a lease is that of a process which lives: another server, or a command that makes a plan.
        if (!error) look_for_more(false);
      });
    });
  });
}

void PlanService::took(std::vector<std::string> plans) {
  for (const auto& plan_id : plans)
    if (!stopping_ && known_.insert(plan_id).second) wait_for_turn(plan_id);
  start_next();
}

void PlanService::tell_metrics() const {
  services_.metrics->queue(static_cast<std::int64_t>(running_.size()), static_cast<std::int64_t>(waiting_.size()));
}

}  // namespace planexe::server
