#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "request.hpp"
#include "wire.hpp"

namespace planexe::rehearsal {

using SteadyTime = std::chrono::steady_clock::time_point;

/// A response that can be fetched again.
struct StoredResponse {
  std::shared_ptr<const Request> request;   ///< with the parts of its parents in front
  Answer answer;                            ///< as it will be at the end
  SteadyTime begun;
  std::chrono::milliseconds queued_for{0};  ///< background: until it is in progress
  std::chrono::milliseconds ready_after{0}; ///< until it is complete
  std::chrono::milliseconds first_text_after{0};
  std::shared_ptr<bool> stop = std::make_shared<bool>(false);   ///< streams of it end when this is set

  /// queued, in_progress, cancelled or the answer's own status.
  [[nodiscard]] std::string status(SteadyTime now) const;
  /// The response object as a GET shows it.
  [[nodiscard]] json::object object(SteadyTime now) const;
};

/// Keeps responses in memory, the oldest ones go first. One thread.
class ResponseStore {
 public:
  /// Rough limits: a response of a real plan has about 100 KB with its prompts.
  static constexpr std::size_t kResponsesMax = 20'000;
  static constexpr std::size_t kBytesMax = std::size_t{128} << 20U;

  StoredResponse& put(StoredResponse response);
  /// Null when unknown, forgotten or deleted. Valid until the next put or erase.
  StoredResponse* find(const std::string& id);
  bool erase(const std::string& id);
  void clear();
  [[nodiscard]] std::size_t size() const { return order_.size(); }

 private:
  struct Entry {
    StoredResponse response;
    std::size_t bytes = 0;
  };
  void drop_oldest();

  std::list<Entry> order_;
  std::unordered_map<std::string, std::list<Entry>::iterator> by_id_;
  std::size_t bytes_ = 0;
};

}  // namespace planexe::rehearsal
