#pragma once

#include <array>
#include <chrono>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace planexe::server {

/// Token buckets per identity (name of a token, else address of the client): every request takes from the bucket `all`,
/// one of another class from that one, too. On the loop's thread.
class RateLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Verdict {
    bool allowed = true;
    std::chrono::seconds retry_after{0};  ///< at least 1 when not allowed
  };

  /// `enabled` false: everything is allowed and nothing remembered.
  explicit RateLimiter(bool enabled);

  /// A refused request takes nothing. An unknown class is `all`. `now` never goes back.
  Verdict take(const std::string& identity, std::string_view rate_class, Time now);

  /// Identities that are remembered, at most limits::kIdentitiesMax.
  [[nodiscard]] std::size_t identities() const { return buckets_.size(); }

 private:
  static constexpr std::size_t kClasses = 4;

  struct Bucket {
    double fill = 0;
    Time at{};
  };
  struct Entry {
    std::string identity;
    std::array<Bucket, kClasses> buckets;
  };

  Entry& entry_of(const std::string& identity, Time now);

  bool enabled_;
  std::list<Entry> recent_;  ///< most recently seen first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> buckets_;
};

}  // namespace planexe::server
