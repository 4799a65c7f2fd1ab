#include "llm/prefix_leader.hpp"

#include <algorithm>

namespace planexe::llm {

void PrefixLeaders::left(const Ticket& ticket) {
  const auto at = groups_.find(ticket.cache_group);
  if (at == groups_.end()) return;
  at->second.waiting = std::max(0, at->second.waiting - 1);
  forget_if_idle(ticket.cache_group);
}

bool PrefixLeaders::may_start(const Ticket& ticket, SteadyTime now) const {
  const auto at = groups_.find(ticket.cache_group);
  if (at == groups_.end()) return true;
  const Group& group = at->second;
  if (group.warm && now < group.warm_until) return true;
  return group.leader == 0;
}

void PrefixLeaders::started(const Ticket& ticket, SteadyTime now) {
  const auto at = groups_.find(ticket.cache_group);
  if (at == groups_.end()) return;
  Group& group = at->second;
  const int fan_out = group.waiting;
  group.waiting = std::max(0, group.waiting - 1);
  const bool warm = group.warm && now < group.warm_until;
  if (warm) {
    group.warm_until = now + lifetime_;
  } else if (group.leader == 0 && fan_out > alone_min_) {
    group.leader = ticket.id;
    group.warm = false;
  }
}

void PrefixLeaders::first_token(const Ticket& ticket, SteadyTime now) {
  const auto at = groups_.find(ticket.cache_group);
  if (at == groups_.end() || at->second.leader != ticket.id) return;
  at->second.leader = 0;
  at->second.warm = true;
  at->second.warm_until = now + lifetime_;
}

void PrefixLeaders::ended(const Ticket& ticket) {
  const auto at = groups_.find(ticket.cache_group);
  if (at == groups_.end()) return;
  if (at->second.leader == ticket.id) at->second.leader = 0;
  forget_if_idle(ticket.cache_group);
}

void PrefixLeaders::forget_if_idle(std::string_view name) {
  const auto at = groups_.find(name);
  if (at != groups_.end() && at->second.waiting == 0 && at->second.leader == 0) groups_.erase(at);
}

}  // namespace planexe::llm
