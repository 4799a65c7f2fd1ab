#include "server/dispatcher.hpp"

#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "server/conditional.hpp"
#include "server/limits.hpp"

namespace planexe::server {
namespace {

bool is_interface(std::string_view path) {
  return path == "/api" || path.starts_with("/api/") || path == "/ws" || path.starts_with("/ws/");
}

bool is_request_id(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= limits::kRequestIdCharsMax && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Names of media types are compared without regard to case.
std::string media_type(std::string_view header) { return normalize_name(header.substr(0, header.find(';'))); }

}  // namespace

Dispatcher::Dispatcher(const Services& services, const Handlers& handlers, const Access& access, RateLimiter& limiter,
                       const StaticFiles& files)
    : services_(services), handlers_(handlers), access_(access), limiter_(limiter), files_(files) {}

Admission Dispatcher::admit(Request& request, const std::string& peer) const {
  const auto given = request.header("x-request-id");
  request.id = is_request_id(given) ? std::string(given) : uuid4(*services_.random);
  request.client = access_.client_address(peer, request);
  request.secure = access_.secure(peer, request);
  const auto refuse = [&](ErrorCode code, std::string message) {
    return Admission{error_response(Error(code, std::move(message)), request.id), false};
  };
  if (auto host = access_.check_host(request.header("host")); !host) return {error_response(host.error(), request.id), false};
  auto match = services_.contract->match(request.method, request.path);
  if (request.method == "OPTIONS" && !request.header("origin").empty() && !match.allowed.empty()) return {empty_response(204), true};
  request.operation = match.operation;
  request.parameters = std::move(match.parameters);
  const bool page = match.operation == nullptr && match.allowed.empty() && !is_interface(request.path) &&
                    (request.method == "GET" || request.method == "HEAD");
  if (!page)
    if (auto refusal = refuse_unrouted(request, match)) return {std::move(refusal), false};
  if (!access_.origin_allowed(request, peer)) return refuse(ErrorCode::OriginNotAllowed, "Requests from this origin are not allowed.");
  const bool socket = request.path.starts_with("/ws/");
  if (!page && !request.operation->open && services_.settings->auth_required()) {
    const auto identity = access_.identity_of(request);
    // A socket is accepted first, so that a browser can see the close code.
    if (!identity && !socket) return refuse(ErrorCode::Unauthorized, "A valid token is needed.");
    request.identity = identity.value_or("");
  }
  const auto& who = request.identity.empty() ? request.client : request.identity;
  const auto verdict = limiter_.take(who, page ? "all" : request.operation->rate_class, services_.clock->steady());
  if (!verdict.allowed) {
    auto admission = refuse(ErrorCode::RateLimited, "Too many requests; wait a little.");
    set_retry_after(*admission.refusal, verdict.retry_after);
    return admission;
  }
  return {};
}

std::optional<Response> Dispatcher::refuse_unrouted(const Request& request, const Contract::Match& match) const {
  if (match.operation != nullptr) return std::nullopt;
  if (match.allowed.empty()) return error_response(Error(ErrorCode::NotFound, "There is nothing at this path."), request.id);
  auto response = error_response(Error(ErrorCode::MethodNotAllowed, "This path does not know the method " + request.method + "."), request.id);
  response.with("Allow", joined(match.allowed));
  return response;
}

boost::asio::awaitable<Response> Dispatcher::answer(Request& request) const {
  if (request.operation == nullptr) co_return co_await on_pool(services_, [&] { return files_.answer(request); });
  if (auto refusal = co_await check(request)) co_return std::move(*refusal);
  const auto* handler = handlers_.find(request.operation->id);
  PLANEXE_ASSERT(handler != nullptr);
  try {
    co_return co_await (*handler)(request);
  } catch (const std::exception& exception) {
    log_error("a request failed", {{"operation", request.operation->id}, {"request_id", request.id}, {"error", exception.what()}});
    co_return error_response(Error(ErrorCode::Internal, "The server could not answer this request."), request.id);
  }
}

boost::asio::awaitable<std::optional<Response>> Dispatcher::prepare_stream(Request& request) const { co_return co_await check(request); }

const StreamHandler* Dispatcher::stream_handler(const Request& request) const {
  return request.operation == nullptr ? nullptr : handlers_.find_stream(request.operation->id);
}

boost::asio::awaitable<std::optional<Response>> Dispatcher::check(Request& request) const {
  const auto& operation = *request.operation;
  if (const auto mismatch = services_.contract->check_path(operation, request.parameters))
    co_return error_response(Error(*mismatch, "Nothing has this name or id."), request.id);
  if (operation.of_plan)
    if (auto refusal = co_await find_plan(request)) co_return refusal;
  if (const auto errors = services_.contract->check_query(operation, request); !errors.empty())
    co_return field_errors_response(errors, request.id);
  if (operation.body != nullptr)
    if (auto refusal = read_body(request)) co_return refusal;
  co_return std::nullopt;
}

boost::asio::awaitable<std::optional<Response>> Dispatcher::find_plan(Request& request) const {
  auto found = co_await on_pool(services_, [&] { return services_.store->plan(request.parameter("id")); });
  if (!found) co_return error_response(found.error(), request.id);
  if (!*found) co_return error_response(Error(ErrorCode::PlanNotFound, "No plan has this id."), request.id);
  request.plan = std::move(**found);
  co_return std::nullopt;
}

std::optional<Response> Dispatcher::read_body(Request& request) const {
  const auto& operation = *request.operation;
  if (request.body.empty() && !operation.body_required) {
    request.json = json::object();
    return std::nullopt;
  }
  if (media_type(request.header("content-type")) != "application/json")
    return error_response(Error(ErrorCode::UnsupportedMediaType, "Send the body as application/json."), request.id);
  auto parsed = parse_json(request.body);
  if (!parsed) return error_response(Error(ErrorCode::InvalidJson, parsed.error().message), request.id);
  request.json = std::move(*parsed);
  if (request.json.is_null() && !operation.body_required) request.json = json::object();
  const auto errors = services_.contract->check_body(operation, request.json);
  if (!errors.empty()) return field_errors_response(errors, request.id);
  return std::nullopt;
}

void Dispatcher::complete(const Request& request, Response& response) const {
  if (response.tagged) apply_condition(request, response);
  if (response.ranges) apply_range(request, response);
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(response.headers, [&](const auto& header) { return header.first == name; });
  };
  response.with("X-Request-Id", request.id);
  if (!has("X-Content-Type-Options")) response.with("X-Content-Type-Options", "nosniff");
  if (!has("Referrer-Policy")) response.with("Referrer-Policy", "no-referrer");
  if (!has("Cache-Control")) response.with("Cache-Control", response.tagged ? "private, no-cache" : "no-store");
  for (auto& [name, value] : access_.cors_headers(request, request.method == "OPTIONS")) {
    const auto own = std::ranges::find_if(response.headers, [&](const auto& header) { return name == "Vary" && header.first == name; });
    if (own != response.headers.end())
      own->second += ", " + value;
    else
      response.with(std::move(name), std::move(value));
  }
}

}  // namespace planexe::server
