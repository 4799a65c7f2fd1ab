#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "llm/catalogue.hpp"

namespace planexe::llm {

/// Why another model is looked for.
enum class MoveReason { first, failure, context, policy };

/// The models that may serve one call, in order (llm.md 3.8).
class Candidates {
 public:
  /// What the call needs to know of a model now; answers may change from question to question.
  struct Facts {
    std::function<bool(const ModelEntry&)> configured;  ///< key and address are set
    std::function<bool(const ModelEntry&)> fits;        ///< input and output budget fit the window
    std::function<bool(const ModelEntry&)> available;   ///< its breaker is not open
  };

  /// `wanted`: catalogue id of the chosen model, "" = automatic order.
  Candidates(const Catalogue& catalogue, const std::string& wanted, Facts facts);

  /// The next model, marked as used; null when there is none. `MoveReason::first` accepts a model whose breaker is open
  /// when no other one is left, so that the call waits for it.
  const ModelEntry* pick(MoveReason reason, const ModelEntry* current);

  /// As pick, but only looks.
  [[nodiscard]] const ModelEntry* peek(MoveReason reason, const ModelEntry* current) const;

  /// Marks a model as used that was not picked here (of a recovered attempt).
  void mark_used(const ModelEntry& model) { used_.insert(model.id); }

  /// Why the first pick found nothing: no such model, nothing configured, or nothing that the input fits.
  [[nodiscard]] Error why_none() const;

 private:
  [[nodiscard]] std::vector<const ModelEntry*> ordered(MoveReason reason, const ModelEntry* current) const;

  const Catalogue& catalogue_;
  std::string wanted_;
  Facts facts_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace planexe::llm
