#include "server/dispatcher.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/ids.hpp"
#include "base/log.hpp"
#include "server/conditional.hpp"
#include "server/limits.hpp"
#include "server/metrics.hpp"

namespace planexe::server {
namespace {

bool is_interface(std::string_view path) {
  return path == "/api" || path.starts_with("/api/") || path == "/ws" || path.starts_with("/ws/");
}

bool is_request_id(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= limits::kRequestIdCharsMax && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

/// Methods for the header Allow. OPTIONS is answered everywhere.
std::string allow_list(std::vector<std::string> methods) {
  methods.emplace_back("OPTIONS");
  std::ranges::sort(methods);
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  return fmt::format("{}", fmt::join(methods, ", "));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

/// JSON in UTF-8, as it is. Names of media types, parameters and charsets are compared without regard to case.
bool is_json(const Request& request) {
  const auto coding = lower(trimmed(request.header("content-encoding")));
  if (!coding.empty() && coding != "identity") return false;
  std::string_view rest = request.header("content-type");
  const auto type = rest.substr(0, rest.find(';'));
  if (lower(trimmed(type)) != "application/json") return false;
  for (rest.remove_prefix(type.size()); !rest.empty();) {
    rest.remove_prefix(1);
    const auto parameter = trimmed(rest.substr(0, rest.find(';')));
    rest.remove_prefix(std::min(rest.find(';'), rest.size()));
    const auto value = lower(trimmed(parameter.substr(std::min(parameter.find('=') + 1, parameter.size()))));
    if (lower(parameter).starts_with("charset=") && value != "utf-8" && value != "\"utf-8\"") return false;
  }
  return true;
}

}  // namespace

Dispatcher::Dispatcher(const Services& services, const Handlers& handlers, const Access& access, RateLimiter& limiter,
                       const StaticFiles& files)
    : services_(services), handlers_(handlers), access_(access), limiter_(limiter), files_(files) {}

std::string Dispatcher::request_id(std::string_view given) const {
  return is_request_id(given) ? std::string(given) : uuid4(*services_.random);
}

std::optional<Response> Dispatcher::admit(Request& request, const std::string& peer) const {
  request.id = request_id(request.header("x-request-id"));
  request.client = access_.client_address(peer, request);
  request.secure = access_.secure(peer, request);
  const auto refuse = [&](ErrorCode code, std::string message) { return error_response(Error(code, std::move(message)), request.id); };
  auto match = services_.contract->match(request.method, request.path);
  request.operation = match.operation;
  request.route = match.route;
  request.parameters = std::move(match.parameters);
  if (auto host = access_.check_host(request.header("host")); !host) return error_response(host.error(), request.id);
  const bool page = match.operation == nullptr && match.allowed.empty() && !is_interface(request.path) && request.path != "*";
  const bool locked = !page && request.operation != nullptr && !request.operation->open && services_.settings->auth_required();
  const auto identity = locked ? access_.identity_of(request) : std::nullopt;
  request.identity = identity.value_or("");
  // Before any other refusal: guessing of tokens and paths is limited, too.
  if (auto limited = check_rate(request, request.operation == nullptr ? "all" : request.operation->rate_class)) return limited;
  if (request.method == "OPTIONS" && (page || request.path == "*" || !match.allowed.empty()))
    return empty_response(204).with("Allow", allow_list(page ? std::vector<std::string>{"GET", "HEAD"} : match.allowed));
  if (!page)
    if (auto refusal = refuse_unrouted(request, match)) return refusal;
  if (!access_.origin_allowed(request, peer)) return refuse(ErrorCode::OriginNotAllowed, "Requests from this origin are not allowed.");
  // A socket is accepted first, so that a browser can see the close code.
  if (locked && !identity && !request.path.starts_with("/ws/")) return refuse(ErrorCode::Unauthorized, "A valid token is needed.");
  return std::nullopt;
}

std::optional<Response> Dispatcher::check_rate(const Request& request, std::string_view rate_class) const {
  // A token may have the name of an address; no address begins like this.
  const auto who = request.identity.empty() ? request.client : "token " + request.identity;
  const auto verdict = limiter_.take(who, rate_class, services_.clock->steady());
  if (verdict.allowed) return std::nullopt;
  services_.metrics->request_limited(rate_class);
  auto refusal = error_response(Error(ErrorCode::RateLimited, "Too many requests; wait a little."), request.id);
  set_retry_after(refusal, verdict.retry_after);
  return refusal;
}

std::optional<Response> Dispatcher::refuse_unrouted(const Request& request, const Contract::Match& match) const {
  if (match.operation != nullptr) return std::nullopt;
  if (match.allowed.empty()) return error_response(Error(ErrorCode::NotFound, "There is nothing at this path."), request.id);
  const auto allowed = allow_list(match.allowed);
  const Error error(ErrorCode::MethodNotAllowed, "This path does not know the request's method.", "Use one of " + allowed + ".");
  return error_response(error, request.id).with("Allow", allowed);
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
  // A socket tells by its close code that nothing has this id.
  const bool socket = request.path.starts_with("/ws/");
  if (const auto mismatch = services_.contract->check_path(operation, request.parameters); mismatch && !socket)
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
  if (!is_json(request))
    return error_response(Error(ErrorCode::UnsupportedMediaType, "The body must be JSON.",
                                "Send it as application/json in UTF-8, without a content coding."),
                          request.id);
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
