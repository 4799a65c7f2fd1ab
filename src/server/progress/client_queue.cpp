#include "server/progress/client_queue.hpp"

#include "server/limits.hpp"

namespace planexe::server {

void ClientQueue::push(const ProgressMessage& message, Time now) {
  if (dropped_ > 0) {
    ++dropped_;
    return;
  }
  const auto size = message.text->size();
  if (messages_.size() >= limits::kClientMessagesMax || bytes_ + size > limits::kClientBytesMax) {
    overflow(1, now);
    return;
  }
  bytes_ += size;
  messages_.push_back(message);
}

void ClientQueue::overflow(std::int64_t missed, Time now) {
  const bool again = dropped_ > 0;
  dropped_ += static_cast<std::int64_t>(messages_.size()) + missed;
  messages_.clear();
  bytes_ = 0;
  if (again) return;
  overflows_.push_back(now);
  while (now - overflows_.front() > limits::kOverflowWindow) overflows_.pop_front();
  too_slow_ = too_slow_ || overflows_.size() >= static_cast<std::size_t>(limits::kOverflowsMax);
}

std::optional<ProgressMessage> ClientQueue::pop() {
  if (messages_.empty()) return std::nullopt;
  auto message = std::move(messages_.front());
  messages_.pop_front();
  bytes_ -= message.text->size();
  return message;
}

std::optional<std::int64_t> ClientQueue::first_seq() const {
  if (messages_.empty()) return std::nullopt;
  return messages_.front().seq;
}

}  // namespace planexe::server
