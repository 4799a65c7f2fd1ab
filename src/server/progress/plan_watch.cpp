#include "server/progress/plan_watch.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "server/plan_service.hpp"
#include "server/progress/hub.hpp"

namespace planexe::server {

namespace {

bool has_ended(const std::string& status) { return status == "completed" || status == "failed" || status == "cancelled"; }

}  // namespace

void PlanWatch::look() {
  if (looking_) return;
  auto plans = services_.hub->watched();
  std::erase_if(plans, [&](const std::string& plan_id) { return services_.plans->running(plan_id); });
  std::erase_if(seen_, [&](const auto& entry) { return !std::ranges::binary_search(plans, entry.first); });
  if (plans.empty()) return;
  looking_ = true;
  boost::asio::post(*services_.pool, [this, plans = std::move(plans)] {
    std::map<std::string, Seen> now;
    for (const auto& plan_id : plans) {
      const auto plan = services_.store->plan(plan_id);
      const auto last = services_.store->last_event_seq(plan_id);
      if (plan && *plan && last) now[plan_id] = {(*plan)->status, *last};
    }
    boost::asio::post(services_.loop, [this, now = std::move(now)] {
      looking_ = false;
      for (const auto& [plan_id, seen] : now) {
        const auto before = seen_.find(plan_id);
        // Who began to watch a moment ago has read the rest.
        const bool news = before == seen_.end() ? has_ended(seen.status) : before->second != seen;
        if (news && !services_.plans->running(plan_id)) services_.hub->look_again(plan_id);
        seen_[plan_id] = seen;
      }
    });
  });
}

}  // namespace planexe::server
