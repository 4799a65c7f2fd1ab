#include "server/handlers.hpp"

namespace planexe::server {

void Handlers::add_read(std::string operation, PoolHandler handler) {
  auto shared = std::make_shared<const PoolHandler>(std::move(handler));
  add(std::move(operation), [&services = services_, shared](Request& request) -> boost::asio::awaitable<Response> {
    co_return co_await on_pool(services, [&request, shared] { return (*shared)(request); });
  });
}

const Handler* Handlers::find(const std::string& operation) const {
  const auto it = handlers_.find(operation);
  return it == handlers_.end() ? nullptr : &it->second;
}

const StreamHandler* Handlers::find_stream(const std::string& operation) const {
  const auto it = streams_.find(operation);
  return it == streams_.end() ? nullptr : &it->second;
}

}  // namespace planexe::server
