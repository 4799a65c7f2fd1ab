#include "server/conversation/analysis_service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <utility>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "server/conversation/intake_schema.hpp"
#include "server/conversation/limits.hpp"
#include "server/conversation/turn_checks.hpp"

namespace planexe::server {

namespace asio = boost::asio;

namespace {

std::string text_of(const json::value& body, std::string_view key) { return std::string(get_string(body, key).value_or("")); }

}  // namespace

AnalysisRequest AnalysisRequest::from_request(const json::value& body) {
  AnalysisRequest request;
  request.task_id = text_of(body, "task_id");
  request.model_key = text_of(body, "model_key");
  request.prompt = text_of(body, "prompt");
  request.context = trim(text_of(body, "context"));
  request.system_prompt = trim(text_of(body, "system_prompt"));
  request.stage = trim(text_of(body, "stage"));
  request.effort = text_of(body, "reasoning_effort");
  request.verbosity = text_of(body, "text_verbosity");
  request.summary = text_of(body, "reasoning_summary");
  request.temperature = get_double(body, "temperature");
  request.previous_response_id = text_of(body, "previous_response_id");
  request.max_output_tokens = static_cast<int>(get_int(body, "max_output_tokens").value_or(0));
  request.form = asks_for_form(body);
  if (const auto* metadata = get_object(body, "metadata")) request.metadata = *metadata;
  for (const char* name : {"temperature", "text_verbosity", "reasoning_summary"})
    if (const auto* value = find(body, name); value && !value->is_null()) request.wishes[name] = *value;
  return request;
}

std::size_t AnalysisRequest::bytes() const { return prompt.size() + context.size() + system_prompt.size() + to_json(metadata).size(); }

llm::CallSpec analysis_call(const AnalysisRequest& request, const std::string& session_id, const ServerSettings& settings,
                            const std::optional<llm::Parent>& thread) {
  using Role = llm::Message::Role;
  llm::CallSpec spec;
  spec.plan_id = session_id;
  spec.task_key = "analysis";
  spec.call_key = "analysis/answer/1";
  spec.schema_name = request.form ? "intake__form" : "analysis__answer";
  if (request.form) spec.schema = form_schema();
  spec.model = request.model_key;
  spec.effort = request.effort.empty() ? settings.effort_default : request.effort;
  spec.verbosity = request.verbosity.empty() ? settings.text_verbosity_default : request.verbosity;
  spec.summary = request.summary.empty() ? settings.reasoning_summary_default : request.summary;
  spec.temperature = request.temperature;
  const auto wanted = request.max_output_tokens > 0 ? request.max_output_tokens : settings.max_output_tokens_default.value_or(0);
  spec.fixed_budget = wanted > 0;
  if (spec.fixed_budget) spec.max_output_tokens = static_cast<int>(wanted);
  spec.cache_key = sha256_hex(request.task_id).substr(0, 32);
  spec.parent = thread;
  const auto& own = request.form ? form_instructions() : analysis_instructions();
  spec.messages.push_back({Role::developer, {request.system_prompt.empty() ? own : request.system_prompt}});
  llm::Message user{Role::user, {}};
  if (!request.context.empty()) user.parts.push_back("<context>\n" + replace_all(request.context, "</context>", "< /context>") + "\n</context>");
  user.parts.push_back(request.prompt);
  spec.messages.push_back(std::move(user));
  return spec;
}

Result<void> AnalysisService::check_open() const {
  if (stopping_) return fail(ErrorCode::ShuttingDown, "The server is shutting down.");
  return check_streaming(services_);
}

void AnalysisService::stop() {
  stopping_ = true;
  // A run that ends leaves the list.
  for (const auto& [session, live] : std::map(runs_)) live->cancel(ErrorCode::ShuttingDown);
}

void AnalysisService::ended(const std::string& session_id) {
  const auto it = runs_.find(session_id);
  if (it == runs_.end()) return;
  sessions_.ended(session_id, it->second->log().bytes(), services_.clock->now());
  runs_.erase(it);
}

Result<json::object> AnalysisService::prepare(const json::value& body) {
  PLANEXE_TRY(check_open());
  PLANEXE_TRY(check_schema_names(body));
  auto request = AnalysisRequest::from_request(body);
  PLANEXE_TRY(check_model(services_, request.model_key));
  const auto bytes = request.bytes();
  const auto task = request.task_id;
  const auto model = request.model_key;
  const auto& session = sessions_.add(new_token("a_"), task, model, services_.clock->now(), limits::kAnalysisTokenLife, bytes,
                                      Prepared{std::move(request), nullptr, std::nullopt});
  const auto expires = format_iso(session.expires_at);
  const auto life = limits::kAnalysisTokenLife.count();
  return json::object{{"session_id", session.token}, {"task_id", task}, {"model_key", model}, {"expires_at", expires}, {"ttl_seconds", life},
                      {"sessionId", session.token},  {"taskId", task},  {"modelKey", model},  {"expiresAt", expires},  {"ttlSeconds", life}};
}

Result<std::shared_ptr<LiveRun>> AnalysisService::open(const std::string& task_id, const std::string& model_key,
                                                       const std::string& session_id) {
  PLANEXE_TRY(check_open());
  PLANEXE_TRY_ASSIGN(auto* session, sessions_.look(session_id, task_id, model_key, services_.clock->now()));
  if (session->opened) return session->payload ? session->payload->live : nullptr;
  session->opened = true;
  auto live = std::make_shared<LiveRun>(services_);
  session->payload->live = live;
  runs_.insert_or_assign(session_id, live);
  asio::co_spawn(services_.loop, begin(session_id, live, std::move(session->payload->request), session->expires_at), asio::detached);
  return live;
}

std::optional<llm::Parent> AnalysisService::thread_of(const std::string& response_id, const std::string& task_id) {
  if (response_id.empty()) return std::nullopt;
  const auto* session = sessions_.find_if([&](const auto& one) {
    return one.subject == task_id && one.payload && one.payload->thread && one.payload->thread->response_id == response_id;
  });
  return session ? session->payload->thread : std::nullopt;
}

asio::awaitable<void> AnalysisService::begin(std::string session_id, std::shared_ptr<LiveRun> live, AnalysisRequest request,
                                             TimePoint expires_at) {
  const auto self = shared_from_this();
  const auto first_id =
      co_await on_pool(services_, [store = services_.store] { return store->reserve_interaction_ids(limits::kAttemptsPerCall); });
  if (!first_id) {
    live->end_with("stream.error", json::object{{"taskId", request.task_id},
                                                {"modelKey", request.model_key},
                                                {"error", turn_error_json(turn_failure(ErrorCode::DatabaseUnavailable))},
                                                {"timestamp", format_iso(services_.clock->now())}});
    ended(session_id);
    co_return;
  }
  const auto thread = thread_of(request.previous_response_id, request.task_id);
  auto spec = analysis_call(request, session_id, *services_.settings, thread);
  json::object stored{{"task_id", request.task_id}};
  if (!request.metadata.empty()) stored["client"] = request.metadata;
  for (const auto& wish : request.wishes) stored[wish.key()] = wish.value();
  CallLedger ledger({"analysis", session_id, request.stage.empty() ? "analysis" : request.stage, std::move(stored)}, spec, *first_id);
  AnalysisSetup setup{session_id, request.task_id, request.model_key, thread ? request.previous_response_id : std::string(),
                      std::move(request.metadata), expires_at, std::move(spec), request.form ? analysis_form_judge() : analysis_judge(),
                      std::move(ledger)};
  // The service owns its runs, not they the service.
  live->begin(std::make_unique<AnalysisRun>(std::move(setup)), [weak = weak_from_this(), session_id](Run& over) {
    const auto service = weak.lock();
    if (!service) return;
    auto* session = service->sessions_.find(session_id);
    if (session && session->payload) session->payload->thread = static_cast<AnalysisRun&>(over).thread();
    service->ended(session_id);
  });
}

}  // namespace planexe::server
