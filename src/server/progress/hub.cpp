#include "server/progress/hub.hpp"

#include <algorithm>

#include "server/limits.hpp"

namespace planexe::server {
namespace {

/// What is moved from the ring to a client's queue at a time: little enough to cost nothing, far less than overflows it.
constexpr std::uint64_t kRefill = 64;
constexpr std::size_t kRefillBytes = limits::kClientBytesMax / 8;

}  // namespace

void ProgressHub::publish(const std::string& plan_id, const std::vector<engine::Event>& events) {
  if (events.empty()) return;
  auto& channel = channels_[plan_id];
  channel.touched = clock_.steady();
  for (const auto& event : events) emit(plan_id, channel, event);
  for (auto* subscriber : channel.subscribers) subscriber->wake();
}

void ProgressHub::emit(const std::string& plan_id, Channel& channel, const engine::Event& event) {
  if (!channel.last_seq) channel.floor = event.seq - 1;
  channel.texts.take(event);
  channel.last_seq = event.seq;
  channel.ring.push_back(progress_message(plan_id, event));
  channel.ring_bytes += channel.ring.back().text->size();
  // A plan that goes on after its end uses the same channel.
  channel.over = event.type == "stream_end";
  if (channel.over) channel.texts.clear();
  for (auto* subscriber : channel.subscribers)
    if (subscriber->live) subscriber->queue.push(channel.ring.back(), channel.touched);
  while (channel.ring.size() > limits::kRingMessagesMax || channel.ring_bytes > limits::kRingBytesMax) {
    channel.floor = channel.ring.front().seq;
    channel.ring_bytes -= channel.ring.front().text->size();
    channel.ring.pop_front();
    ++channel.first;
  }
}

void ProgressHub::deleted(const std::string& plan_id) {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end()) return;
  const auto gone = std::move(it->second.subscribers);
  channels_.erase(it);
  count_ -= gone.size();
  for (auto* subscriber : gone) {
    subscriber->deleted = true;
    subscriber->wake();
  }
}

void ProgressHub::look_again(const std::string& plan_id) {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end()) return;
  for (auto* subscriber : it->second.subscribers) {
    subscriber->look = true;
    subscriber->wake();
  }
}

std::vector<std::string> ProgressHub::watched() const {
  std::vector<std::string> plans;
  for (const auto& [plan_id, channel] : channels_)
    if (!channel.subscribers.empty()) plans.push_back(plan_id);
  return plans;
}

ProgressHub::Position ProgressHub::subscribe(const std::string& plan_id, Subscriber& subscriber, std::optional<std::int64_t> after) {
  const auto [it, fresh] = channels_.try_emplace(plan_id);
  auto& channel = it->second;
  if (fresh) channel.touched = clock_.steady();
  if (channel.subscribers.insert(&subscriber).second) ++count_;
  Position out{channel.last_seq, {}, after && channel.last_seq && *after >= channel.floor && *after <= *channel.last_seq};
  // Who goes on from the ring needs no snapshot.
  if (!out.covered) out.interactions = channel.texts.snapshot();
  subscriber.live = false;
  subscriber.next = channel.end();
  if (out.covered) {
    const auto begin = std::ranges::upper_bound(channel.ring, *after, {}, &ProgressMessage::seq);
    subscriber.next = channel.first + static_cast<std::uint64_t>(begin - channel.ring.begin());
  }
  return out;
}

void ProgressHub::refill(const std::string& plan_id, Subscriber& subscriber) {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end() || subscriber.live) return;
  const auto& channel = it->second;
  if (subscriber.next < channel.first) {
    subscriber.queue.overflow(static_cast<std::int64_t>(channel.end() - subscriber.next), clock_.steady());
    subscriber.next = channel.end();
    subscriber.live = true;
    return;
  }
  const auto until = std::min(channel.end(), subscriber.next + kRefill);
  while (subscriber.next < until && subscriber.queue.bytes() < kRefillBytes)
    subscriber.queue.push(channel.ring[static_cast<std::size_t>(subscriber.next++ - channel.first)], clock_.steady());
  subscriber.live = subscriber.next == channel.end();
}

ProgressHub::Position ProgressHub::position(const std::string& plan_id) const {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end()) return {};
  return {it->second.last_seq, it->second.texts.snapshot(), false};
}

std::optional<std::int64_t> ProgressHub::last_seq(const std::string& plan_id) const {
  const auto it = channels_.find(plan_id);
  return it == channels_.end() ? std::nullopt : it->second.last_seq;
}

void ProgressHub::unsubscribe(const std::string& plan_id, Subscriber& subscriber) {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end() || it->second.subscribers.erase(&subscriber) == 0) return;
  --count_;
  if (it->second.subscribers.empty() && !it->second.last_seq) channels_.erase(it);
}

void ProgressHub::forget_old() {
  const auto now = clock_.steady();
  std::erase_if(channels_, [&](const auto& entry) {
    const auto& channel = entry.second;
    const std::chrono::minutes life = channel.over ? limits::kRingLife : limits::kQuietRingLife;
    return channel.subscribers.empty() && now - channel.touched > life;
  });
}

}  // namespace planexe::server
