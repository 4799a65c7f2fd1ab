#include "server/model_choice.hpp"

#include "base/text.hpp"

namespace planexe::server {

bool any_model(const Services& services) {
  return std::ranges::any_of(services.catalogue->models,
                             [&](const llm::ModelEntry& model) { return model.is_text() && services.why_unavailable(model).empty(); });
}

Result<void> check_model_choice(const Services& services, const std::string& model) {
  if (!any_model(services))
    return fail(ErrorCode::ProviderNotConfigured, "No model provider is configured; set a key, for example OPENAI_API_KEY.");
  if (model.empty() || model == "auto") return {};
  const auto* entry = services.catalogue->find(model);
  if (entry == nullptr || !entry->is_text())
    return fail(ErrorCode::ModelUnavailable, "The catalogue has no text model with this id; GET /api/models lists them.");
  if (const auto why = services.why_unavailable(*entry); !why.empty())
    return fail(ErrorCode::ModelUnavailable, "This model cannot be asked: " + strip_control(why));
  return {};
}

}  // namespace planexe::server
