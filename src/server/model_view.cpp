#include "server/model_view.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace planexe::server {
namespace {

/// What a request may name; values that only a provider knows are not listed.
constexpr std::array<std::string_view, 4> kEfforts{"minimal", "low", "medium", "high"};

json::value dollars(const std::optional<llm::Price>& price) {
  if (!price) return nullptr;
  const auto dollars_of = [](std::int64_t micros) { return static_cast<double>(micros) / 1e6; };
  return json::object{{"input", dollars_of(price->input)},
                      {"cached_input", dollars_of(price->cached_input)},
                      {"output", dollars_of(price->output)}};
}

/// Tokens mean something for text only, and no figure is better than one that is none.
json::value tokens(const llm::ModelEntry& model, int count) {
  return model.is_text() && count > 0 ? json::value(count) : json::value(nullptr);
}

}  // namespace

json::object model_view(const llm::ModelEntry& model, const std::optional<llm::Price>& price,
                        std::string_view why_unavailable) {
  json::array capabilities;
  for (const auto& capability : model.capabilities_list) capabilities.emplace_back(to_valid_utf8(capability));
  json::array efforts;
  for (const auto effort : kEfforts)
    if (std::ranges::find(model.caps.effort_values, effort) != model.caps.effort_values.end())
      efforts.emplace_back(effort);
  return {{"id", to_valid_utf8(model.id)},
          {"label", to_valid_utf8(model.label.empty() ? model.id : model.label)},
          {"comment", to_valid_utf8(model.comment)},
          {"priority", model.priority},
          {"requires_api_key", model.requires_api_key},
          {"provider", to_valid_utf8(model.provider)},
          {"capabilities", std::move(capabilities)},
          {"context_window", tokens(model, model.context_window)},
          {"max_output_tokens", tokens(model, model.max_output_tokens)},
          {"reasoning_efforts", std::move(efforts)},
          {"price", dollars(price)},
          {"available", why_unavailable.empty()},
          {"unavailable_reason",
           why_unavailable.empty() ? json::value(nullptr) : json::value(to_valid_utf8(why_unavailable))}};
}

bool has_capability(const llm::ModelEntry& model, std::string_view capability) {
  if (capability == "all") return true;
  if (capability == "image")
    return std::ranges::any_of(model.capabilities_list, [](const auto& name) { return name.starts_with("image"); });
  return model.is_text();
}

}  // namespace planexe::server
