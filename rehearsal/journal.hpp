#pragma once

#include <cstdint>
#include <deque>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "wire_plan.hpp"

namespace planexe::rehearsal {

/// What the server was asked and what it noticed. One thread.
class Journal {
 public:
  struct CallCount {
    std::int64_t received = 0;    ///< requests for an answer
    std::int64_t completed = 0;   ///< answers that were sent whole
    std::int64_t fetched = 0;     ///< read again by GET
    int attempts = 0;             ///< highest attempt number seen
  };

  /// From now on one line per request goes to the end of this file (time, method, path, call, bytes). IO_ERROR.
  Result<void> log_to(const std::string& path);
  /// Keeps a request (its key masked). The oldest ones are forgotten.
  void keep(const HttpRequest& request, TimePoint at);
  CallCount& call(const std::string& key);
  void begin_answer();
  void end_answer();
  /// A rule of the contract that a client broke; also counted when the list is full.
  void fault_of_client(std::string rule, std::string detail);

  [[nodiscard]] json::object counters() const;
  [[nodiscard]] json::object requests() const;
  [[nodiscard]] std::int64_t assertion_failures() const { return failures_; }
  [[nodiscard]] const std::map<std::string, CallCount>& calls() const { return calls_; }
  void clear();

 private:
  struct Kept {
    TimePoint at;
    HttpRequest request;
    std::size_t bytes = 0;
  };

  std::ofstream log_;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::int64_t total_ = 0;
  std::map<std::string, CallCount> calls_;
  CallCount others_;   ///< of calls beyond the limit, and without a key
  std::vector<std::pair<std::string, std::string>> failure_list_;
  std::int64_t failures_ = 0;
  int running_ = 0, running_max_ = 0;
};

}  // namespace planexe::rehearsal
