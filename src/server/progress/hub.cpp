#include "server/progress/hub.hpp"

#include "server/limits.hpp"

namespace planexe::server {
namespace {

/// How often channels of ended plans are looked through.
constexpr std::chrono::seconds kLook{30};

}  // namespace

ProgressHub::ProgressHub(boost::asio::any_io_executor loop, const Clock& clock) : loop_(std::move(loop)), clock_(clock) {}

void ProgressHub::publish(const std::string& plan_id, const std::vector<engine::Event>& events) {
  forget_old();
  auto& channel = channels_[plan_id];
  for (auto event : events) {
    if (!channel.last_seq && channel.floor < 0) channel.floor = event.seq - 1;
    channel.texts.take(event);
    channel.last_seq = event.seq;
    if (channel.gatherer.take(event)) {
      release_later(plan_id, channel);
      continue;
    }
    // What was gathered has smaller numbers than this one.
    release(plan_id, channel, true);
    emit(plan_id, channel, event);
  }
  for (auto* subscriber : channel.subscribers) subscriber->wake();
}

void ProgressHub::emit(const std::string& plan_id, Channel& channel, const engine::Event& event) {
  auto message = progress_message(plan_id, event);
  channel.ring_bytes += message.text->size();
  channel.ring.push_back(message);
  while (channel.ring.size() > limits::kRingMessagesMax || channel.ring_bytes > limits::kRingBytesMax) {
    channel.floor = channel.ring.front().seq;
    channel.ring_bytes -= channel.ring.front().text->size();
    channel.ring.pop_front();
  }
  // A plan that goes on after its end uses the same channel.
  channel.ended_at = event.type == "stream_end" ? std::optional(clock_.steady()) : std::nullopt;
  if (event.type == "stream_end") channel.texts.clear();
  send(channel, message);
}

void ProgressHub::send(Channel& channel, const ProgressMessage& message) {
  const auto now = clock_.steady();
  for (auto* subscriber : channel.subscribers) {
    const auto before = subscriber->queue.dropped();
    subscriber->queue.push(message, now);
    dropped_ += subscriber->queue.dropped() - before;
  }
}

void ProgressHub::release(const std::string& plan_id, Channel& channel, bool all) {
  for (const auto& event : channel.gatherer.release(all)) emit(plan_id, channel, event);
}

void ProgressHub::release_later(const std::string& plan_id, Channel& channel) {
  if (std::exchange(channel.release_pending, true)) return;
  auto timer = std::make_shared<boost::asio::steady_timer>(loop_, limits::kDeltaGather);
  timer->async_wait([this, plan_id, timer](const boost::system::error_code& error) {
    const auto it = channels_.find(plan_id);
    if (error || it == channels_.end()) return;
    it->second.release_pending = false;
    release(plan_id, it->second, false);
    for (auto* subscriber : it->second.subscribers) subscriber->wake();
    if (!it->second.gatherer.empty()) release_later(plan_id, it->second);
  });
}

void ProgressHub::deleted(const std::string& plan_id) {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end()) return;
  auto& channel = it->second;
  const auto seq = channel.last_seq.value_or(0) + 1;
  const auto message = progress_message("stream_end", plan_id, seq, clock_.now(), {{"message", "The plan was deleted."}, {"reason", "deleted"}});
  send(channel, message);
  for (auto* subscriber : channel.subscribers) {
    subscriber->ended = true;
    subscriber->wake();
  }
  count_ -= channel.subscribers.size();
  channels_.erase(it);
}

ProgressHub::Subscription ProgressHub::subscribe(const std::string& plan_id, Subscriber& subscriber, std::optional<std::int64_t> after) {
  auto& channel = channels_[plan_id];
  Subscription out = position(plan_id);
  channel.subscribers.insert(&subscriber);
  ++count_;
  if (!after || !channel.last_seq || *after < channel.floor || *after > *channel.last_seq) return out;
  out.covered = true;
  for (const auto& message : channel.ring)
    if (message.seq > *after) subscriber.queue.push(message, clock_.steady());
  return out;
}

ProgressHub::Subscription ProgressHub::position(const std::string& plan_id) {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end()) return {};
  // The texts have what was gathered, so it must be out under its own numbers, too.
  release(plan_id, it->second, true);
  return {it->second.last_seq, it->second.texts.snapshot(), false};
}

void ProgressHub::unsubscribe(const std::string& plan_id, Subscriber& subscriber) {
  const auto it = channels_.find(plan_id);
  if (it == channels_.end() || it->second.subscribers.erase(&subscriber) == 0) return;
  --count_;
  if (it->second.subscribers.empty() && !it->second.last_seq) channels_.erase(it);
}

void ProgressHub::forget_old() {
  const auto now = clock_.steady();
  if (now < next_look_) return;
  next_look_ = now + kLook;
  std::erase_if(channels_, [&](const auto& entry) {
    const auto& channel = entry.second;
    return channel.ended_at && channel.subscribers.empty() && now - *channel.ended_at > limits::kRingLife;
  });
}

}  // namespace planexe::server
