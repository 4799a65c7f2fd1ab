#include "base/embedded.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "llm/cost.hpp"
#include "server/access.hpp"
#include "server/contract.hpp"
#include "server/docs_page.hpp"
#include "server/event_metrics.hpp"
#include "server/handlers.hpp"
#include "server/health_probe.hpp"
#include "server/metrics.hpp"
#include "server/model_view.hpp"

namespace planexe::server {
namespace {

constexpr std::size_t kPromptTitleCharsMax = 80;

Response text_response(std::string content_type, std::string body) {
  Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

Response ping(const Services& services) {
  return json_response(
      json::object{{"ping", "pong"}, {"timestamp", format_iso(services.clock->now())}, {"api_routes_working", true}});
}

Response list_models(const Services& services, const Request& request) {
  const auto capability = request.query_value("capability").value_or("text");
  json::array models;
  for (const auto& model : services.catalogue->models) {
    if (!has_capability(model, capability)) continue;
    const auto price = llm::price_of(model, *services.prices, services.clock->now());
    models.emplace_back(model_view(model, price, services.why_unavailable(model)));
  }
  return json_response(models);
}

/// States that are read when somebody looks; the others are counted as they happen.
boost::asio::awaitable<Response> show_metrics(const Services& services) {
  auto& metrics = *services.metrics;
  ModelMetrics::observe(metrics, *services.client);
  co_return co_await on_pool(services, [&services, &metrics] {
    // Without an answer the last figures stay; planexe_database_up tells why.
    if (const auto counts = services.store->plan_counts())
      for (const std::string state : {"pending", "running", "completed", "failed", "cancelled"}) {
        const auto found = counts->find(state);
        metrics.set_plans(state, found == counts->end() ? 0 : found->second);
      }
    return text_response("text/plain; version=0.0.4; charset=utf-8", metrics.text());
  });
}

/// The example prompts that are packed into the program, in the form of the contract.
json::array example_prompts() {
  json::array examples;
  const auto* file = embedded::find("prompts", "prompts.json");
  PLANEXE_ASSERT(file != nullptr);
  const auto parsed = parse_json(file->bytes);
  PLANEXE_ASSERT(parsed && parsed->is_array());
  for (const auto& entry : parsed->get_array()) {
    const auto* tags = get_array(entry, "tags");
    examples.emplace_back(
        json::object{{"uuid", get_string(entry, "id").value_or("")},
                     {"prompt", get_string(entry, "prompt").value_or("")},
                     {"title", cut_code_points(get_string(entry, "title").value_or(""), kPromptTitleCharsMax)},
                     {"tags", tags == nullptr ? json::array{} : *tags}});
  }
  return examples;
}

Response config(const Services& services) {
  const auto& settings = *services.settings;
  const auto mode = [](std::string_view value, std::string_view label) {
    return json::object{{"value", value}, {"label", label}, {"available", true}};
  };
  const auto tokens = settings.max_output_tokens_default;
  return json_response(
      json::object{{"reasoning_effort_streaming_default", settings.effort_default},
                   {"reasoning_effort_conversation_default", settings.effort_default},
                   {"reasoning_summary_default", settings.reasoning_summary_default},
                   {"text_verbosity_default", settings.text_verbosity_default},
                   {"max_output_tokens_default", tokens ? json::value(*tokens) : json::value(nullptr)},
                   {"streaming_enabled", settings.streaming_enabled},
                   {"version", get_string(services.contract->document().at("info"), "version").value_or("")},
                   {"auth_required", settings.auth_required()},
                   {"max_prompt_chars", planexe::limits::kPromptCharsMax},
                   {"speed_modes",
                    json::array{mode("all_details_but_slow", "All details"),
                                mode("balanced_speed_and_detail", "Balanced"), mode("fast_but_skip_details", "Fast")}},
                   {"rehearsal", settings.rehearsal}});
}

/// The token itself is the cookie's value: its alphabet needs no quoting. It ends with the browser's session.
std::string session_cookie(std::string_view token, bool secure) {
  return fmt::format("planexe_token={}; Path=/; HttpOnly; SameSite=Strict{}{}", token,
                     token.empty() ? "; Max-Age=0" : "", secure ? "; Secure" : "");
}

Response login(const Services& services, const Request& request) {
  if (!services.settings->auth_required()) return empty_response(204);
  const auto token = get_string(request.json, "token").value_or("");
  if (!Access(*services.settings).name_of(token))
    return error_response(
        Error(ErrorCode::Unauthorized, "This token is not valid.", "The tokens are those of PLANEXE_API_TOKENS."),
        request.id);
  return empty_response(204).with("Set-Cookie", session_cookie(token, request.secure));
}

Response logout(const Request& request) {
  return empty_response(204).with("Set-Cookie", session_cookie("", request.secure));
}

/// An answer that takes no time to make is made on the loop's thread.
Handler at_once(std::function<Response(const Request&)> make) {
  auto shared = std::make_shared<const std::function<Response(const Request&)>>(std::move(make));
  return [shared](Request& request) -> boost::asio::awaitable<Response> { co_return (*shared)(request); };
}

void add_documents(Handlers& handlers, const Services& services) {
  auto page = std::make_shared<const DocsPage>(make_docs_page(services.contract->document()));
  handlers.add_read("getDocs", [page](const Request&) {
    return text_response("text/html; charset=utf-8", page->html)
        .with("Cache-Control", "no-cache")
        .with("Content-Security-Policy", page->security_policy);
  });
  handlers.add_read("getOpenapi", [&services](const Request&) {
    return text_response("application/json", services.contract->text());
  });
  auto examples = std::make_shared<const json::value>(example_prompts());
  handlers.add_read("listPrompts", [examples](const Request&) { return json_response(*examples); });
}

}  // namespace

void add_service_handlers(Handlers& handlers, const Services& services) {
  auto probe = std::make_shared<HealthProbe>(services);
  probe->start();
  handlers.add("getHealth",
               at_once([probe](const Request& request) { return health_response(probe->facts(), request.id); }));
  handlers.add("ping", at_once([&services](const Request&) { return ping(services); }));
  handlers.add("getMetrics", [&services](Request&) { return show_metrics(services); });
  handlers.add_read("listModels", [&services](const Request& request) { return list_models(services, request); });
  handlers.add("getConfig", at_once([&services](const Request&) { return config(services); }));
  handlers.add("login", at_once([&services](const Request& request) { return login(services, request); }));
  handlers.add("logout", at_once([](const Request& request) { return logout(request); }));
  add_documents(handlers, services);
}

}  // namespace planexe::server
