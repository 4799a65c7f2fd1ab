#include "server/progress/client_queue.hpp"

#include "server/limits.hpp"

namespace planexe::server {

void ClientQueue::push(const ProgressMessage& message, Time now) {
  if (dropped_ > 0) {
    ++dropped_;
    return;
  }
  const bool full = messages_.size() >= limits::kClientMessagesMax || bytes_ + message.text->size() > limits::kClientBytesMax;
  if (!full) {
    bytes_ += message.text->size();
    messages_.push_back(message);
    return;
  }
  dropped_ = static_cast<std::int64_t>(messages_.size()) + 1;
  messages_.clear();
  bytes_ = 0;
  overflows_.push_back(now);
  while (!overflows_.empty() && now - overflows_.front() > limits::kOverflowWindow) overflows_.pop_front();
  too_slow_ = too_slow_ || overflows_.size() >= static_cast<std::size_t>(limits::kOverflowsMax);
}

std::optional<ProgressMessage> ClientQueue::pop() {
  if (messages_.empty()) return std::nullopt;
  auto message = std::move(messages_.front());
  messages_.pop_front();
  bytes_ -= message.text->size();
  return message;
}

void ClientQueue::drop_until(std::int64_t seq) {
  while (!messages_.empty() && messages_.front().seq <= seq) {
    bytes_ -= messages_.front().text->size();
    messages_.pop_front();
  }
}

std::optional<std::int64_t> ClientQueue::first_seq() const {
  if (messages_.empty()) return std::nullopt;
  return messages_.front().seq;
}

}  // namespace planexe::server
