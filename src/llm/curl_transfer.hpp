#pragma once

#include <curl/curl.h>

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "llm/curl_transport.hpp"

namespace planexe::llm {

struct CurlEasyDelete {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CurlListDelete {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlEasy = std::unique_ptr<CURL, CurlEasyDelete>;
using CurlList = std::unique_ptr<curl_slist, CurlListDelete>;

/// Sets what every request of this program shares: TLS, no redirects, proxy, protocols, time-outs.
void set_common_options(CURL* easy, const TransportOptions& options);

/// The header list of a request; line ends in values are refused by leaving the header out.
CurlList make_header_list(const HeaderList& headers);

/// One request with its libcurl handle and the callbacks of it.
class CurlTransfer {
 public:
  CurlTransfer(TransferId id, TransferRequest request, TransferHandlers handlers, const TransportOptions& options);
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  [[nodiscard]] CURL* easy() const { return easy_.get(); }
  [[nodiscard]] TransferId id() const { return id_; }
  [[nodiscard]] TransferEnd end_of(CURLcode result) const;
  /// True when the answer came by HTTP/1, so that the host needs a connection per request.
  [[nodiscard]] bool by_http1() const;

  /// No handler is called any more.
  void silence() { handlers_ = {}; silent_ = true; }
  [[nodiscard]] bool silent() const { return silent_; }
  TransferHandlers take_handlers() { return std::move(handlers_); }

  bool paused = false;
  bool added = false;
  std::string host;                 ///< scheme and authority
  std::unique_ptr<boost::asio::steady_timer> drain_timer;

 private:
  static std::size_t header_callback(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t write_callback(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t read_callback(char* bytes, std::size_t size, std::size_t count, void* self);
  static int seek_callback(void* self, curl_off_t offset, int origin);

  void set_body();
  void take_header_line(std::string_view line);

  TransferId id_;
  TransferRequest request_;
  TransferHandlers handlers_;
  CurlEasy easy_;
  CurlList header_list_;
  std::size_t body_at_ = 0;
  ResponseHead head_;
  bool head_told_ = false;
  bool silent_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace planexe::llm
