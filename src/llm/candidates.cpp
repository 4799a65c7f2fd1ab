#include "llm/candidates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace planexe::llm {

Candidates::Candidates(const Catalogue& catalogue, const std::string& wanted, Facts facts)
    : catalogue_(catalogue), wanted_(wanted), facts_(std::move(facts)) {}

std::vector<const ModelEntry*> Candidates::ordered(MoveReason reason, const ModelEntry* current) const {
  std::vector<const ModelEntry*> list;
  const auto add = [&](const ModelEntry* model) {
    if (model != nullptr && std::find(list.begin(), list.end(), model) == list.end()) list.push_back(model);
  };
  const ModelEntry* chosen = wanted_.empty() ? nullptr : catalogue_.find(wanted_);
  if (!wanted_.empty()) {
    add(chosen);
    if (chosen == nullptr || chosen->strict_model) return list;
  }
  const ModelEntry* from = current != nullptr ? current : chosen;
  const std::vector<std::string>* named = nullptr;
  if (from != nullptr) {
    named = &from->fallback;
    if (reason == MoveReason::context && !from->fallback_context.empty()) named = &from->fallback_context;
    if (reason == MoveReason::policy && !from->fallback_policy.empty()) named = &from->fallback_policy;
  }
  if (named != nullptr && !named->empty()) {
    for (const std::string& id : *named) add(catalogue_.find(id));
    return list;
  }
  for (const ModelEntry& model : catalogue_.models) add(&model);
  return list;
}

const ModelEntry* Candidates::peek(MoveReason reason, const ModelEntry* current) const {
  const ModelEntry* waiting = nullptr;
  for (const ModelEntry* model : ordered(reason, current)) {
    const bool usable = model->is_text() && !used_.contains(model->id) && facts_.configured(*model) && facts_.fits(*model);
    if (!usable) continue;
    const bool larger = reason != MoveReason::context || current == nullptr ||
                        model->context_window > current->context_window;
    if (!larger) continue;
    if (facts_.available(*model)) return model;
    if (waiting == nullptr) waiting = model;
  }
  return reason == MoveReason::first ? waiting : nullptr;
}

const ModelEntry* Candidates::pick(MoveReason reason, const ModelEntry* current) {
  const ModelEntry* model = peek(reason, current);
  if (model != nullptr) used_.insert(model->id);
  return model;
}

Error Candidates::why_none() const {
  if (!wanted_.empty() && catalogue_.find(wanted_) == nullptr) {
    return Error(ErrorCode::ModelUnavailable, fmt::format("model \"{}\" is not in the catalogue", wanted_));
  }
  std::string missing;
  bool configured = false;
  for (const ModelEntry* model : ordered(MoveReason::first, nullptr)) {
    if (!model->is_text()) continue;
    if (facts_.configured(*model)) {
      configured = true;
      continue;
    }
    for (const std::string& name : needed_variables(*model)) {
      if (!missing.contains(name)) missing += (missing.empty() ? "" : " or ") + name;
    }
  }
  if (configured) {
    return Error(ErrorCode::ContextTooLong, "the request does not fit the context window of any configured model; "
                                            "shorten the input or configure a model with a larger window");
  }
  return Error(ErrorCode::ProviderAuth, missing.empty() ? "no text model is in the catalogue"
                                                        : fmt::format("no model is configured; set {}", missing));
}

}  // namespace planexe::llm
