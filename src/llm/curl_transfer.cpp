#include "llm/curl_transfer.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.hpp"

namespace planexe::llm {

namespace {

/// No model server sends nearly as many; what goes beyond is not kept.
constexpr std::size_t kHeadersMax = 200;

long seconds(std::chrono::milliseconds ms) {
  return static_cast<long>(std::chrono::ceil<std::chrono::seconds>(ms).count());
}

bool is_tls_failure(CURLcode result) {
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CONNECT_ERROR: return true;
    default: return false;
  }
}

/// A handshake that the network broke may succeed next time; one that the peers could not agree on will not.
bool is_broken_handshake(CURLcode result, std::string_view message) {
  return result == CURLE_SSL_CONNECT_ERROR && (message.contains("reset") || message.contains("SSL_ERROR_SYSCALL") ||
                                               message.contains("unexpected eof") || message.contains("timed out"));
}

}  // namespace

void set_common_options(CURL* easy, const TransportOptions& options) {
  const ClientSettings& settings = options.settings;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  // Set in any case: an unset proxy would be taken from the environment.
  curl_easy_setopt(easy, CURLOPT_PROXY, options.proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, settings.user_agent.c_str());
  const bool http2 = settings.http_version == "2";
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, seconds(settings.connection_idle_max));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

CurlList make_header_list(const HeaderList& headers) {
  CurlList list;
  const auto append = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    PLANEXE_ASSERT(longer != nullptr);
    static_cast<void>(list.release());
    list.reset(longer);
  };
  for (const auto& [name, value] : headers) {
    const std::string line = name + ": " + value;
    if (line.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos) append(line);
  }
  // A large body must not wait for a "100 Continue" that many servers never send.
  append("Expect:");
  return list;
}

CurlTransfer::CurlTransfer(TransferId id, TransferRequest request, TransferHandlers handlers, const TransportOptions& options)
    : id_(id), request_(std::move(request)), handlers_(std::move(handlers)), easy_(curl_easy_init()) {
  PLANEXE_ASSERT(easy_ != nullptr);
  CURL* easy = easy_.get();
  set_common_options(easy, options);
  header_list_ = make_header_list(request_.headers);
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list_.get());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  if (request_.url.starts_with("http://")) {
    // Else libcurl would hold back every further request until the first answer shows that it is HTTP/1.
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  } else {
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlTransfer::header_callback);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlTransfer::write_callback);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  // A second net below the caller's timers, for stalls that libcurl does not report.
  const ClientSettings& settings = options.settings;
  const auto quiet = std::max(request_.streaming ? settings.headers_timeout_streaming : settings.headers_timeout_plain,
                              settings.liveness_timeout);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, seconds(quiet) + 10);
  if (request_.total_timeout.count() > 0) {
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request_.total_timeout.count()));
  }
  if (request_.fresh_connection) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (request_.method == "POST") set_body();
}

void CurlTransfer::set_body() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, &CurlTransfer::read_callback);
  curl_easy_setopt(easy, CURLOPT_READDATA, this);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &CurlTransfer::seek_callback);
}

std::size_t CurlTransfer::read_callback(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  const std::string& body = transfer.request_.body;
  const std::size_t length = std::min(size * count, body.size() - transfer.body_at_);
  std::memcpy(bytes, body.data() + transfer.body_at_, length);
  transfer.body_at_ += length;
  return length;
}

/// libcurl would send the body again, up to five times, when a kept connection turns out to be dead. Each of these
/// requests may have run and be charged, and none would be in the ledger: only the call machine repeats, once.
int CurlTransfer::seek_callback(void*, curl_off_t, int) { return CURL_SEEKFUNC_FAIL; }

std::size_t CurlTransfer::header_callback(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  // Lines behind the body are trailers.
  if (!transfer.head_told_) transfer.take_header_line(std::string_view(bytes, size * count));
  return size * count;
}

void CurlTransfer::take_header_line(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    head_ = {};
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) std::from_chars(line.data() + space + 1, line.data() + line.size(), status);
    head_.status = static_cast<int>(status);
    return;
  }
  if (line.empty()) {
    // Informational answers precede the real one.
    if (head_.status < 200) return;
    head_told_ = true;
    if (const auto handler = handlers_.on_head) handler(head_);
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || head_.headers.size() >= kHeadersMax) return;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  head_.headers[std::move(name)] = trim(line.substr(colon + 1));
}

std::size_t CurlTransfer::write_callback(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (transfer.paused) return CURL_WRITEFUNC_PAUSE;
  if (const auto handler = transfer.handlers_.on_body) handler(std::string_view(bytes, size * count));
  return size * count;
}

TransferEnd CurlTransfer::end_of(CURLcode result) const {
  TransferEnd end;
  long connects = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &connects);
  // The second kind: libcurl has already connected anew and found that it must not repeat the body.
  end.reused_connection = connects == 0 || result == CURLE_SEND_FAIL_REWIND;
  if (result == CURLE_OK) return end;
  end.message = error_[0] != 0 ? error_ : curl_easy_strerror(result);
  if (result == CURLE_SEND_FAIL_REWIND) end.message = "the kept connection was dead";
  curl_off_t connected = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_PRETRANSFER_TIME_T, &connected);
  if (result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY) {
    end.kind = TransferEnd::Kind::resolve;
  } else if (is_tls_failure(result) && !is_broken_handshake(result, end.message)) {
    end.kind = TransferEnd::Kind::tls;
  } else if (result == CURLE_COULDNT_CONNECT || connected == 0) {
    end.kind = TransferEnd::Kind::connect;
  } else {
    end.kind = TransferEnd::Kind::broken;
  }
  return end;
}

bool CurlTransfer::by_http1() const {
  long version = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_VERSION, &version);
  return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

}  // namespace planexe::llm
