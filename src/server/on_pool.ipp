#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

namespace planexe::server {

template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work>> on_pool(const Services& services, Work work) {
  using Value = std::invoke_result_t<Work>;
  struct Shared {
    std::optional<Value> value;
    std::exception_ptr failure;
  };
  auto shared = std::make_shared<Shared>();
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
      [&services, shared](auto handler, Work job) {
        boost::asio::post(*services.pool, [loop = services.loop, shared, job = std::move(job), handler = std::move(handler)]() mutable {
          try {
            shared->value.emplace(job());
          } catch (...) {
            shared->failure = std::current_exception();
          }
          boost::asio::post(loop, std::move(handler));
        });
      },
      boost::asio::use_awaitable, std::move(work));
  if (shared->failure) std::rethrow_exception(shared->failure);
  co_return std::move(*shared->value);
}

}  // namespace planexe::server
