#include "cli/app.hpp"

#include <cstdlib>

#include "base/embedded.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace planexe::cli {
namespace {

constexpr std::string_view kDefaultDb = "sqlite:///planexe.db";

Settings::Values overrides_of(const CommonOptions& common) {
  Settings::Values values;
  if (!common.db.empty()) values["DATABASE_URL"] = common.db;
  if (!common.data_dir.empty()) values["PLANEXE_DATA_DIR"] = common.data_dir;
  if (!common.recipe_dir.empty()) values["PLANEXE_RECIPE_DIR"] = common.recipe_dir;
  if (!common.bind.empty()) values["PLANEXE_BIND"] = common.bind;
  return values;
}

Result<void> set_up_logging(const Settings& settings) {
  LogOptions options;
  PLANEXE_TRY_ASSIGN(options.level, log_level_from(settings.get_or("PLANEXE_LOG_LEVEL", "warn")));
  PLANEXE_TRY_ASSIGN(const bool cloud, settings.get_bool("PLANEXE_CLOUD_MODE", false));
  if (cloud) options.format = LogOptions::Format::json;
  configure_logging(options);
  for (const auto& secret : settings.secret_values()) register_secret(secret);
  for (const auto& name : settings.ignored_names()) log_warn("a setting of the reference has no use here", {{"name", name}});
  return {};
}

}  // namespace

Result<App> App::load(const CommonOptions& common) {
  App app;
  app.common = common;
  auto environment = process_environment();
  const auto config_path = environment.contains("PLANEXE_CONFIG_PATH") ? environment["PLANEXE_CONFIG_PATH"] : std::string();
  const auto env_file = std::filesystem::path(config_path.empty() ? "." : config_path) / ".env";
  PLANEXE_TRY_ASSIGN(app.settings, Settings::load(overrides_of(common), std::move(environment), env_file));
  PLANEXE_TRY(set_up_logging(app.settings));
  app.data_dir = app.settings.get_or("PLANEXE_DATA_DIR", ".");
  app.run_dir = app.settings.get("PLANEXE_RUN_DIR") ? std::filesystem::path(*app.settings.get("PLANEXE_RUN_DIR")) : app.data_dir / "run";
  app.db_url = app.settings.get_or("DATABASE_URL", kDefaultDb);
  PLANEXE_TRY_ASSIGN(app.clock, make_clock(app.settings.get_or("PLANEXE_TEST_NOW", "")));
  app.random = std::make_unique<SystemRandom>();
  return app;
}

Result<std::unique_ptr<store::Store>> App::open_store(bool migrate) const {
  store::OpenOptions options;
  options.url = db_url;
  options.data_dir = data_dir.string();
  options.migrate = migrate;
  return store::open_store(options);
}

Result<std::vector<recipe::RecipeFile>> App::recipe_files() const {
  std::vector<recipe::RecipeFile> files;
  for (const auto& file : embedded::files("recipe")) files.push_back({std::string(file.path), std::string(file.bytes)});
  if (const auto folder = settings.get("PLANEXE_RECIPE_DIR")) {
    PLANEXE_TRY_ASSIGN(auto overlay, recipe::read_recipe_folder(*folder));
    files = recipe::overlay_files(std::move(files), std::move(overlay));
  }
  return files;
}

Result<App::LoadedRecipe> App::load_recipe() const {
  LoadedRecipe loaded;
  PLANEXE_TRY_ASSIGN(loaded.files, recipe_files());
  PLANEXE_TRY_ASSIGN(auto recipe, recipe::load_recipe(loaded.files));
  loaded.recipe = std::make_shared<const recipe::Recipe>(std::move(recipe));
  return loaded;
}

Result<llm::Catalogue> App::load_catalogue() const {
  PLANEXE_TRY_ASSIGN(auto catalogue, llm::load_catalogue(data_dir.string(), settings.get_or("PLANEXE_CONFIG_PATH", ""),
                                                         settings.get_or("PLANEXE_LLM_CONFIG_JSON", "")));
  for (const auto& warning : catalogue.warnings) log_info(warning);
  return catalogue;
}

Result<llm::ClientOptions> App::client_options(llm::Catalogue catalogue) const {
  llm::ClientOptions options;
  options.catalogue = std::move(catalogue);
  PLANEXE_TRY_ASSIGN(options.prices, llm::load_prices(data_dir.string(), settings.get_or("PLANEXE_CONFIG_PATH", "")));
  PLANEXE_TRY_ASSIGN(options.store_responses, settings.get_bool("PLANEXE_LLM_STORE", true));
  PLANEXE_TRY_ASSIGN(options.log_payloads, settings.get_bool("PLANEXE_LLM_LOG_PAYLOADS", false));
  options.payload_log_path = (data_dir / "llm_payloads.jsonl").string();
  PLANEXE_TRY_ASSIGN(const auto concurrent, settings.get_int("PLANEXE_MAX_CONCURRENT_LLM", 64, 1, 4096));
  options.max_concurrent = static_cast<int>(concurrent);
  options.ca_file = settings.get_or("PLANEXE_LLM_CA_FILE", "");
  options.secret = [settings = settings](const std::string& name) { return settings.get_or(name, ""); };
  return options;
}

std::string App::why_unavailable(const llm::ModelEntry& model) const {
  if (!model.is_text()) return "not a text model";
  if (model.requires_api_key && settings.get_or(model.api_key_env, "").empty()) return model.api_key_env + " is not set";
  const auto value = [this](const std::string& name) { return settings.get_or(name, ""); };
  if (!llm::expand_variables(model.base_url, value)) return model.base_url + " is not set";
  return {};
}

Result<std::string> find_plan_id(store::Store& store, const std::string& given) {
  // Every id begins with nothing.
  if (given.empty()) return fail(ErrorCode::PlanNotFound, "The plan id is empty; see: planexe list");
  for (const auto& candidate : {given, "PlanExe_" + given}) {
    PLANEXE_TRY_ASSIGN(auto row, store.plan(candidate));
    if (row) return candidate;
  }
  std::vector<std::string> matches;
  store::PlanQuery query;
  query.limit = 200;
  do {
    PLANEXE_TRY_ASSIGN(auto page, store.plans(query));
    for (const auto& plan : page.plans)
      if (plan.plan_id.starts_with(given) || plan.plan_id.starts_with("PlanExe_" + given)) matches.push_back(plan.plan_id);
    query.cursor = page.next_cursor;
  } while (!query.cursor.empty() && matches.size() < 2);
  if (matches.size() == 1) return matches.front();
  const auto shown = strip_control(given);
  if (matches.empty()) return fail(ErrorCode::PlanNotFound, "No plan has the id \"" + shown + "\"; see: planexe list");
  return fail(ErrorCode::PlanNotFound, "More than one plan id begins with \"" + shown + "\"; give more of it.");
}

}  // namespace planexe::cli
