#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "recipe/recipe.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// The recipes that plans were made with, for titles, outputs and order. Any thread.
class PlanRecipes {
 public:
  explicit PlanRecipes(const Services& services) : services_(services) {}

  /// Never null: a plan whose own recipe is not stored, or cannot be read by this program, is shown with the names of
  /// the program's recipe.
  std::shared_ptr<const recipe::Recipe> of(const store::PlanRow& plan);

 private:
  [[nodiscard]] std::shared_ptr<const recipe::Recipe> load(const std::string& hash) const;

  const Services& services_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const recipe::Recipe>> kept_;
};

}  // namespace planexe::server
