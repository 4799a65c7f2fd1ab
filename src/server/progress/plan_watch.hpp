#pragma once

#include <map>
#include <string>

#include "server/services.hpp"

namespace planexe::server {

/// Looks in the database at watched plans that do not run in this process: one that waits may be cancelled, another process
/// may run it, and nothing of that is published here. On the loop's thread.
class PlanWatch {
 public:
  explicit PlanWatch(const Services& services) : services_(services) {}

  /// To be called every second. One look at a time.
  void look();

 private:
  struct Seen {
    std::string status;
    std::int64_t last_seq = 0;
    bool operator==(const Seen&) const = default;
  };

  const Services& services_;
  std::map<std::string, Seen> seen_;
  bool looking_ = false;
};

}  // namespace planexe::server
