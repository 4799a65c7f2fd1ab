#include "store/apply.hpp"

#include <fmt/format.h>

#include "store/limits.hpp"

namespace planexe::store {
namespace {

/// These belong to no plan, or make it.
bool needs_plan(const Write& write) {
  return !(std::holds_alternative<CreatePlan>(write) || std::holds_alternative<PutBlocks>(write) ||
           std::holds_alternative<PutInteraction>(write) || std::holds_alternative<UpdateInteraction>(write) ||
           std::holds_alternative<SetResponseId>(write) || std::holds_alternative<PutRecipe>(write) ||
           std::holds_alternative<PutIdempotencyKey>(write) || std::holds_alternative<PutConversation>(write) ||
           std::holds_alternative<SetConversation>(write) || std::holds_alternative<PutTurn>(write) ||
           std::holds_alternative<DeleteConversation>(write) || std::holds_alternative<AbandonCalls>(write));
}

/// The plan is there, or the transaction creates it first.
Result<std::optional<StoredPlan>> check_plan(sql::Connection& db, const Transaction& transaction) {
  if (transaction.plan_id.empty()) {
    for (const auto& write : transaction.writes) {
      if (needs_plan(write)) return fail(ErrorCode::InvalidArgument, "A write to a plan came without a plan id.");
    }
    return std::nullopt;
  }
  PLANEXE_TRY_ASSIGN(auto plan, lock_plan(db, transaction.plan_id));
  if (!plan) {
    for (const auto& write : transaction.writes) {
      if (std::holds_alternative<CreatePlan>(write)) return std::nullopt;
      if (needs_plan(write)) break;
    }
    return fail(ErrorCode::PlanNotFound, fmt::format("There is no plan {}.", transaction.plan_id));
  }
  if (transaction.fencing && *transaction.fencing != plan->fencing) {
    return fail(ErrorCode::Fenced, fmt::format("Another process took the plan {} over.", transaction.plan_id),
                fmt::format("fencing {} is now {}", *transaction.fencing, plan->fencing));
  }
  return plan;
}

}  // namespace

Result<std::optional<StoredPlan>> lock_plan(sql::Connection& db, const std::string& plan_id) {
  // NO KEY: rows that refer to the plan can still be written by others, so that they do not wait for a whole transaction.
  constexpr std::string_view kRead = "SELECT fencing, status, title, cancel_requested_at, run_attempt FROM plans WHERE plan_id = ?";
  constexpr std::string_view kLock = "SELECT fencing, status, title, cancel_requested_at, run_attempt FROM plans WHERE plan_id = ? FOR NO KEY UPDATE";
  auto rows = db.query(db.dialect() == sql::Dialect::postgresql ? kLock : kRead, {plan_id});
  std::optional<StoredPlan> plan;
  if (rows.next()) plan = {rows.integer(), rows.string(), rows.string(), rows.optional_time(), rows.small()};
  PLANEXE_TRY(rows.status());
  return plan;
}

Result<void> apply(sql::Connection& db, const Transaction& transaction, TimePoint now, Blocks blocks) {
  PLANEXE_TRY_ASSIGN(auto plan, check_plan(db, transaction));
  const writes::Context context{db, transaction.plan_id, transaction.fencing, now, std::move(plan), blocks};
  for (const auto& write : transaction.writes) {
    PLANEXE_TRY(std::visit([&](const auto& value) { return writes::apply(context, value); }, write));
  }
  return {};
}

CommitStatus status_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::Fenced: return CommitStatus::fenced;
    case ErrorCode::Conflict:
    case ErrorCode::PlanNotFound:
    case ErrorCode::PlanNotCancellable:
    case ErrorCode::InteractionNotFound:
    case ErrorCode::ConversationNotFound:
    case ErrorCode::IdempotencyKeyReused: return CommitStatus::conflict;
    default: return CommitStatus::failed;
  }
}

Result<std::optional<Lease>> acquire_lease(sql::Connection& db, const std::string& plan_id, const std::string& owner,
                                           std::chrono::milliseconds ttl, bool force) {
  PLANEXE_TRY_ASSIGN(const auto plan, lock_plan(db, plan_id));
  if (!plan) return fail(ErrorCode::PlanNotFound, fmt::format("There is no plan {}.", plan_id));
  PLANEXE_TRY_ASSIGN(const TimePoint now, db.now());
  auto rows = db.query("SELECT lease_owner, lease_expires_at FROM plans WHERE plan_id = ?", {plan_id});
  std::string holder;
  std::optional<TimePoint> expires;
  if (rows.next()) {
    holder = rows.string();
    expires = rows.optional_time();
  }
  PLANEXE_TRY(rows.status());
  const bool renewal = holder == owner;
  const bool live = !holder.empty() && expires && *expires > now;
  if (!renewal && live && !force) return std::optional<Lease>();
  const Lease lease{renewal ? plan->fencing : plan->fencing + 1, now + ttl};
  PLANEXE_TRY_ASSIGN(const auto changed,
                     db.execute("UPDATE plans SET lease_owner = ?, lease_expires_at = ?, fencing = ? "
                                "WHERE plan_id = ? AND fencing = ?",
                                {owner, lease.expires_at, lease.fencing, plan_id, plan->fencing}));
  PLANEXE_ASSERT(changed == 1);
  return lease;
}

Result<std::int64_t> reserve_interaction_ids(sql::Connection& db, int count) {
  if (count < 1 || count > limits::kIdBlockMax) {
    return fail(ErrorCode::InvalidArgument, fmt::format("Cannot reserve {} interaction ids.", count));
  }
  auto rows = db.query("UPDATE counters SET next_value = next_value + ? WHERE name = ? RETURNING next_value",
                       {count, "llm_interactions"});
  std::int64_t next = 0;
  if (rows.next()) next = rows.integer();
  while (rows.next()) {
  }
  PLANEXE_TRY(rows.status());
  if (next == 0) return fail(ErrorCode::DatabaseError, "The database lost its counter of interactions.");
  return next - count;
}

}  // namespace planexe::store
