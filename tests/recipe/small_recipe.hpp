#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "recipe/recipe.hpp"

namespace planexe::recipe::testing {

/// The files of tests/recipe/fixtures/small.
std::vector<RecipeFile> small_files();

/// The same with one file replaced or added.
std::vector<RecipeFile> small_files_with(std::string_view path, std::string_view bytes);

/// The same with one text in one file replaced; the text must occur.
std::vector<RecipeFile> small_files_edited(std::string_view path, std::string_view from, std::string_view to);

/// Loaded; aborts when it does not load.
Recipe small_recipe();

/// What inspect_recipe says, one line per problem: "place: message".
std::string problems_of(std::vector<RecipeFile> files);

/// A JSON text that is known to be good.
json::value operator""_json(const char* text, std::size_t size);

/// A scope over the members of an object.
class Values {
 public:
  explicit Values(json::value roots);
  const Scope& scope() const { return scope_; }

 private:
  json::value roots_;
  Scope scope_;
};

}  // namespace planexe::recipe::testing
