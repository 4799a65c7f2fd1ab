#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "llm/breaker.hpp"
#include "llm/catalogue.hpp"
#include "llm/client.hpp"
#include "llm/concurrency.hpp"
#include "llm/delay.hpp"
#include "llm/fair_queue.hpp"
#include "llm/prefix_leader.hpp"
#include "llm/settings.hpp"
#include "llm/token_bucket.hpp"

namespace planexe::llm {

/// What a request taught about its endpoint.
struct Feedback {
  bool clean = false;             ///< completed without a sign of trouble
  bool congested = false;         ///< 429, 503, time-out
  bool endpoint_failed = false;   ///< counts for the breaker
  std::optional<ErrorCode> provider_tripped = {};  ///< authentication, quota, no trusted connection: the whole provider is closed
  bool neutral = false;           ///< cancelled: says nothing
  std::optional<std::chrono::milliseconds> pause = {};  ///< no request to this endpoint before
  std::optional<std::int64_t> used_tokens = {};         ///< corrects the reservation
};

/// All limits of all endpoints: who may send a request now. Pure; one thread.
class Limits {
 public:
  Limits(const ClientSettings& settings, int concurrent_max) : settings_(settings), concurrent_max_(concurrent_max) {}

  /// Queues a ticket. False when the queue is full. An id waits at most once.
  bool enqueue(const ModelEntry& model, Ticket ticket, SteadyTime now);

  /// Takes a waiting ticket out; false when it does not wait.
  bool leave(TicketId id);

  /// The tickets that may send now, in order; each holds a place until `finish`.
  std::vector<TicketId> admit(SteadyTime now);

  /// When `admit` may have something to give although nothing else happens.
  [[nodiscard]] std::optional<SteadyTime> next_admission(SteadyTime now) const;

  void first_token(TicketId id, SteadyTime now);

  /// Rate headers of an answer (llm.md 1.7).
  void learn_headers(TicketId id, const HeaderMap& headers, SteadyTime now);

  /// An admitted ticket's request ended. True when a breaker opened by it.
  bool finish(TicketId id, const Feedback& feedback, SteadyTime now);

  /// False while the breaker of the endpoint or of its provider is open (a half-open one counts as available).
  [[nodiscard]] bool available(const ModelEntry& model, SteadyTime now) const;

  /// True when neither breaker stands in the way, not even half open.
  [[nodiscard]] bool healthy(const ModelEntry& model, SteadyTime now) const;

  /// Why the whole provider is closed, if it is: waiting for it makes no sense.
  [[nodiscard]] std::optional<ErrorCode> provider_closed(const ModelEntry& model, SteadyTime now) const;

  /// Tickets that wait for an endpoint whose breaker is open.
  [[nodiscard]] std::vector<TicketId> stranded(SteadyTime now) const;

  [[nodiscard]] int in_flight() const { return static_cast<int>(admitted_.size()); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  /// Every endpoint that was asked for so far.
  [[nodiscard]] std::vector<EndpointState> endpoints(SteadyTime now) const;
  [[nodiscard]] int concurrency_limit(const std::string& model_id) const;

 private:
  struct Endpoint {
    Endpoint(const ModelEntry& model, const ClientSettings& settings, SteadyTime now);
    std::string provider_key, provider;
    bool rate_headers, prefix_cache;
    AdaptiveConcurrency concurrency;
    std::optional<TokenBucket> requests, tokens;
    bool requests_fixed, tokens_fixed;      ///< the catalogue's limits go before the server's
    Breaker breaker;
    SteadyTime paused_until{};
    int in_flight = 0;
    FairQueue queue;
    PrefixLeaders leaders;
  };
  struct Provider {
    Breaker breaker;
    ErrorCode reason;
  };
  struct Admitted {
    std::string endpoint;
    Ticket ticket;
  };

  Endpoint& endpoint_of(const ModelEntry& model, SteadyTime now);
  [[nodiscard]] const Breaker* provider_breaker(const std::string& key) const;
  [[nodiscard]] bool open(const Endpoint& endpoint, SteadyTime now) const;
  [[nodiscard]] const Ticket* next_ticket(const Endpoint& endpoint, SteadyTime now) const;
  [[nodiscard]] std::chrono::milliseconds bucket_wait(const Endpoint& endpoint, const Ticket& ticket, SteadyTime now) const;
  bool admit_one(const std::string& name, Endpoint& endpoint, SteadyTime now, std::vector<TicketId>& result);
  void learn_bucket(std::optional<TokenBucket>& bucket, bool fixed, const HeaderMap& headers, std::string_view what,
                    SteadyTime now) const;

  const ClientSettings& settings_;
  int concurrent_max_;
  std::map<std::string, Endpoint, std::less<>> endpoints_;   ///< by catalogue id
  std::map<std::string, Provider, std::less<>> providers_;   ///< those that were closed as a whole
  std::map<TicketId, std::string> waiting_;                  ///< endpoint of each waiting ticket
  std::map<TicketId, Admitted> admitted_;
  std::string last_served_;                                  ///< endpoints take turns under the common ceiling
};

/// What shares a key and an account: provider name, address and key variable.
std::string provider_key(const ModelEntry& model);

}  // namespace planexe::llm
