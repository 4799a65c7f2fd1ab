#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "server/services.hpp"
#include "server/static_files.hpp"

namespace planexe::server {

/// The HTTP server: listener, handlers, progress streams. Everything happens on the thread that runs the loop.
class Server {
 public:
  /// `services` must be complete but for hub, streams and plans, which the server makes and sets.
  Server(Services& services, StaticFiles files);
  ~Server();

  /// Listens; IO_ERROR says why not. The port of the settings may be 0.
  Result<void> listen();
  [[nodiscard]] unsigned short port() const;
  [[nodiscard]] std::string url() const;

  /// Ends in order: nothing new is taken, streams are closed with "going away", answers under way are finished, runs hand their
  /// leases back. `done` is called when all is over, at the latest a little after limits::kShutdownGrace; with false when
  /// something still runs then, and the server must not be destroyed.
  void stop(std::function<void(bool over)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace planexe::server
