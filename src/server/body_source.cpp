#include "server/body_source.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "server/http_connection.hpp"
#include "server/http_text.hpp"
#include "server/limits.hpp"

namespace planexe::server {
namespace {

namespace asio = boost::asio;

std::string chunk_of(const std::string& piece) { return fmt::format("{:x}\r\n", piece.size()) + piece + "\r\n"; }

/// The next piece, from the pool; a thrown failure is one, too.
asio::awaitable<Result<std::string>> next_piece(const Services& services, std::shared_ptr<BodySource> source) {
  try {
    co_return co_await on_pool(services, [source] { return source->next(); });
  } catch (const std::exception& exception) {
    co_return fail(ErrorCode::Internal, exception.what());
  }
}

/// Unlike an orderly end this one cannot be taken for the end of the body.
void break_off(boost::beast::tcp_stream& stream, const Request& request, const Error& error) {
  log_error("an answer broke off", {{"path", request.path}, {"request_id", request.id}, {"error", to_string(error)}});
  boost::system::error_code ignored;
  stream.socket().set_option(asio::socket_base::linger(true, 0), ignored);
  stream.close();
}

}  // namespace

asio::awaitable<bool> write_pieces(boost::beast::tcp_stream& stream, const Services& services, const Request& request,
                                   Response response, bool keep_alive, std::uint64_t& written) {
  const bool chunks = request.chunks;
  if (chunks) response.with("Transfer-Encoding", "chunked");
  std::string bytes = response_head(response, std::nullopt, keep_alive && chunks);
  written += bytes.size();
  if (request.method == "HEAD") co_return co_await write_all(stream, bytes, limits::kWriteWait) && chunks;
  for (std::string piece = std::move(response.body);;) {
    if (!piece.empty()) bytes += chunks ? chunk_of(piece) : piece;
    written += piece.size();
    if (!co_await write_all(stream, bytes, limits::kWriteWait)) co_return false;
    auto next = co_await next_piece(services, response.more);
    if (!next) {
      break_off(stream, request, next.error());
      co_return false;
    }
    if (next->empty()) break;
    piece = *std::move(next);
    bytes.clear();
  }
  co_return chunks && co_await write_all(stream, "0\r\n\r\n", limits::kWriteWait);
}

}  // namespace planexe::server
