#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "llm/types.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// The contract's TokenUsage.
json::object usage_json(const llm::Usage& usage);
void add_usage(llm::Usage& sum, const llm::Usage& usage);

/// Whose ledger rows they are.
struct LedgerOwner {
  std::string kind;         ///< conversation or analysis
  std::string id;
  std::string stage;
  json::object metadata;    ///< stored with every row, never sent
};

/// The ledger rows of one model call that belongs to no plan: one per attempt, written before it is sent and closed at
/// its end. Pure: gives the writes.
class CallLedger {
 public:
  using Writes = std::vector<store::Write>;

  /// `first_id`: of limits::kAttemptsPerCall reserved interaction ids.
  CallLedger(LedgerOwner owner, const llm::CallSpec& spec, std::int64_t first_id);

  /// The row of an attempt that is about to be sent, with its prompt. Nothing when the ids are used up.
  std::optional<Writes> attempt_ready(const llm::AttemptStart& start, TimePoint now);
  Writes response_id(int attempt, const std::string& id);
  /// Closes the row of an attempt that is followed by another one; the last one waits for call_ended.
  Writes attempt_ended(const llm::AttemptRecord& record, TimePoint now);
  Writes call_ended(const llm::CallOutcome& outcome, TimePoint now);

  /// Of all attempts together: that is what the call has cost.
  [[nodiscard]] const llm::Usage& usage() const { return usage_; }
  /// Of the latest attempt; before the first one its id.
  [[nodiscard]] std::int64_t interaction() const { return row_ ? row_->id : first_id_; }
  [[nodiscard]] const std::string& reasoning() const { return reasoning_; }
  /// The last attempt ended after a minute or more without an answer: nobody refused it, nothing came.
  [[nodiscard]] bool timed_out() const { return timed_out_; }

 private:
  LedgerOwner owner_;
  std::string call_key_, parent_call_key_, model_;
  std::vector<std::string> texts_;
  std::int64_t first_id_;
  int used_ = 0;
  std::optional<store::InteractionRow> row_;
  bool open_ = false;
  llm::Usage usage_;
  std::string reasoning_;
  bool timed_out_ = false;
};

}  // namespace planexe::server
