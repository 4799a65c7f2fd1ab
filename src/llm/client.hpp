#pragma once

#include "base/settings.hpp"
#include "base/random.hpp"
#include "llm/breaker.hpp"
#include "llm/catalogue.hpp"
#include "llm/settings.hpp"
#include "llm/types.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <memory>

namespace planexe::llm {

using CallId = std::uint64_t;

/// What stands between calls and one model of the catalogue now.
struct EndpointState {
    std::string model, provider;            ///< catalogue id, name of its provider
    Breaker::State breaker = Breaker::State::closed;   ///< the stricter one of model and provider
    std::size_t waiting = 0;                ///< requests that wait for their turn
    int in_flight = 0;
};

/// Is told of every request of a client, for metrics: on the client's loop thread, and it must not call the client.
class ClientObserver {
public:
    virtual ~ClientObserver() = default;
    /// A request has got its turn; `start.queue_ms` says how long it waited for it.
    virtual void attempt_started(const AttemptStart& start) = 0;
    virtual void attempt_ended(const AttemptRecord& record) = 0;
};

/// Asks models. One instance per process owns all limits, breakers and connections. Everything happens on one executor thread; hosts are called
/// from the event loop, never from inside of start() or cancel(). Destroyed on that thread too, outside of a host's functions; calls that are
/// then still active end without a word, so shut_down() and wait for active() == 0 first.
class ModelClient {
public:
    virtual ~ModelClient() = default;
    /// Starts a call; queued under the limits. The host must live until finished().
    virtual CallId start(CallSpec spec, Judge judge, std::shared_ptr<CallHost> host) = 0;
    /// Stops a call in any phase within 100 ms: its judge is not asked any more, no further request, background responses are cancelled at the provider, finished() comes with CANCELLED.
    virtual void cancel(CallId id) = 0;
    /// Calls queued and in flight.
    virtual std::size_t active() const = 0;
    /// Models that were asked so far.
    virtual std::vector<EndpointState> endpoints() const { return {}; }
    /// No new request is sent any more; calls in flight are cancelled.
    virtual void shut_down() = 0;
};

struct ClientOptions {
    Catalogue catalogue;
    PriceTable prices;
    bool store_responses = true;            ///< PLANEXE_LLM_STORE
    bool log_payloads = false;              ///< PLANEXE_LLM_LOG_PAYLOADS, to payload_log_path
    std::string payload_log_path;
    int max_concurrent = 64;                ///< PLANEXE_MAX_CONCURRENT_LLM
    std::string ca_file;
    std::function<std::string(const std::string& variable)> secret;   ///< value of an environment variable such as OPENAI_API_KEY, "" when unset
    std::string proxy;                      ///< URL; "" = no proxy whatever the environment says
    ClientSettings settings = {};           ///< the numbers of llm.md section 3
    ClientObserver* observer = nullptr;     ///< outlives the client
};

/// The real client: libcurl multi on the executor. Starts nothing until the first call.
Result<std::unique_ptr<ModelClient>> make_model_client(boost::asio::any_io_executor executor, ClientOptions options, const Clock& clock, Random& random);

/// Asks an endpoint whether key and model work (models --check): a GET of the model list, no tokens spent. Blocking, with a 10 s deadline.
Result<std::string> probe_model(const ClientOptions& options, const std::string& model_id);

}  // namespace planexe::llm
