#pragma once

#include <cstddef>

#include "store/sql.hpp"
#include "store/store.hpp"

/// Writes as SQL. Written once for all databases: the caller has begun a database transaction on `db`, holds the plan
/// rows that it changes against other writers, and rolls back on an error.
namespace planexe::store {

/// Whether the texts of PutBlocks are in the database before the transaction is applied.
enum class Blocks { absent, stored };

/// Checks plan and fencing number, then applies the writes in order. Errors: FENCED; CONFLICT, PLAN_NOT_FOUND,
/// PLAN_NOT_CANCELLABLE, INTERACTION_NOT_FOUND, CONVERSATION_NOT_FOUND (a condition did not hold); INVALID_ARGUMENT (a
/// write that makes no sense); those of the database.
Result<void> apply(sql::Connection& db, const Transaction& transaction, TimePoint now, Blocks blocks = Blocks::absent);

/// What an error of apply() means for the caller of Store::submit.
CommitStatus status_of(const Error& error);

/// About how many bytes a transaction writes; for the limits of groups and of the queue.
std::size_t weight(const Transaction& transaction);

/// What writes look at before they change a plan.
struct StoredPlan {
  std::int64_t fencing = 0;
  std::string status, title;
  std::optional<TimePoint> cancel_requested_at;
  int run_attempt = 0;
};
/// The plan's row for changing, or nothing when the plan does not exist.
Result<std::optional<StoredPlan>> lock_plan(sql::Connection& db, const std::string& plan_id);

/// Store::acquire_lease inside a transaction.
Result<std::optional<Lease>> acquire_lease(sql::Connection& db, const std::string& plan_id, const std::string& owner,
                                           std::chrono::milliseconds ttl, bool force);

/// Store::reserve_interaction_ids inside a transaction.
Result<std::int64_t> reserve_interaction_ids(sql::Connection& db, int count);

namespace writes {

/// What every write sees.
struct Context {
  sql::Connection& db;
  const std::string& plan_id;           ///< "" = the transaction belongs to no plan
  std::optional<std::int64_t> fencing;  ///< checked already
  TimePoint now;                        ///< the database's clock
  std::optional<StoredPlan> plan;       ///< as it was before the transaction
  Blocks blocks = Blocks::absent;

  /// The number that is noted in written rows; 0 = written without a lease.
  [[nodiscard]] std::int64_t fence() const { return fencing.value_or(0); }
};

Result<void> apply(const Context& context, const ExpectPlan& write);
Result<void> apply(const Context& context, const CreatePlan& write);
Result<void> apply(const Context& context, const PutPlan& write);
Result<void> apply(const Context& context, const PutTask& write);
Result<void> apply(const Context& context, const PutTaskAttempt& write);
Result<void> apply(const Context& context, const PutItem& write);
Result<void> apply(const Context& context, const DeleteItems& write);
Result<void> apply(const Context& context, const PutContent& write);
Result<void> apply(const Context& context, const MarkStale& write);
Result<void> apply(const Context& context, const PutFileRow& write);
Result<void> apply(const Context& context, const PutBlocks& write);
Result<void> apply(const Context& context, const PutInteraction& write);
Result<void> apply(const Context& context, const UpdateInteraction& write);
Result<void> apply(const Context& context, const SetResponseId& write);
Result<void> apply(const Context& context, const AbandonCalls& write);
Result<void> apply(const Context& context, const AppendEvents& write);
Result<void> apply(const Context& context, const ReserveSeq& write);
Result<void> apply(const Context& context, const PutMetrics& write);
Result<void> apply(const Context& context, const PutRecipe& write);
Result<void> apply(const Context& context, const ReleaseLease& write);
Result<void> apply(const Context& context, const RequestCancel& write);
Result<void> apply(const Context& context, const DeletePlan& write);
Result<void> apply(const Context& context, const PutIdempotencyKey& write);
Result<void> apply(const Context& context, const PutConversation& write);
Result<void> apply(const Context& context, const SetConversation& write);
Result<void> apply(const Context& context, const PutTurn& write);
Result<void> apply(const Context& context, const DeleteConversation& write);

/// A text that can be stored. Errors: LIMIT_EXCEEDED, INVALID_ARGUMENT.
Result<void> check_block(const TextBlock& block);
/// Inserts it if absent.
Result<void> insert_block(sql::Connection& db, const TextBlock& block);

/// Removes those of these text blocks that nobody uses any more: a text is shared by all prompts that contain it.
Result<void> drop_unused_blocks(const Context& context, const std::vector<std::int64_t>& ids);

/// What a search compares: title and prompt, folded.
std::string folded_text(std::string_view title, std::string_view prompt);

}  // namespace writes

}  // namespace planexe::store
