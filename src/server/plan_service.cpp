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

void PlanService::start() { look_for_more(); }

void PlanService::stop() {
  stopping_ = true;
  timer_.cancel();
  services_.engine->shut_down();
}

void PlanService::enqueue(const std::string& plan_id) {
  if (stopping_ || !known_.insert(plan_id).second) return;
  waiting_.push_back(plan_id);
  start_next();
}

void PlanService::forget(const std::string& plan_id) {
  if (running_.contains(plan_id)) return;
  if (known_.erase(plan_id) > 0) std::erase(waiting_, plan_id);
  tell_metrics();
}

bool PlanService::full() const { return waiting_.size() >= static_cast<std::size_t>(services_.settings->max_queued); }

std::optional<int> PlanService::position(const std::string& plan_id) const {
  const auto it = std::ranges::find(waiting_, plan_id);
  if (it == waiting_.end()) return std::nullopt;
  return static_cast<int>(it - waiting_.begin()) + 1;
}

void PlanService::start_next() {
  while (!stopping_ && !waiting_.empty() && running_.size() < static_cast<std::size_t>(services_.settings->max_concurrent_plans)) {
    const auto plan_id = waiting_.front();
    waiting_.pop_front();
    start_one(plan_id);
  }
  tell_metrics();
}

void PlanService::start_one(const std::string& plan_id) {
  auto started = services_.engine->run(plan_id);
  if (started) {
    running_.insert(plan_id);
    return;
  }
  known_.erase(plan_id);
  // Another process has it, or it was cancelled or deleted meanwhile: nothing is wrong with that.
  const bool ordinary = started.error().code == ErrorCode::Locked || started.error().code == ErrorCode::PlanNotFound;
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

void PlanService::look_for_more() {
  if (stopping_) return;
  asio::post(*services_.pool, [this] {
    auto found = services_.store->runnable_plans(services_.settings->max_queued, services_.exclusive);
    asio::post(services_.loop, [this, found = std::move(found)]() mutable {
      if (found) took(std::move(*found));
      timer_.expires_after(kLook);
      timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) look_for_more();
      });
    });
  });
}

void PlanService::took(std::vector<std::string> plans) {
  for (auto& plan_id : plans)
    if (!stopping_ && known_.insert(plan_id).second) waiting_.push_back(std::move(plan_id));
  start_next();
}

void PlanService::tell_metrics() const {
  services_.metrics->queue(static_cast<std::int64_t>(running_.size()), static_cast<std::int64_t>(waiting_.size()));
}

}  // namespace planexe::server
