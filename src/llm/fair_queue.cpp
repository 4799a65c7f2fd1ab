#include "llm/fair_queue.hpp"

#include <utility>

#include "base/error.hpp"

namespace planexe::llm {

void FairQueue::push(Ticket ticket) {
  const Place place{ticket.priority, next_order_++, ticket.id};
  plans_[ticket.plan_id].places.insert(place);
  const TicketId id = ticket.id;
  const bool added = waiting_.emplace(id, Waiting{std::move(ticket), place}).second;
  PLANEXE_ASSERT(added);
}

bool FairQueue::erase(TicketId id) {
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return false;
  const std::string plan_id = at->second.ticket.plan_id;
  plans_.find(plan_id)->second.places.erase(at->second.place);
  waiting_.erase(at);
  forget_if_idle(plan_id);
  return true;
}

const Ticket* FairQueue::first_ready(const Plan& plan, const std::function<bool(const Ticket&)>& ready) const {
  for (const Place& place : plan.places) {
    const Ticket& ticket = waiting_.at(place.id).ticket;
    if (ready(ticket)) return &ticket;
  }
  return nullptr;
}

const Ticket* FairQueue::peek(const std::function<bool(const Ticket&)>& ready) const {
  const Ticket* best = nullptr;
  const Plan* best_plan = nullptr;
  for (const auto& [id, plan] : plans_) {
    if (plan.places.empty()) continue;
    const bool better = best_plan == nullptr || plan.in_flight < best_plan->in_flight ||
                        (plan.in_flight == best_plan->in_flight && plan.served_at < best_plan->served_at);
    if (!better) continue;
    if (const Ticket* ticket = first_ready(plan, ready)) {
      best = ticket;
      best_plan = &plan;
    }
  }
  return best;
}

const Ticket* FairQueue::find(TicketId id) const {
  const auto at = waiting_.find(id);
  return at == waiting_.end() ? nullptr : &at->second.ticket;
}

Ticket FairQueue::serve(TicketId id) {
  const auto at = waiting_.find(id);
  PLANEXE_ASSERT(at != waiting_.end());
  Plan& plan = plans_.find(at->second.ticket.plan_id)->second;
  plan.places.erase(at->second.place);
  ++plan.in_flight;
  plan.served_at = next_order_++;
  Ticket ticket = std::move(at->second.ticket);
  waiting_.erase(at);
  return ticket;
}

void FairQueue::finished(std::string_view plan_id) {
  const auto at = plans_.find(plan_id);
  PLANEXE_ASSERT(at != plans_.end() && at->second.in_flight > 0);
  --at->second.in_flight;
  forget_if_idle(plan_id);
}

void FairQueue::forget_if_idle(std::string_view plan_id) {
  const auto at = plans_.find(plan_id);
  if (at != plans_.end() && at->second.places.empty() && at->second.in_flight == 0) plans_.erase(at);
}

void FairQueue::for_each(const std::function<void(const Ticket&)>& visit) const {
  for (const auto& [id, waiting] : waiting_) visit(waiting.ticket);
}

}  // namespace planexe::llm
