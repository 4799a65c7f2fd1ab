#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>

#include "server/client_stream.hpp"
#include "server/conversation/live_run.hpp"

namespace planexe::server {

/// Writes the events after number `after`, then those that come, until the last one or until the client is gone. The run
/// goes on without followers.
boost::asio::awaitable<void> follow(const Services& services, std::shared_ptr<LiveRun> run, ClientStream& stream, std::int64_t after,
                                    bool aggregated);

/// True when a client that has seen event `after` has seen all there will ever be.
[[nodiscard]] bool nothing_left(const LiveRun& run, std::int64_t after);

/// Waits until the run is over.
boost::asio::awaitable<void> wait_until_over(const Services& services, std::shared_ptr<LiveRun> run);

}  // namespace planexe::server
