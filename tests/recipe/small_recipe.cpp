#include "small_recipe.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "recipe/lint.hpp"

namespace planexe::recipe::testing {

std::vector<RecipeFile> small_files() {
  auto files = read_recipe_folder(std::string(PLANEXE_SOURCE_DIR) + "/tests/recipe/fixtures/small");
  PLANEXE_ASSERT(files.has_value());
  return *std::move(files);
}

std::vector<RecipeFile> small_files_with(std::string_view path, std::string_view bytes) {
  std::vector<RecipeFile> files = small_files();
  for (RecipeFile& file : files) {
    if (file.path != path) continue;
    file.bytes = bytes;
    return files;
  }
  files.push_back({std::string(path), std::string(bytes)});
  return files;
}

std::vector<RecipeFile> small_files_edited(std::string_view path, std::string_view from, std::string_view to) {
  std::vector<RecipeFile> files = small_files();
  const auto file = std::ranges::find(files, path, &RecipeFile::path);
  PLANEXE_ASSERT(file != files.end());
  PLANEXE_ASSERT(file->bytes.find(from) != std::string::npos);
  file->bytes = replace_all(file->bytes, from, to);
  return files;
}

Recipe small_recipe() {
  auto loaded = load_recipe(small_files());
  PLANEXE_ASSERT(loaded.has_value());
  return *std::move(loaded);
}

std::string problems_of(std::vector<RecipeFile> files) {
  std::string out;
  for (const LintMessage& problem : inspect_recipe(std::move(files)).problems)
    out += fmt::format("{}: {}\n", problem.place, problem.message);
  return out;
}

json::value operator""_json(const char* text, std::size_t size) {
  auto value = parse_json(std::string_view(text, size));
  PLANEXE_ASSERT(value.has_value());
  return *std::move(value);
}

Values::Values(json::value roots) : roots_(std::move(roots)) {
  for (const auto& root : roots_.as_object()) scope_.set(std::string(root.key()), &root.value());
}

}  // namespace planexe::recipe::testing
