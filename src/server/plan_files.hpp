#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// The files of one plan, wherever they are: in the database, in its log events, or only in its run directory. The
/// earlier of these wins. For the pool: it reads database and disk.
class PlanFiles {
 public:
  /// `folder`: the plan's run directory, which need not exist; empty for none.
  PlanFiles(store::Store& store, std::string plan_id, std::filesystem::path folder)
      : store_(store), plan_id_(std::move(plan_id)), folder_(std::move(folder)) {}

  /// Everything that can be downloaded, as listed_files gives it.
  Result<std::vector<store::ContentRow>> list(const recipe::Recipe& recipe) const;

  /// The file with its bytes; nothing when there is none of that name and version (0 = current).
  Result<std::optional<store::ContentRow>> load(const std::string& filename, int version = 0) const;

 private:
  void add_folder(std::vector<store::ContentRow>& rows) const;
  [[nodiscard]] std::optional<store::ContentRow> load_from_folder(const std::string& filename) const;

  store::Store& store_;
  std::string plan_id_;
  std::filesystem::path folder_;
};

}  // namespace planexe::server
