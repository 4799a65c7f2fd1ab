#include "response_store.hpp"

namespace planexe::rehearsal {
namespace {

std::size_t rough_bytes(const StoredResponse& response) {
  std::size_t bytes = 4'096 + response.answer.text.size();
  for (const auto& part : response.request->parts) bytes += part.size();
  return bytes + 2 * response.request->user_text.size();
}

}  // namespace

std::string StoredResponse::status(SteadyTime now) const {
  if (*stop) return "cancelled";
  if (now - begun < queued_for) return "queued";
  return now - begun < ready_after ? "in_progress" : answer.status;
}

json::object StoredResponse::object(SteadyTime now) const {
  auto shown = status(now);
  if (shown != "cancelled") return response_object(*request, answer, shown);
  Answer cancelled = answer;
  cancelled.status = "cancelled";
  cancelled.text.clear();
  cancelled.reasoning.clear();
  cancelled.refusal.clear();
  cancelled.output_tokens = cancelled.reasoning_tokens = 0;
  return response_object(*request, cancelled, shown);
}

void ResponseStore::drop_oldest() {
  bytes_ -= order_.front().bytes;
  by_id_.erase(order_.front().response.answer.id);
  order_.pop_front();
}

StoredResponse& ResponseStore::put(StoredResponse response) {
  erase(response.answer.id);
  const auto bytes = rough_bytes(response);
  while (!order_.empty() && (order_.size() >= kResponsesMax || bytes_ + bytes > kBytesMax)) drop_oldest();
  order_.push_back({std::move(response), bytes});
  bytes_ += bytes;
  auto& entry = order_.back();
  by_id_[entry.response.answer.id] = std::prev(order_.end());
  return entry.response;
}

StoredResponse* ResponseStore::find(const std::string& id) {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &at->second->response;
}

bool ResponseStore::erase(const std::string& id) {
  const auto at = by_id_.find(id);
  if (at == by_id_.end()) return false;
  bytes_ -= at->second->bytes;
  order_.erase(at->second);
  by_id_.erase(at);
  return true;
}

void ResponseStore::clear() {
  order_.clear();
  by_id_.clear();
  bytes_ = 0;
}

}  // namespace planexe::rehearsal
