#include <fmt/core.h>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/run_session.hpp"

namespace planexe::cli {
namespace {

constexpr std::uint64_t kPromptFileBytesMax = 4 * limits::kMiB;
constexpr std::uint64_t kIntakeBytesMax = 256 * limits::kKiB;

Result<std::string> prompt_of(const PlanOptions& plan) {
  if (!plan.file.empty() && !plan.prompt.empty())
    return fail(ErrorCode::InvalidArgument, "Give the prompt as an argument or with --file, not both.");
  if (!plan.file.empty()) return read_text(plan.file, kPromptFileBytesMax);
  return plan.prompt;
}

Result<engine::CreateRequest> request_of(const App& app, const PlanOptions& plan) {
  engine::CreateRequest request;
  PLANEXE_TRY_ASSIGN(request.prompt, prompt_of(plan));
  request.title = plan.title;
  request.model = plan.model;
  PLANEXE_TRY_ASSIGN(const bool fast, app.settings.get_bool("FAST_BUT_SKIP_DETAILS", false));
  request.speed = !plan.speed.empty() ? plan.speed : fast ? "fast" : "all";
  request.effort = !plan.effort.empty() ? plan.effort : app.settings.get_or("REASONING_EFFORT_DEFAULT", "medium");
  request.redline_mode = !plan.redline.empty() ? plan.redline : app.settings.get_or("PLANEXE_REDLINE_MODE", "block");
  if (plan.max_cost_usd) request.max_cost_micros = static_cast<std::int64_t>(*plan.max_cost_usd * 1e6);
  if (!plan.intake.empty()) {
    PLANEXE_TRY_ASSIGN(const auto text, read_text(plan.intake, kIntakeBytesMax));
    auto intake = parse_json(text);
    if (!intake) return fail(ErrorCode::InvalidArgument, "The intake file " + plan.intake + ": " + intake.error().message);
    if (!intake->is_object()) return fail(ErrorCode::ValidationFailed, "The intake file " + plan.intake + " must hold a JSON object.");
    request.intake = std::move(*intake);
  }
  return request;
}

}  // namespace

Exit run_plan(const App& app, const Command& command) {
  auto request = request_of(app, command.plan);
  if (!request) return report(request.error());
  // Bad input is told before anything is opened or started.
  if (auto checked = engine::check_request(*request); !checked) return report(checked.error());
  auto session = RunSession::open(app, command.plan);
  if (!session) return report(session.error());
  request->rehearsal = (*session)->rehearsal();
  if (request->rehearsal) request->model.clear();
  auto plan = (*session)->engine().create(std::move(*request), command.plan.plan_id);
  if (!plan) return report(plan.error());
  if (!app.common.json && !app.common.quiet) fmt::print(stderr, "Plan {}\n", plan->plan_id);
  return (*session)->run_to_end(plan->plan_id, command.plan);
}

namespace {

/// The settings of the command line for a plan that goes on. A plan whose texts come from a real model is not finished by the rehearsal model unawares.
Result<engine::ResumeOptions> options_for(RunSession& session, const std::string& plan_id, const PlanOptions& plan) {
  engine::ResumeOptions options;
  if (!plan.model.empty()) options.model = plan.model;
  if (!plan.effort.empty()) options.effort = plan.effort;
  if (plan.max_cost_usd) options.max_cost_micros = static_cast<std::int64_t>(*plan.max_cost_usd * 1e6);
  PLANEXE_TRY_ASSIGN(const auto row, session.store().plan(plan_id));
  if (session.rehearsal() && row && !row->rehearsal) {
    if (!plan.rehearsal && plan.answers.empty())
      return fail(ErrorCode::ProviderNotConfigured, "This plan is no rehearsal and no model provider is configured. Set a key, for example OPENAI_API_KEY in .env; "
                                                    "or let the rehearsal model fill the rest with --rehearsal, which marks the plan as a rehearsal.");
    options.rehearsal = true;
  }
  return options;
}

}  // namespace

Exit run_resume(const App& app, const Command& command) {
  auto session = RunSession::open(app, command.plan);
  if (!session) return report(session.error());
  auto id = find_plan_id((*session)->store(), command.id);
  if (!id) return report(id.error());
  auto options = options_for(**session, *id, command.plan);
  if (!options) return report(options.error());
  auto plan = (*session)->engine().resume(*id, *options);
  if (!plan) return report(plan.error());
  if (!app.common.json && !app.common.quiet) fmt::print(stderr, "Going on with plan {}\n", *id);
  return (*session)->run_to_end(*id, command.plan);
}

Exit run_retry(const App& app, const Command& command) {
  const auto items = engine::retry_items_from(command.retry.items);
  if (!items) return report(Error(ErrorCode::InvalidArgument, "--items is missing, skipped or all."));
  auto session = RunSession::open(app, command.plan);
  if (!session) return report(session.error());
  auto id = find_plan_id((*session)->store(), command.id);
  if (!id) return report(id.error());
  auto options = options_for(**session, *id, command.plan);
  if (!options) return report(options.error());
  Result<std::vector<std::string>> reset;
  (*session)->engine().retry(*id, command.retry.task, {*items, *options}, [&](auto result) { reset = std::move(result); });
  if (!reset) return report(reset.error());
  if (!app.common.json && !app.common.quiet) {
    fmt::print(stderr, "{} is made again; {} tasks depend on it and are checked:", command.retry.task, reset->size() - 1);
    for (const auto& key : *reset) fmt::print(stderr, " {}", key);
    fmt::print(stderr, "\n");
  }
  if (command.retry.no_run) return Exit::ok;
  return (*session)->run_to_end(*id, command.plan);
}

}  // namespace planexe::cli
