#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace planexe::llm {

using TicketId = std::uint64_t;

/// A call that wants to send a request.
struct Ticket {
  TicketId id = 0;
  std::string plan_id;
  int priority = 0;              ///< larger goes first within a plan
  std::string cache_group;       ///< "" = none
  std::int64_t tokens = 0;       ///< reserved: estimated input and output
};

/// Waiting calls of one endpoint. Fair between plans: the plan with the fewest requests in flight is next, and of equal
/// ones the plan that has not been served for the longest time. Within a plan the largest priority, then first come.
class FairQueue {
 public:
  void push(Ticket ticket);
  /// False when the ticket is not waiting here.
  bool erase(TicketId id);

  /// The next ticket that `ready` accepts, or null. Stays valid until the queue changes.
  [[nodiscard]] const Ticket* peek(const std::function<bool(const Ticket&)>& ready) const;

  /// The waiting ticket, or null.
  [[nodiscard]] const Ticket* find(TicketId id) const;

  /// Takes a waiting ticket out to be served.
  Ticket serve(TicketId id);

  /// A served ticket of this plan is done.
  void finished(std::string_view plan_id);

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

  void for_each(const std::function<void(const Ticket&)>& visit) const;

 private:
  struct Place {
    int priority;
    std::uint64_t order;
    TicketId id;
    bool operator<(const Place& other) const {
      return priority != other.priority ? priority > other.priority : order < other.order;
    }
  };
  struct Plan {
    std::set<Place> places;
    int in_flight = 0;
    std::uint64_t served_at = 0;
  };
  struct Waiting {
    Ticket ticket;
    Place place;
  };

  void forget_if_idle(std::string_view plan_id);
  [[nodiscard]] const Ticket* first_ready(const Plan& plan, const std::function<bool(const Ticket&)>& ready) const;

  std::map<std::string, Plan, std::less<>> plans_;
  std::map<TicketId, Waiting> waiting_;
  std::uint64_t next_order_ = 1;
};

}  // namespace planexe::llm
