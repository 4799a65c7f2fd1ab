#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"
#include "server/handlers.hpp"
#include "server/idempotency.hpp"
#include "server/limits.hpp"
#include "server/model_choice.hpp"
#include "server/plan_request.hpp"
#include "server/plan_service.hpp"
#include "server/plan_view.hpp"
#include "server/progress/hub.hpp"

namespace planexe::server {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kCancelWait{2000};
constexpr std::chrono::milliseconds kCancelLook{100};
/// From the moment at which the database says that a run is over to the moment at which it is over here.
constexpr std::chrono::milliseconds kEndWait{1000};
constexpr std::chrono::milliseconds kDeleteWait{10000};
constexpr std::chrono::milliseconds kRetryWait{10000};

asio::awaitable<void> pause(const Services& services, std::chrono::milliseconds time) {
  asio::steady_timer timer(services.loop, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

std::string location_of(const std::string& plan_id) { return "/api/plans/" + plan_id; }

/// PlanResponse as the database has it now, without the place in the queue.
asio::awaitable<Result<json::object>> read_plan(const Services& services, std::string plan_id) {
  co_return co_await on_pool(services, [&]() -> Result<json::object> {
    PLANEXE_TRY_ASSIGN(auto plan, services.store->plan(plan_id));
    if (!plan) return fail(ErrorCode::PlanNotFound, "No plan has this id.");
    return plan_response(*services.store, *plan);
  });
}

/// The plan as it is now.
asio::awaitable<Response> plan_now(const Services& services, const Request& request, std::string plan_id) {
  auto shown = co_await read_plan(services, plan_id);
  if (!shown) co_return error_response(shown.error(), request.id);
  if (const auto position = services.plans->position(plan_id)) (*shown)["queue_position"] = *position;
  co_return json_response(*shown);
}

/// Puts a plan that is pending again into the queue. The answer tells the plan as it was before its run goes on.
asio::awaitable<Response> started_again(const Services& services, const Request& request, json::object further) {
  const auto plan_id = request.plan->plan_id;
  auto shown = co_await read_plan(services, plan_id);
  services.plans->enqueue(plan_id);
  if (!shown) co_return error_response(shown.error(), request.id);
  if (const auto position = services.plans->position(plan_id)) (*shown)["queue_position"] = *position;
  for (auto& [name, value] : further) (*shown)[name] = std::move(value);
  co_return json_response(*shown);
}

// ---- create --------------------------------------------------------------------------------------------------------

struct Created {
  std::string plan_id;
  std::string reply;
  bool replayed = false;
};

/// Runs on the pool: one transaction makes the plan and remembers the reply.
Result<Created> create_now(const Services& services, const engine::CreateRequest& request, const std::string& plan_id,
                           const IdempotentRequest& repeat, std::optional<int> queue_position, TimePoint now) {
  auto& store = *services.store;
  auto transaction = engine::make_plan(request, services.engine->recipe(), services.engine->packed_recipe(), plan_id, now);
  Created created{plan_id, to_json(new_plan_response(transaction, queue_position)), false};
  // An unknown conversation takes the whole plan back.
  if (!request.conversation_id.empty()) transaction.writes.push_back(store::SetConversation{request.conversation_id, plan_id, std::nullopt});
  if (auto row = idempotency_row(repeat, plan_id, created.reply, now)) transaction.writes.push_back(store::PutIdempotencyKey{std::move(*row)});
  auto result = store.commit(std::move(transaction));
  if (result.ok()) return created;
  if (result.error && result.error->code == ErrorCode::IdempotencyKeyReused) {
    // Another process was faster with this key; its body decides.
    PLANEXE_TRY_ASSIGN(auto first, find_reply(store, repeat, now));
    if (first) return Created{first->plan_id, std::move(first->reply), true};
  }
  if (result.error) return std::unexpected(std::move(*result.error));
  return fail(ErrorCode::DatabaseUnavailable, "The plan could not be stored; try again.");
}

Response created_response(const Created& created) {
  Response response;
  response.content_type = "application/json";
  response.body = created.reply;
  response.with("Location", location_of(created.plan_id));
  if (created.replayed) response.with("Idempotent-Replay", "true");
  return response;
}

asio::awaitable<Response> create_plan(const Services& services, IdempotencyGate& gate, Request& request) {
  if (services.plans->stopping()) co_return error_response(Error(ErrorCode::ShuttingDown, "The server is shutting down."), request.id);
  IdempotentRequest repeat;
  if (auto read = read_idempotency(request); !read) {
    co_return error_response(read.error(), request.id);
  } else {
    repeat = std::move(*read);
  }
  const IdempotencyGate::Pass pass(gate, repeat);
  if (!pass.granted()) co_return error_response(Error(ErrorCode::IdempotencyInProgress, "The first request with this key is still in work."), request.id);
  const auto now = services.clock->now();
  // What was made once is told again, also when nothing new could be made now.
  auto first = co_await on_pool(services, [&] { return find_reply(*services.store, repeat, now); });
  if (!first) co_return error_response(first.error(), request.id);
  if (*first) co_return created_response({(*first)->plan_id, std::move((*first)->reply), true});
  auto create = plan_request_of(services, request);
  if (!create.errors.empty()) co_return field_errors_response(create.errors, request.id);
  if (auto usable = check_model_choice(services, create.request.model); !usable) co_return error_response(usable.error(), request.id);
  if (services.plans->full()) co_return error_response(Error(ErrorCode::QueueFull, "Too many plans are waiting; try again later."), request.id);
  const auto plan_id = new_plan_id(*services.random);
  const auto place = services.plans->next_position();
  std::optional<PlanService::Seat> seat(*services.plans);
  auto created = co_await on_pool(services, [&] { return create_now(services, create.request, plan_id, repeat, place, now); });
  seat.reset();
  if (!created && created.error().code == ErrorCode::ConversationNotFound)
    co_return field_errors_response({{"value_error", {"body", "conversation_id"}, "No conversation has this id.", {}}}, request.id);
  if (!created) co_return error_response(created.error(), request.id);
  if (!created->replayed) services.plans->enqueue(created->plan_id);
  co_return created_response(*created);
}

// ---- list and read -------------------------------------------------------------------------------------------------

struct PlanList {
  json::array plans;
  std::string next_cursor;
};

/// Runs on the pool.
Result<PlanList> read_list(const Services& services, const Request& request) {
  store::PlanQuery query;
  query.statuses = request.query_values("status");
  query.text = std::string(request.query_value("q").value_or(""));
  query.ascending = request.query_value("sort").value_or("") == "created_asc";
  query.limit = static_cast<int>(request.query_int("limit", query.limit));
  query.cursor = std::string(request.query_value("cursor").value_or(""));
  PLANEXE_TRY_ASSIGN(auto page, services.store->plans(query));
  PLANEXE_TRY_ASSIGN(auto plans, plan_responses(*services.store, page.plans));
  return PlanList{std::move(plans), std::move(page.next_cursor)};
}

asio::awaitable<Response> list_plans(const Services& services, Request& request) {
  auto list = co_await on_pool(services, [&] { return read_list(services, request); });
  if (!list) co_return error_response(list.error(), request.id);
  const auto positions = services.plans->positions();
  for (auto& plan : list->plans)
    if (const auto it = positions.find(get_string(plan, "plan_id").value_or("")); it != positions.end())
      plan.get_object()["queue_position"] = it->second;
  auto response = json_response(list->plans);
  if (!list->next_cursor.empty()) response.with("X-Next-Cursor", list->next_cursor);
  co_return response;
}

// ---- control -------------------------------------------------------------------------------------------------------

asio::awaitable<Response> cancel_plan(const Services& services, Request& request) {
  const auto plan_id = request.plan->plan_id;
  // A run that broke off and waits to go on has to be ended as well.
  if (request.plan->status == "running") services.plans->take_up(plan_id);
  auto cancelled = services.engine->cancel(plan_id);
  if (!cancelled) co_return error_response(cancelled.error(), request.id);
  if (cancelled->status == "cancelled") services.plans->forget(plan_id);
  const auto until = services.clock->steady() + kCancelWait;
  co_await services.plans->wait_until_idle(plan_id, kCancelWait);
  for (;;) {
    auto response = co_await plan_now(services, request, plan_id);
    const auto shown = parse_json(response.body);
    const auto status = shown ? get_string(*shown, "status").value_or("") : "";
    if (response.status != 200 || status == "cancelled") co_return response;
    if (status == "completed" || status == "failed")
      co_return error_response(Error(ErrorCode::PlanNotCancellable, fmt::format("The plan was {} before it could be cancelled.", status)), request.id);
    if (services.clock->steady() >= until) {
      response.status = 202;
      co_return response;
    }
    // Another process runs the plan: it sees the wish in the database, and so does this one its answer.
    co_await pause(services, kCancelLook);
  }
}

/// What resume and retry may change about the plan. Null and absent: as it was.
Result<engine::ResumeOptions> options_of(const Services& services, const json::value& body) {
  engine::ResumeOptions options;
  if (const auto model = get_string(body, "llm_model")) {
    options.model = *model == "auto" ? "" : std::string(*model);
    PLANEXE_TRY(check_model_choice(services, *options.model));
  }
  if (const auto effort = get_string(body, "reasoning_effort")) options.effort = std::string(*effort);
  if (const auto usd = get_double(body, "max_cost_usd")) options.max_cost_micros = micros_of(*usd);
  return options;
}

std::optional<Error> cannot_start(const Services& services) {
  if (services.plans->stopping()) return Error(ErrorCode::ShuttingDown, "The server is shutting down.");
  if (services.plans->full()) return Error(ErrorCode::QueueFull, "Too many plans are waiting; try again later.");
  if (!any_model(services)) return Error(ErrorCode::ProviderNotConfigured, "No model provider is configured; set a key, for example OPENAI_API_KEY.");
  return std::nullopt;
}

asio::awaitable<Response> resume_plan(const Services& services, Request& request) {
  if (auto error = cannot_start(services)) co_return error_response(*error, request.id);
  auto options = options_of(services, request.json);
  if (!options) co_return error_response(options.error(), request.id);
  // A plan that waits or runs is active, also one that was interrupted and will be taken up by itself.
  if (request.plan->status == "pending" || request.plan->status == "running")
    co_return error_response(Error(ErrorCode::PlanActive, "The plan is active already."), request.id);
  // Of several requests at once one goes on: the plan that the others have read is not what it is now.
  co_await services.plans->wait_until_idle(request.plan->plan_id, kEndWait);
  const PlanService::Claim claim(*services.plans, request.plan->plan_id);
  if (!claim.granted()) co_return error_response(Error(ErrorCode::PlanActive, "The plan is active already."), request.id);
  options->rehearsal = services.settings->rehearsal && !request.plan->rehearsal;
  auto resumed = services.engine->resume(request.plan->plan_id, *options);
  if (!resumed) co_return error_response(resumed.error(), request.id);
  co_return co_await started_again(services, request, {});
}

/// The tasks that are pending now, once that is stored.
asio::awaitable<Result<std::vector<std::string>>> retried(const Services& services, const Request& request, engine::RetryOptions options) {
  auto result = std::make_shared<Result<std::vector<std::string>>>();
  auto stored = std::make_shared<asio::steady_timer>(services.loop, kRetryWait);
  *result = fail(ErrorCode::DatabaseUnavailable, "The database has not taken the retry in time; look at the task before asking again.");
  services.engine->retry(request.plan->plan_id, request.parameter("task_key"), options, [result, stored](auto reset) {
    *result = std::move(reset);
    stored->expires_at(asio::steady_timer::time_point::min());
  });
  co_await stored->async_wait(asio::as_tuple(asio::use_awaitable));
  co_return std::move(*result);
}

asio::awaitable<Response> retry_task(const Services& services, Request& request) {
  if (auto error = cannot_start(services)) co_return error_response(*error, request.id);
  auto options = options_of(services, request.json);
  if (!options) co_return error_response(options.error(), request.id);
  options->rehearsal = services.settings->rehearsal && !request.plan->rehearsal;
  engine::RetryOptions retry{engine::RetryItems::automatic, std::move(*options)};
  if (const auto items = get_string(request.json, "items")) retry.items = engine::retry_items_from(*items).value_or(retry.items);
  if (request.plan->status != "running") co_await services.plans->wait_until_idle(request.plan->plan_id, kEndWait);
  // Not granted for a plan that runs, whose failed tasks can be retried.
  const PlanService::Claim claim(*services.plans, request.plan->plan_id);
  auto reset = co_await retried(services, request, std::move(retry));
  if (!reset) co_return error_response(reset.error(), request.id);
  json::array keys;
  for (const auto& key : *reset) keys.push_back(json::string(key));
  co_return co_await started_again(services, request, {{"reset_tasks", std::move(keys)}});
}

asio::awaitable<Response> delete_plan(const Services& services, Request& request) {
  const auto plan_id = request.plan->plan_id;
  if (services.plans->running(plan_id)) {
    // Before the run tells of its cancel: who watches is to hear of the deletion.
    services.hub->deleted(plan_id);
    // The run ends when its model calls have ended; one that needs too long loses its lease below, and what it writes is refused.
    if (auto cancelled = services.engine->cancel(plan_id); cancelled) co_await services.plans->wait_until_idle(plan_id, kDeleteWait);
  }
  services.plans->forget(plan_id);
  if (auto removed = services.engine->remove(plan_id); !removed) co_return error_response(removed.error(), request.id);
  services.hub->deleted(plan_id);
  co_return json_response(json::object{{"message", "The plan was deleted."}, {"plan_id", plan_id}});
}

Response stream_status(const Services& services, const Request& request) {
  auto last = services.store->last_event_seq(request.plan->plan_id);
  if (!last) return error_response(last.error(), request.id);
  return json_response(json::object{{"status", "ready"}, {"ready", true}, {"plan_status", request.plan->status}, {"last_seq", *last}});
}

}  // namespace

void add_plan_handlers(Handlers& handlers, const Services& services) {
  auto gate = std::make_shared<IdempotencyGate>();
  handlers.add("createPlan", [&services, gate](Request& request) { return create_plan(services, *gate, request); });
  handlers.add("listPlans", [&services](Request& request) { return list_plans(services, request); });
  handlers.add("getPlan", [&services](Request& request) { return plan_now(services, request, request.plan->plan_id); });
  handlers.add("deletePlan", [&services](Request& request) { return delete_plan(services, request); });
  handlers.add("cancelPlan", [&services](Request& request) { return cancel_plan(services, request); });
  handlers.add("resumePlan", [&services](Request& request) { return resume_plan(services, request); });
  handlers.add("retryTask", [&services](Request& request) { return retry_task(services, request); });
  handlers.add_read("getStreamStatus", [&services](const Request& request) { return stream_status(services, request); });
}

}  // namespace planexe::server
