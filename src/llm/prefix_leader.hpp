#pragma once

#include <map>
#include <string>
#include <string_view>

#include "llm/fair_queue.hpp"
#include "llm/settings.hpp"
#include "llm/token_bucket.hpp"

namespace planexe::llm {

/// Where an endpoint has a prefix cache, one call of a larger fan-out runs first and fills it; the others start when its
/// first token shows that the prefix is in the cache. For one endpoint.
class PrefixLeaders {
 public:
  explicit PrefixLeaders(const ClientSettings& settings)
      : alone_min_(settings.fan_out_alone_min), lifetime_(settings.prefix_cache_lifetime) {}

  void queued(const Ticket& ticket) { if (!ticket.cache_group.empty()) ++groups_[ticket.cache_group].waiting; }
  void left(const Ticket& ticket);

  /// May this waiting ticket start now?
  [[nodiscard]] bool may_start(const Ticket& ticket, SteadyTime now) const;

  /// The ticket left the queue to be sent.
  void started(const Ticket& ticket, SteadyTime now);

  /// Its first token came.
  void first_token(const Ticket& ticket, SteadyTime now);

  /// It ended; a leader without a token leaves the lead to the next one.
  void ended(const Ticket& ticket);

 private:
  struct Group {
    int waiting = 0;
    TicketId leader = 0;
    bool warm = false;
    SteadyTime warm_until{};
  };

  void forget_if_idle(std::string_view name);

  int alone_min_;
  std::chrono::milliseconds lifetime_;
  std::map<std::string, Group, std::less<>> groups_;
};

}  // namespace planexe::llm
