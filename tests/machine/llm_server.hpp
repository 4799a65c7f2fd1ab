#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <charconv>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace planexe::llm::test {

namespace asio = boost::asio;

/// A request as the scripted server saw it.
struct SeenRequest {
  std::string method, target, body;
  std::map<std::string, std::string> headers;  ///< lower-case names
  int connection = 0;
  std::chrono::steady_clock::time_point at;

  [[nodiscard]] json::value parsed() const { return body.empty() ? json::value() : json::parse(body); }
};

/// What the server does with the connection after reading a request, step by step.
struct Step {
  enum class Kind { write, delay, reset, close } kind = Kind::write;
  std::string bytes = {};
  std::chrono::milliseconds duration{0};
};
using Reply = std::vector<Step>;

inline Step write(std::string bytes) { return {Step::Kind::write, std::move(bytes)}; }
inline Step pause_for(int ms) { return {Step::Kind::delay, {}, std::chrono::milliseconds(ms)}; }
inline Step reset() { return {Step::Kind::reset}; }
inline Step close_connection() { return {Step::Kind::close}; }

/// A real TCP server on loopback that does exactly what a test scripts, protocol violations included. Runs on the
/// test's io_context.
class ScriptedServer {
 public:
  using Script = std::function<Reply(const SeenRequest& request, std::size_t index)>;

  ScriptedServer(asio::io_context& context, Script script)
      : context_(context), script_(std::move(script)),
        acceptor_(context, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    port_ = acceptor_.local_endpoint().port();
    asio::co_spawn(context_, accept(), asio::detached);
  }
  ~ScriptedServer() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }

  [[nodiscard]] std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  [[nodiscard]] unsigned short port() const { return port_; }

  std::vector<SeenRequest> requests;
  int connections = 0;
  int open_requests = 0;
  int open_requests_peak = 0;
  int disconnects = 0;  ///< writes that failed because the client went away

 private:
  asio::awaitable<void> accept() {
    for (;;) {
      boost::system::error_code status;
      asio::ip::tcp::socket socket(context_);
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, status));
      if (status) co_return;
      auto shared = std::make_shared<asio::ip::tcp::socket>(std::move(socket));
      asio::co_spawn(context_, serve(shared, ++connections), asio::detached);
    }
  }

  static SeenRequest parse_head(const std::string& head) {
    SeenRequest request;
    std::size_t at = head.find("\r\n");
    const std::string line = head.substr(0, at);
    request.method = line.substr(0, line.find(' '));
    request.target = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
    while (at != std::string::npos && at + 2 < head.size()) {
      const std::size_t end = head.find("\r\n", at + 2);
      const std::string field = head.substr(at + 2, end - at - 2);
      if (const std::size_t colon = field.find(':'); colon != std::string::npos) {
        std::string name = field.substr(0, colon);
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        request.headers[name] = field.substr(field.find_first_not_of(' ', colon + 1));
      }
      at = end;
    }
    return request;
  }

  asio::awaitable<void> serve(std::shared_ptr<asio::ip::tcp::socket> socket, int number) {
    std::string buffer;
    for (;;) {
      boost::system::error_code status;
      const std::size_t length = co_await asio::async_read_until(*socket, asio::dynamic_buffer(buffer), "\r\n\r\n",
                                                                 asio::redirect_error(asio::use_awaitable, status));
      if (status) co_return;
      SeenRequest request = parse_head(buffer.substr(0, length));
      buffer.erase(0, length);
      std::size_t body = 0;
      if (const auto at = request.headers.find("content-length"); at != request.headers.end()) {
        std::from_chars(at->second.data(), at->second.data() + at->second.size(), body);
      }
      if (buffer.size() < body) {
        co_await asio::async_read(*socket, asio::dynamic_buffer(buffer), asio::transfer_exactly(body - buffer.size()),
                                  asio::redirect_error(asio::use_awaitable, status));
        if (status) co_return;
      }
      request.body = buffer.substr(0, body);
      buffer.erase(0, body);
      request.connection = number;
      request.at = std::chrono::steady_clock::now();
      requests.push_back(request);
      const Reply reply = script_(request, requests.size() - 1);
      ++open_requests;
      open_requests_peak = std::max(open_requests_peak, open_requests);
      const bool goes_on = co_await play(*socket, reply);
      --open_requests;
      if (!goes_on) co_return;
    }
  }

  asio::awaitable<bool> play(asio::ip::tcp::socket& socket, const Reply& reply) {
    for (const Step& step : reply) {
      boost::system::error_code status;
      if (step.kind == Step::Kind::write) {
        co_await asio::async_write(socket, asio::buffer(step.bytes), asio::redirect_error(asio::use_awaitable, status));
        if (status) {
          ++disconnects;
          co_return false;
        }
      } else if (step.kind == Step::Kind::delay) {
        asio::steady_timer timer(context_, step.duration);
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, status));
      } else if (step.kind == Step::Kind::reset) {
        socket.set_option(asio::socket_base::linger(true, 0), status);
        socket.close(status);
        co_return false;
      } else {
        socket.close(status);
        co_return false;
      }
    }
    co_return true;
  }

  asio::io_context& context_;
  Script script_;
  asio::ip::tcp::acceptor acceptor_;
  unsigned short port_ = 0;
};

/// An answer with a body of known length.
inline std::string http(int status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " Text\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers +
         "\r\n" + body;
}

/// An answer head whose body ends with the connection.
inline std::string stream_head() { return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"; }

inline std::string event(const json::object& object) {
  return "event: " + std::string(object.at("type").as_string()) + "\ndata: " + json::serialize(object) + "\n\n";
}

/// The response object of a finished answer.
inline json::object response_object(const std::string& id, const std::string& text, const std::string& status = "completed") {
  return json::object{
      {"id", id}, {"object", "response"}, {"status", status}, {"model", "m-1"},
      {"output", json::array{json::object{{"type", "message"}, {"id", "msg_" + id}, {"role", "assistant"},
                                          {"content", json::array{json::object{{"type", "output_text"}, {"text", text}}}}}}},
      {"usage", json::object{{"input_tokens", 100}, {"input_tokens_details", json::object{{"cached_tokens", 40}}},
                             {"output_tokens", 20}, {"output_tokens_details", json::object{{"reasoning_tokens", 5}}},
                             {"total_tokens", 120}}}};
}

/// The event stream of an answer, as a list of events.
inline std::vector<std::string> answer_events(const std::string& id, const std::string& text, std::size_t deltas = 2) {
  std::vector<std::string> events;
  int number = 0;
  json::object begun = response_object(id, "", "in_progress");
  begun["output"] = json::array{};
  begun["usage"] = nullptr;
  events.push_back(event({{"type", "response.created"}, {"sequence_number", number++}, {"response", begun}}));
  events.push_back(event({{"type", "response.in_progress"}, {"sequence_number", number++}, {"response", begun}}));
  const std::size_t size = (text.size() + deltas - 1) / deltas;
  for (std::size_t at = 0; at < text.size(); at += size) {
    events.push_back(event({{"type", "response.output_text.delta"}, {"sequence_number", number++}, {"item_id", "msg_" + id},
                            {"output_index", 0}, {"content_index", 0}, {"delta", text.substr(at, size)}}));
  }
  events.push_back(event({{"type", "response.output_text.done"}, {"sequence_number", number++}, {"item_id", "msg_" + id},
                          {"output_index", 0}, {"content_index", 0}, {"text", text}}));
  events.push_back(event({{"type", "response.completed"}, {"sequence_number", number++}, {"response", response_object(id, text)}}));
  return events;
}

inline std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

/// A whole answer that keeps the connection usable.
inline std::string chunked_answer(const std::string& id, const std::string& text) {
  std::string reply = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& piece : answer_events(id, text)) {
    char size[20];
    const auto [end, status] = std::to_chars(std::begin(size), std::end(size), piece.size(), 16);
    reply += std::string(size, end) + "\r\n" + piece + "\r\n";
  }
  return reply + "0\r\n\r\n";
}

inline Reply error_reply(int status, const json::object& error, const std::string& headers = "") {
  return {write(http(status, "Content-Type: application/json\r\n" + headers, json::serialize(json::object{{"error", error}})))};
}

}  // namespace planexe::llm::test
