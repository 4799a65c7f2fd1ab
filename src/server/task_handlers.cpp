#include <charconv>

#include "engine/requests.hpp"
#include "server/handlers.hpp"
#include "server/interaction_view.hpp"
#include "server/limits.hpp"
#include "server/plan_recipes.hpp"
#include "server/task_view.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

constexpr int kInteractionsDefault = 50;

Result<Response> list_tasks(const Request& request, const Services& services, PlanRecipes& recipes) {
  PLANEXE_TRY_ASSIGN(const auto board, services.store->task_board(request.plan->plan_id));
  return view::tagged_json(task_list(*request.plan, board, *recipes.of(*request.plan)));
}

/// The key under which calls of the task are recorded. Plans of older servers may have them under its older name.
Result<std::string> recorded_key(const Request& request, const Services& services, const recipe::Recipe& recipe) {
  const std::string given(request.query_value("task_key").value_or(""));
  auto key = engine::canonical_task_key(recipe, given).value_or(given);
  if (key == given) return given;
  store::InteractionQuery query;
  query.plan_id = request.plan->plan_id;
  query.task_key = key;
  query.limit = 1;
  PLANEXE_TRY_ASSIGN(const auto page, services.store->interaction_previews(query, 1));
  return page.rows.empty() ? given : key;
}

Result<Response> list_interactions(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto recipe = recipes.of(*request.plan);
  store::InteractionQuery query;
  query.plan_id = request.plan->plan_id;
  PLANEXE_TRY_ASSIGN(query.task_key, recorded_key(request, services, *recipe));
  query.status = request.query_value("status").value_or("");
  query.limit = static_cast<int>(request.query_int("limit", kInteractionsDefault));
  query.cursor = request.query_value("cursor").value_or("");
  PLANEXE_TRY_ASSIGN(const auto page,
                     services.store->interaction_previews(query, static_cast<int>(limits::kPreviewCharsMax)));
  json::array entries;
  for (const auto& call : page.rows) entries.push_back(interaction_entry(call, *recipe));
  auto response = view::tagged_json(json::object{{"plan_id", request.plan->plan_id},
                                                 {"interactions", std::move(entries)},
                                                 {"next_cursor", view::text_or_null(page.next_cursor)}});
  if (!page.next_cursor.empty()) response.with("X-Next-Cursor", page.next_cursor);
  return response;
}

Result<Response> get_interaction(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto& text = request.parameter("interaction_id");
  std::int64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id);
  PLANEXE_TRY_ASSIGN(const auto row, services.store->interaction(id));
  if (!row || row->plan_id != request.plan->plan_id)
    return fail(ErrorCode::InteractionNotFound, "The plan has no model call of this number.");
  store::InteractionQuery query;
  query.plan_id = row->plan_id;
  query.id = id;
  PLANEXE_TRY_ASSIGN(const auto page,
                     services.store->interaction_previews(query, static_cast<int>(limits::kPreviewCharsMax)));
  PLANEXE_TRY_ASSIGN(const auto prompt, services.store->prompt_text(*row));
  const std::string preview = page.rows.empty() ? std::string() : page.rows.front().prompt;
  return view::tagged_json(interaction_detail(*row, preview, prompt, *recipes.of(*request.plan)));
}

}  // namespace

void add_task_handlers(Handlers& handlers, const Services& services) {
  auto recipes = std::make_shared<PlanRecipes>(services);
  const auto add = [&](std::string operation, auto handle) {
    handlers.add_read(std::move(operation), [&services, recipes, handle](const Request& request) {
      return view::answer(request, handle(request, services, *recipes));
    });
  };
  add("listTasks", list_tasks);
  add("listInteractions", list_interactions);
  add("getInteraction", get_interaction);
}

}  // namespace planexe::server
