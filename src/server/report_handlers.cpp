#include "server/artefact_view.hpp"
#include "server/assembled_document.hpp"
#include "server/details.hpp"
#include "server/fallback_report.hpp"
#include "server/handlers.hpp"
#include "server/plan_files.hpp"
#include "server/plan_recipes.hpp"
#include "server/report_view.hpp"
#include "server/run_log.hpp"
#include "server/state_tag.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

LoadText loader(const Services& services, const std::string& plan_id) {
  return [&services, plan_id](const std::string& filename) -> Result<std::optional<std::string>> {
    PLANEXE_TRY_ASSIGN(auto row, services.store->content(plan_id, filename));
    if (!row) return std::nullopt;
    return std::move(row->content);
  };
}

/// Adds the bytes to listed rows; one that is gone meanwhile is left out.
Result<std::vector<store::ContentRow>> with_bytes(std::vector<store::ContentRow> rows, const LoadText& load) {
  std::vector<store::ContentRow> full;
  for (auto& row : rows) {
    PLANEXE_TRY_ASSIGN(auto text, load(row.filename));
    if (!text) continue;
    row.content = *std::move(text);
    full.push_back(std::move(row));
  }
  return full;
}

Result<Response> html_report(const Request& request, const Services& services) {
  const auto& id = request.plan->plan_id;
  PLANEXE_TRY_ASSIGN(auto row, services.store->content(id, std::string(view::kReportFile)));
  if (!row) return fail(ErrorCode::ReportNotFound, "The report of this plan is not stored yet.");
  Response response;
  response.content_type = media_type("html", false);
  response.tagged = true;
  response.with("Content-Disposition", content_disposition("attachment", id + "-report.html"));
  response.with("Content-Security-Policy", report_policy(row->content));
  if (row->stale) response.with("X-PlanExe-Stale", "true");
  response.body = std::move(row->content);
  response.with("ETag", view::body_tag(response.body));
  return response;
}

Result<Response> json_report(const Request& request, const Services& services) {
  const auto& plan = *request.plan;
  PLANEXE_TRY_ASSIGN(const auto board, services.store->task_board(plan.plan_id));
  auto tag = StateTag("report").add(plan).add(board.tasks).add(board.contents).text();
  if (auto same = unchanged(request, tag)) return *std::move(same);
  PLANEXE_TRY_ASSIGN(const auto source, report_source(plan, board, loader(services, plan.plan_id)));
  const auto report = structured_report(plan, board, source);
  if (!report) return fail(ErrorCode::ReportNotFound, "The plan has no section of its report yet.");
  auto response = view::tagged_json(*report, std::move(tag));
  if (report->at("stale").as_bool()) response.with("X-PlanExe-Stale", "true");
  return response;
}

Result<Response> get_report(const Request& request, const Services& services, PlanRecipes&) {
  const auto form = report_form(request.query_value("format").value_or(""), request.header("accept"));
  if (!form) {
    const Error error(ErrorCode::NotAcceptable, "The report can be had as text/html or application/json.");
    return error_response(error, request.id).with("Vary", "Accept");
  }
  PLANEXE_TRY_ASSIGN(auto response,
                     *form == ReportForm::html ? html_report(request, services) : json_report(request, services));
  response.with("Vary", "Accept");
  return response;
}

Result<Response> get_fallback_report(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto& plan = *request.plan;
  PLANEXE_TRY_ASSIGN(const auto board, services.store->task_board(plan.plan_id));
  if (board.contents.empty()) return fail(ErrorCode::ContentNotFound, "The plan has no files yet.");
  auto tag = StateTag("fallback-report").add(plan).add(board.tasks).add(board.contents).text();
  if (auto same = unchanged(request, tag)) return *std::move(same);
  const auto recipe = recipes.of(plan);
  std::vector<store::ContentRow> wanted;
  for (const auto& expected : expected_files(board, *recipe))
    for (const auto& row : board.contents)
      if (row.filename == expected.filename) wanted.push_back(listed_file(row, *recipe));
  PLANEXE_TRY_ASSIGN(const auto found, with_bytes(std::move(wanted), loader(services, plan.plan_id)));
  return view::tagged_json(fallback_report(plan, board, *recipe, found), std::move(tag));
}

Result<Response> get_assembled_document(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto& plan = *request.plan;
  PLANEXE_TRY_ASSIGN(auto rows, services.store->contents(plan.plan_id));
  auto tag = StateTag("assembled-document").add(plan.recipe_hash).add(rows).text();
  if (auto same = unchanged(request, tag)) return *std::move(same);
  const auto recipe = recipes.of(plan);
  PLANEXE_TRY_ASSIGN(const auto files, with_bytes(document_files(listed_files(std::move(rows), *recipe)),
                                                  loader(services, plan.plan_id)));
  return view::tagged_json(assembled_document(plan, files, *recipe), std::move(tag));
}

std::string part_names(const DetailParts& parts) {
  return std::string(parts.stages ? "stages " : "") + (parts.log ? "log " : "") + (parts.files ? "files" : "");
}

Result<Response> get_details(const Request& request, const Services& services, PlanRecipes& recipes) {
  const auto& plan = *request.plan;
  const auto parts = detail_parts(request.query_values("include"));
  const PlanFiles source(*services.store, plan.plan_id, services.engine->files().folder(plan.plan_id));
  std::vector<store::TaskRow> tasks;
  std::vector<store::ContentRow> files;
  std::string log;
  if (parts.stages) {
    PLANEXE_TRY_ASSIGN(tasks, services.store->tasks(plan.plan_id));
  }
  if (parts.stages || parts.files) {
    PLANEXE_TRY_ASSIGN(files, source.list(*recipes.of(plan)));
  }
  if (parts.log) {
    PLANEXE_TRY_ASSIGN(auto file, source.load(std::string(kLogFile)));
    if (file) log = std::move(file->content);
  }
  auto tag = StateTag("details").add(part_names(parts)).add(tasks).add(files).add(log).text();
  if (auto same = unchanged(request, tag)) return *std::move(same);
  const auto load = [&source](const std::string& filename) -> Result<std::optional<std::string>> {
    PLANEXE_TRY_ASSIGN(auto file, source.load(filename));
    if (!file) return std::nullopt;
    return std::move(file->content);
  };
  PLANEXE_TRY_ASSIGN(const auto details, plan_details({&plan, &tasks, &files, log, load}, parts));
  return view::tagged_json(details, std::move(tag));
}

}  // namespace

void add_report_handlers(Handlers& handlers, const Services& services) {
  auto recipes = std::make_shared<PlanRecipes>(services);
  const auto add = [&](std::string operation, auto handle) {
    handlers.add_read(std::move(operation), [&services, recipes, handle](const Request& request) {
      return view::answer(request, handle(request, services, *recipes));
    });
  };
  add("getReport", get_report);
  add("getFallbackReport", get_fallback_report);
  add("getAssembledDocument", get_assembled_document);
  add("getDetails", get_details);
}

}  // namespace planexe::server
