#include "llm/curl_transport.hpp"

#include <map>
#include <set>
#include <vector>

#include "llm/curl_multi.hpp"
#include "llm/curl_transfer.hpp"

namespace planexe::llm {

namespace asio = boost::asio;

namespace {

std::string host_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

}  // namespace

/// Two sets of connections: HTTP/2 carries many requests on few connections, HTTP/1.1 needs one for each, so that the
/// per-host limit of the first would make requests of the second wait inside libcurl, unseen by every timer.
class CurlTransport::Core {
 public:
  Core(asio::any_io_executor executor, TransportOptions options)
      : executor_(executor), options_(std::move(options)),
        shared_(executor, options_.settings.connections_per_host_max, [this](CURL* easy, CURLcode code) { ended(easy, code); }),
        single_(executor, options_.connections_max, [this](CURL* easy, CURLcode code) { ended(easy, code); }) {
    shared_.on_idle = single_.on_idle = [this] { run_deferred(); };
  }

  ~Core() {
    *alive_ = false;
    for (auto& [id, transfer] : transfers_) {
      transfer->silence();
      if (transfer->added) multi_of(*transfer).remove(transfer->easy());
    }
  }

  TransferId start(TransferRequest request, TransferHandlers handlers) {
    const TransferId id = next_id_++;
    std::string host = host_of(request.url);
    auto transfer = std::make_unique<CurlTransfer>(id, std::move(request), std::move(handlers), options_);
    transfer->host = std::move(host);
    transfers_.emplace(id, std::move(transfer));
    when_idle([this, id] { add(id); });
    return id;
  }

  void abort(TransferId id) {
    const auto at = transfers_.find(id);
    if (at == transfers_.end()) return;
    at->second->silence();
    when_idle([this, id] { remove(id); });
  }

  void drain(TransferId id) {
    const auto at = transfers_.find(id);
    if (at == transfers_.end()) return;
    at->second->silence();
    at->second->paused = false;
    at->second->drain_timer = std::make_unique<asio::steady_timer>(executor_, options_.settings.drain_timeout);
    at->second->drain_timer->async_wait([this, id, alive = alive_](const auto& status) {
      if (!status && *alive) when_idle([this, id] { remove(id); });
    });
  }

  void pause(TransferId id) {
    const auto at = transfers_.find(id);
    if (at != transfers_.end()) at->second->paused = true;
  }

  void resume(TransferId id) {
    const auto at = transfers_.find(id);
    if (at == transfers_.end() || !at->second->paused) return;
    at->second->paused = false;
    when_idle([this, id] {
      const auto again = transfers_.find(id);
      if (again != transfers_.end() && again->second->added) multi_of(*again->second).unpause(again->second->easy());
    });
  }

  [[nodiscard]] std::size_t active() const { return transfers_.size(); }

 private:
  CurlMulti& multi_of(const CurlTransfer& transfer) { return in_single_.contains(transfer.id()) ? single_ : shared_; }

  void add(TransferId id) {
    const auto at = transfers_.find(id);
    if (at == transfers_.end()) return;
    CurlTransfer& transfer = *at->second;
    const bool plain = transfer.host.starts_with("http://") || options_.settings.http_version != "2";
    if (plain || http1_hosts_.contains(transfer.host)) in_single_.insert(id);
    transfer.added = true;
    multi_of(transfer).add(transfer.easy());
  }

  void remove(TransferId id) {
    const auto at = transfers_.find(id);
    if (at == transfers_.end()) return;
    CurlTransfer& transfer = *at->second;
    if (transfer.added) {
      // Without this libcurl keeps the connection of an only HTTP/2 stream and tells the server nothing.
      curl_easy_setopt(transfer.easy(), CURLOPT_FORBID_REUSE, 1L);
      multi_of(transfer).remove(transfer.easy());
    }
    in_single_.erase(id);
    transfers_.erase(at);
  }

  void ended(CURL* easy, CURLcode code) {
    CurlTransfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    const auto at = transfers_.find(transfer->id());
    if (at == transfers_.end()) return;
    const std::unique_ptr<CurlTransfer> owned = std::move(at->second);
    transfers_.erase(at);
    in_single_.erase(owned->id());
    if (owned->by_http1() && http1_hosts_.size() < kHostsMax) http1_hosts_.insert(owned->host);
    const TransferHandlers handlers = owned->take_handlers();
    if (handlers.on_end) handlers.on_end(owned->end_of(code));
  }

  void when_idle(std::function<void()> task) {
    if (!shared_.busy() && !single_.busy()) {
      task();
      return;
    }
    deferred_.push_back(std::move(task));
  }

  void run_deferred() {
    while (!deferred_.empty() && !shared_.busy() && !single_.busy()) {
      const auto tasks = std::exchange(deferred_, {});
      for (const auto& task : tasks) task();
    }
  }

  static constexpr std::size_t kHostsMax = 1'000;

  asio::any_io_executor executor_;
  TransportOptions options_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  CurlMulti shared_;
  CurlMulti single_;
  std::map<TransferId, std::unique_ptr<CurlTransfer>> transfers_;
  std::set<TransferId> in_single_;
  std::set<std::string> http1_hosts_;
  std::vector<std::function<void()>> deferred_;
  TransferId next_id_ = 1;
};

CurlTransport::CurlTransport(asio::any_io_executor executor, TransportOptions options)
    : core_(std::make_unique<Core>(std::move(executor), std::move(options))) {}
CurlTransport::~CurlTransport() = default;

TransferId CurlTransport::start(TransferRequest request, TransferHandlers handlers) {
  return core_->start(std::move(request), std::move(handlers));
}
void CurlTransport::abort(TransferId id) { core_->abort(id); }
void CurlTransport::drain(TransferId id) { core_->drain(id); }
void CurlTransport::pause(TransferId id) { core_->pause(id); }
void CurlTransport::resume(TransferId id) { core_->resume(id); }
std::size_t CurlTransport::active() const { return core_->active(); }

}  // namespace planexe::llm
