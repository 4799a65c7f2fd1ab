#include "server/plan_recipes.hpp"

#include "base/log.hpp"

namespace planexe::server {
namespace {

/// Plans of a server were made with few recipes: the present one and those of earlier versions.
constexpr std::size_t kRecipesKept = 4;

}  // namespace

std::shared_ptr<const recipe::Recipe> PlanRecipes::of(const store::PlanRow& plan) {
  if (plan.recipe_hash.empty() || plan.recipe_hash == services_.recipe->hash) return services_.recipe;
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = kept_.find(plan.recipe_hash); it != kept_.end()) return it->second;
  }
  // Outside the lock: two requests may load the same recipe, but none waits for the loading of another one.
  auto loaded = load(plan.recipe_hash);
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kRecipesKept) kept_.erase(kept_.begin());
  return kept_.insert_or_assign(plan.recipe_hash, std::move(loaded)).first->second;
}

std::shared_ptr<const recipe::Recipe> PlanRecipes::load(const std::string& hash) const {
  const auto read = [&]() -> Result<recipe::Recipe> {
    PLANEXE_TRY_ASSIGN(const auto packed, services_.store->recipe(hash));
    if (!packed) return fail(ErrorCode::RecipeInvalid, "The recipe of a plan is not in the database.");
    PLANEXE_TRY_ASSIGN(auto files, recipe::unpack_recipe(*packed));
    return recipe::load_recipe(std::move(files));
  };
  auto recipe = read();
  if (recipe) return std::make_shared<const recipe::Recipe>(*std::move(recipe));
  log_warn("a plan is shown with the names of another recipe", {{"error", recipe.error().message}});
  return services_.recipe;
}

}  // namespace planexe::server
