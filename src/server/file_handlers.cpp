#include "server/artefact_view.hpp"
#include "server/bundle.hpp"
#include "server/handlers.hpp"
#include "server/plan_files.hpp"
#include "server/plan_recipes.hpp"
#include "server/plan_view.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

/// What a shown file may do: nothing. Styles of its own are let through, so that pages look as they were made.
constexpr std::string_view kViewPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";

PlanFiles files_of(const Request& request, const Services& services) {
  const auto& id = request.plan->plan_id;
  return {*services.store, id, services.engine->files().folder(id)};
}

/// A page of `files` under `name`, with its cursor in body and header.
Result<Response> list_page(const Request& request, std::string_view name, std::vector<store::ContentRow> files,
                           const recipe::Recipe& recipe, json::object further) {
  std::optional<std::size_t> limit;
  if (request.query_value("limit")) limit = static_cast<std::size_t>(request.query_int("limit", 1));
  PLANEXE_TRY_ASSIGN(const auto page, file_page(std::move(files), limit, request.query_value("cursor").value_or("")));
  json::array entries;
  for (const auto& file : page.files) entries.push_back(file_entry(file, recipe));
  json::object body{{"plan_id", request.plan->plan_id}, {name, std::move(entries)}};
  for (auto& [key, value] : further) body[key] = std::move(value);
  body["next_cursor"] = view::text_or_null(page.next_cursor);
  auto response = view::tagged_json(body);
  if (!page.next_cursor.empty()) response.with("X-Next-Cursor", page.next_cursor);
  return response;
}

Result<Response> list_artefacts(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto recipe = recipes.of(*request.plan);
  PLANEXE_TRY_ASSIGN(auto rows, services.store->contents(request.plan->plan_id));
  return list_page(request, "artefacts", listed_files(std::move(rows), *recipe), *recipe, {});
}

Result<Response> list_files(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto recipe = recipes.of(*request.plan);
  PLANEXE_TRY_ASSIGN(auto files, files_of(request, services).list(*recipe));
  const bool has_report =
      std::ranges::any_of(files, [](const auto& file) { return file.filename == view::kReportFile; });
  return list_page(request, "files", std::move(files), *recipe, {{"has_report", has_report}});
}

enum class Shown { download, inside };

Result<Response> send_file(const Request& request, const Services& services, PlanRecipes& recipes, Shown shown) {
  const auto& name = request.parameter("filename");
  const auto version = std::min<std::int64_t>(request.query_int("version", 0), std::numeric_limits<int>::max());
  PLANEXE_TRY_ASSIGN(auto found, files_of(request, services).load(name, static_cast<int>(version)));
  if (!found) return fail(ErrorCode::FileNotFound, "The plan has no file of this name and version.");
  auto file = listed_file(*std::move(found), *recipes.of(*request.plan));
  Response response;
  response.content_type = media_type(file.content_type, file.is_binary);
  response.body = std::move(file.content);
  response.tagged = response.ranges = true;
  response.with("ETag", view::body_tag(response.body));
  response.with("Content-Disposition", content_disposition(shown == Shown::download ? "attachment" : "inline", name));
  if (shown == Shown::inside) {
    response.with("Content-Security-Policy", std::string(kViewPolicy));
  } else if (response.content_type.starts_with("text/html")) {
    response.with("Content-Security-Policy", "sandbox");
  }
  return response;
}

Result<Response> download_file(const Request& request, const Services& services, PlanRecipes& recipes) {
  return send_file(request, services, recipes, Shown::download);
}

Result<Response> view_content(const Request& request, const Services& services, PlanRecipes& recipes) {
  return send_file(request, services, recipes, Shown::inside);
}

/// Files do not vanish one by one: without its plan a half archive would look like a whole one.
plan::BundleLoader bundle_loader(const Services& services, std::string plan_id, PlanFiles files) {
  return [&services, plan_id = std::move(plan_id), files = std::move(files)](const std::string& filename) -> Result<std::optional<plan::BundleContent>> {
    PLANEXE_TRY_ASSIGN(auto file, files.load(filename));
    if (file) return plan::BundleContent{std::move(file->content), file->version, file->stale};
    PLANEXE_TRY_ASSIGN(const auto plan, services.store->plan(plan_id));
    if (!plan) return fail(ErrorCode::PlanNotFound, "The plan was deleted meanwhile.");
    return std::nullopt;
  };
}

Result<Response> download_bundle(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto files = files_of(request, services);
  PLANEXE_TRY_ASSIGN(auto plan, plan_response(*services.store, *request.plan));
  PLANEXE_TRY_ASSIGN(const auto listed, files.list(*recipes.of(*request.plan)));
  std::vector<plan::BundleFile> wanted;
  for (const auto& file : listed) wanted.push_back({file.filename, file.task_key, file.size_bytes});
  auto bundle = plan::Bundle::make(std::move(plan), std::move(wanted), bundle_loader(services, request.plan->plan_id, files),
                                   {request.query_bool("raw", true), services.clock->now()});
  if (!bundle && bundle.error().code == ErrorCode::LimitExceeded) return fail(ErrorCode::Internal, bundle.error().message);
  if (!bundle) return std::unexpected(bundle.error());
  PLANEXE_TRY_ASSIGN(auto body, BundleBody::open(*std::move(bundle)));
  Response response;
  // The first piece before the head, while an error can still have a status of its own.
  PLANEXE_TRY_ASSIGN(response.body, body->next());
  response.more = std::move(body);
  response.content_type = "application/zip";
  response.with("Content-Disposition", content_disposition("attachment", request.plan->plan_id + ".zip"));
  return response;
}

}  // namespace

void add_file_handlers(Handlers& handlers, const Services& services) {
  auto recipes = std::make_shared<PlanRecipes>(services);
  const auto add = [&](std::string operation, auto handle) {
    handlers.add_read(std::move(operation), [&services, recipes, handle](const Request& request) {
      return view::answer(request, handle(request, services, *recipes));
    });
  };
  add("listArtefacts", list_artefacts);
  add("listFiles", list_files);
  add("downloadFile", download_file);
  add("viewContent", view_content);
  add("downloadBundle", download_bundle);
}

}  // namespace planexe::server
