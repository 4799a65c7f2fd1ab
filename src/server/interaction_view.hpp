#pragma once

#include <string>

#include "base/json.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// Interaction of the contract: one attempt in a list. `recipe` knows the names that older records use for tasks. Pure.
json::object interaction_entry(const store::InteractionPreview& call, const recipe::Recipe& recipe);

/// InteractionDetail of the contract: the entry of `row` with its texts. `preview` and `prompt` are the beginning of
/// the prompt's last block and the whole prompt. Pure.
json::object interaction_detail(const store::InteractionRow& row, const std::string& preview, const std::string& prompt,
                                const recipe::Recipe& recipe);

}  // namespace planexe::server
