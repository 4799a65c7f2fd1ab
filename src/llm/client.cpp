#include "llm/client.hpp"

#include <fmt/format.h>

#include <utility>

#include "llm/client_core.hpp"
#include "llm/endpoint_address.hpp"

namespace planexe::llm {

namespace {

class CurlModelClient final : public ModelClient {
 public:
  explicit CurlModelClient(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}
  ~CurlModelClient() override { core_->close(); }
  CurlModelClient(const CurlModelClient&) = delete;
  CurlModelClient& operator=(const CurlModelClient&) = delete;

  CallId start(CallSpec spec, Judge judge, std::shared_ptr<CallHost> host) override {
    const CallId id = next_id_++;
    core_->start(id, std::move(spec), std::move(judge), std::move(host));
    return id;
  }
  void cancel(CallId id) override { core_->cancel(id); }
  [[nodiscard]] std::size_t active() const override { return core_->active(); }
  [[nodiscard]] std::vector<EndpointState> endpoints() const override { return core_->endpoints(); }
  void shut_down() override { core_->shut_down(); }

 private:
  std::shared_ptr<ClientCore> core_;
  CallId next_id_ = 1;
};

}  // namespace

Result<std::unique_ptr<ModelClient>> make_model_client(boost::asio::any_io_executor executor, ClientOptions options,
                                                       const Clock& clock, Random& random) {
  if (options.max_concurrent < 1) {
    return fail(ErrorCode::InvalidConfig, "the ceiling of concurrent model calls must be at least 1");
  }
  if (options.settings.http_version != "2" && options.settings.http_version != "1.1") {
    return fail(ErrorCode::InvalidConfig, "http_version must be \"2\" or \"1.1\"");
  }
  PLANEXE_TRY(check_keys(options.catalogue, options.secret));
  std::optional<PayloadLog> payload_log;
  if (options.log_payloads) {
    PLANEXE_TRY_ASSIGN(PayloadLog opened, PayloadLog::open(options.payload_log_path));
    payload_log.emplace(std::move(opened));
  }
  auto core = std::make_shared<ClientCore>(executor, std::move(options), clock, random, std::move(payload_log));
  return std::unique_ptr<ModelClient>(std::make_unique<CurlModelClient>(std::move(core)));
}

}  // namespace planexe::llm
