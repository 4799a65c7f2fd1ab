#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/settings.hpp"
#include "base/time.hpp"
#include "cli/options.hpp"
#include "llm/client.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::cli {

/// The settings of one invocation, resolved.
struct App {
  Settings settings;
  CommonOptions common;
  std::filesystem::path data_dir;
  std::filesystem::path run_dir;
  std::string db_url;
  std::unique_ptr<Clock> clock;
  std::unique_ptr<Random> random;

  /// Reads command line, environment and `.env` (in PLANEXE_CONFIG_PATH, else the working directory); sets up logging.
  static Result<App> load(const CommonOptions& common);

  Result<std::unique_ptr<store::Store>> open_store(bool migrate = true) const;

  struct LoadedRecipe {
    std::vector<recipe::RecipeFile> files;
    std::shared_ptr<const recipe::Recipe> recipe;
  };
  /// Files of the embedded recipe with those of PLANEXE_RECIPE_DIR or --recipe laid over them.
  Result<std::vector<recipe::RecipeFile>> recipe_files() const;
  /// The embedded recipe with PLANEXE_RECIPE_DIR or --recipe laid over it.
  Result<LoadedRecipe> load_recipe() const;

  Result<llm::Catalogue> load_catalogue() const;
  /// Client options for a catalogue, with keys taken from the settings.
  Result<llm::ClientOptions> client_options(llm::Catalogue catalogue) const;
  /// "" when the model can be asked, else why not ("OPENAI_API_KEY is not set").
  std::string why_unavailable(const llm::ModelEntry& model) const;
};

/// Full id of a plan given by its id or an unambiguous beginning of it (with or without "PlanExe_").
Result<std::string> find_plan_id(store::Store& store, const std::string& given);

}  // namespace planexe::cli
