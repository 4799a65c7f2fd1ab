#include "cli/workplace.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"
#include "store/url.hpp"

namespace planexe::cli {

Result<std::unique_ptr<Workplace>> Workplace::open(const App& app, const Needs& needs) {
  std::unique_ptr<Workplace> place(new Workplace(app));
  PLANEXE_TRY_ASSIGN(place->loaded_, app.load_recipe());
  PLANEXE_TRY_ASSIGN(place->catalogue_, app.load_catalogue());
  if (!needs.plan.model.empty() && !needs.plan.rehearsal) PLANEXE_TRY(place->check_model(needs.plan.model));
  PLANEXE_TRY(place->open_store());
  PLANEXE_TRY(place->open_model(needs));
  PLANEXE_TRY(place->open_engine(needs));
  return place;
}

Workplace::~Workplace() = default;

Result<void> Workplace::open_store() {
  PLANEXE_TRY(ensure_dir(app_.data_dir));
  PLANEXE_TRY_ASSIGN(store_, app_.open_store());
  PLANEXE_TRY(ensure_dir(app_.run_dir));
  // Without the lock another process runs plans here; leases then decide who runs which.
  PLANEXE_TRY_ASSIGN(const auto url, store::parse_database_url(app_.db_url, app_.data_dir));
  if (auto lock = url.file.empty() ? Result<std::unique_ptr<store::DataDirLock>>(nullptr) : store::DataDirLock::acquire(url.file))
    lock_ = std::move(*lock);
  return {};
}

Result<void> Workplace::open_model(const Needs& needs) {
  const auto& plan = needs.plan;
  const bool asked_for = plan.rehearsal || !plan.answers.empty() || app_.settings.get("PLANEXE_REHEARSAL_URL").has_value();
  const bool available = std::ranges::any_of(catalogue_.models, [&](const auto& model) { return app_.why_unavailable(model).empty(); });
  PLANEXE_TRY_ASSIGN(const bool cloud, app_.settings.get_bool("PLANEXE_CLOUD_MODE", false));
  const bool rehearse = asked_for || (!available && needs.may_rehearse && !cloud);
  if (!rehearse && !available && needs.provider_required)
    return fail(ErrorCode::ProviderNotConfigured, "No model provider is configured and PLANEXE_CLOUD_MODE is on; set a key, for example OPENAI_API_KEY.");
  if (rehearse) {
    PLANEXE_TRY_ASSIGN(auto process, RehearsalProcess::start(app_.settings, {plan.answers, app_.settings.get_or("PLANEXE_RECIPE_DIR", "")}));
    rehearsal_ = std::move(process);
    catalogue_ = llm::rehearsal_catalogue(rehearsal_->base_url() + "/v1");
    if (!app_.common.json)
      fmt::print(stderr,
                 "REHEARSAL: {}. The rehearsal model answers: this is not a real plan, its texts are prepared examples.\n"
                 "           For real plans set a key (docs/providers), for example OPENAI_API_KEY in .env.\n",
                 asked_for ? "asked for" : "no model provider is configured");
  }
  PLANEXE_TRY_ASSIGN(auto options, app_.client_options(catalogue_));
  prices_ = options.prices;
  options.observer = needs.observer;
  PLANEXE_TRY_ASSIGN(client_, llm::make_model_client(loop_.get_executor(), std::move(options), *app_.clock, *app_.random));
  return {};
}

Result<void> Workplace::open_engine(const Needs& needs) {
  engine::EngineOptions options;
  options.owner = fmt::format("{}-{}-{}", needs.owner, getpid(), uuid4(*app_.random).substr(0, 8));
  options.run_dir = app_.run_dir;
  options.exclusive = exclusive();
  PLANEXE_TRY_ASSIGN(const auto minutes, app_.settings.get_int("PLANEXE_RUN_TIMEOUT_MINUTES", 240, 1, 100000));
  options.run_timeout = std::chrono::minutes(minutes);
  engine_ = std::make_unique<engine::Engine>(loop_, *store_, *client_, *app_.clock, *app_.random, loaded_.files, loaded_.recipe, std::move(options));
  return {};
}

Result<void> Workplace::check_model(const std::string& id) const {
  if (id.empty() || id == "auto") return {};
  const auto* model = catalogue_.find(id);
  if (!model) return fail(ErrorCode::ModelUnavailable, "The catalogue has no model \"" + strip_control(id) + "\"; see: planexe models");
  if (auto why = app_.why_unavailable(*model); !why.empty())
    return fail(ErrorCode::ModelUnavailable, "Model \"" + id + "\" cannot be asked: " + why);
  return {};
}

}  // namespace planexe::cli
