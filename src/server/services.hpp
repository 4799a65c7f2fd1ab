#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "engine/engine.hpp"
#include "llm/catalogue.hpp"
#include "llm/client.hpp"
#include "recipe/recipe.hpp"
#include "server/message.hpp"
#include "server/settings.hpp"
#include "store/store.hpp"

namespace planexe::server {

class Contract;
class Metrics;
class PlanService;
class ProgressHub;
class StreamCount;

/// What handlers work with. Everything outlives the server. Members are used on the loop's thread unless they say that any
/// thread may use them: store, clock, recipe, catalogue, settings and contract are safe everywhere.
struct Services {
  boost::asio::any_io_executor loop;
  boost::asio::thread_pool* pool = nullptr;  ///< for reads of the database and for work that takes long
  store::Store* store = nullptr;
  engine::Engine* engine = nullptr;
  llm::ModelClient* client = nullptr;
  const llm::Catalogue* catalogue = nullptr;
  std::function<std::string(const llm::ModelEntry&)> why_unavailable;  ///< "" when the model can be asked; any thread
  std::shared_ptr<const recipe::Recipe> recipe;
  const Clock* clock = nullptr;
  Random* random = nullptr;  ///< loop's thread only
  const ServerSettings* settings = nullptr;
  bool exclusive = false;    ///< no other process can run plans of this store: what is marked as running and is not ours was interrupted
  const Contract* contract = nullptr;
  const llm::PriceTable* prices = nullptr;   ///< what model calls are priced by; any thread
  Metrics* metrics = nullptr;                ///< any thread
  PlanService* plans = nullptr;
  ProgressHub* hub = nullptr;
  StreamCount* streams = nullptr;
};

/// Runs `work` on the pool and goes on on the loop's thread with its result.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work>> on_pool(const Services& services, Work work);

}  // namespace planexe::server

#include "server/on_pool.ipp"
