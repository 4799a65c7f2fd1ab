#include "store/sql_store.hpp"

#include <fmt/format.h>

#include <future>

#include "store/apply.hpp"
#include "store/limits.hpp"
#include "store/reads.hpp"

namespace planexe::store {
namespace {

Error read_only_error() {
  return {ErrorCode::InvalidConfig, "The database was opened for reading only; it cannot be changed."};
}

}  // namespace

void SqlStore::submit(std::shared_ptr<const Transaction> transaction, std::function<void(CommitResult)> done) {
  Job job = make_job(std::move(transaction), std::move(done));
  if (!take(job)) job.done({CommitStatus::failed, read_only_error()});
}

template <class T, class Apply>
Result<T> SqlStore::write(std::string label, const std::string& plan_id, Apply apply) {
  struct Answer {
    std::optional<Result<T>> value;
    std::promise<CommitResult> committed;
  };
  // Shared, since the writer may answer after this call has given up waiting.
  auto answer = std::make_shared<Answer>();
  Job job;
  job.label = std::move(label);
  job.plan_id = plan_id;
  job.apply = [answer, apply = std::move(apply)](sql::Connection& db, TimePoint) -> Result<void> {
    answer->value.emplace(apply(db));
    if (!*answer->value) return std::unexpected(answer->value->error());
    return {};
  };
  job.done = [answer](CommitResult result) { answer->committed.set_value(std::move(result)); };
  auto committed = answer->committed.get_future();
  if (!take(job)) return std::unexpected(read_only_error());
  if (committed.wait_for(limits::kCommitWait) != std::future_status::ready) {
    return fail(ErrorCode::DatabaseUnavailable, "The database did not answer in time. Check the disk.");
  }
  CommitResult result = committed.get();
  if (!result.ok()) {
    if (result.error) return std::unexpected(*std::move(result.error));
    return fail(ErrorCode::DatabaseError, "The database gave no answer.");
  }
  return *std::move(answer->value);
}

Result<std::optional<Lease>> SqlStore::acquire_lease(const std::string& plan_id, const std::string& owner,
                                                     std::chrono::milliseconds ttl, bool force) {
  return write<std::optional<Lease>>(
      "lease", plan_id, [=](sql::Connection& db) { return store::acquire_lease(db, plan_id, owner, ttl, force); });
}
Result<std::int64_t> SqlStore::reserve_interaction_ids(int count) {
  return write<std::int64_t>("ids", {}, [=](sql::Connection& db) { return store::reserve_interaction_ids(db, count); });
}

Result<std::vector<std::string>> SqlStore::runnable_plans(int limit, bool ignore_leases) {
  return read([&](auto& db) { return reads::runnable_plans(db, limit, ignore_leases); });
}
Result<std::optional<PlanRow>> SqlStore::plan(const std::string& plan_id) {
  return read([&](auto& db) { return reads::plan(db, plan_id); });
}
Result<PlanPage> SqlStore::plans(const PlanQuery& query) {
  return read([&](auto& db) { return reads::plans(db, query); });
}
Result<std::map<std::string, std::int64_t>> SqlStore::plan_counts() {
  return read([](auto& db) { return reads::plan_counts(db); });
}
Result<std::vector<TaskRow>> SqlStore::tasks(const std::string& plan_id) {
  return read([&](auto& db) { return reads::tasks(db, plan_id); });
}
Result<std::vector<ItemRow>> SqlStore::items(const std::string& plan_id, const std::string& task_key) {
  return read([&](auto& db) { return reads::items(db, plan_id, task_key); });
}
Result<RunSnapshot> SqlStore::snapshot(const std::string& plan_id) {
  return read([&](auto& db) { return reads::snapshot(db, plan_id); });
}
Result<std::vector<ContentRow>> SqlStore::contents(const std::string& plan_id) {
  return read([&](auto& db) { return reads::contents(db, plan_id, reads::Body::without); });
}
Result<std::optional<ContentRow>> SqlStore::content(const std::string& plan_id, const std::string& filename,
                                                    int version) {
  return read([&](auto& db) { return reads::content(db, plan_id, filename, version); });
}
Result<std::vector<EventRow>> SqlStore::events(const std::string& plan_id, std::int64_t after, int limit) {
  return read([&](auto& db) { return reads::events(db, plan_id, after, limit); });
}
Result<std::int64_t> SqlStore::last_event_seq(const std::string& plan_id) {
  return read([&](auto& db) { return reads::last_event_seq(db, plan_id); });
}
Result<std::int64_t> SqlStore::count_events(const std::string& plan_id, std::int64_t after, int most) {
  return read([&](auto& db) { return reads::count_events(db, plan_id, after, most); });
}
Result<InteractionPage> SqlStore::interactions(const InteractionQuery& query) {
  return read([&](auto& db) { return reads::interactions(db, query); });
}
Result<std::optional<InteractionRow>> SqlStore::interaction(std::int64_t id) {
  return read([&](auto& db) { return reads::interaction(db, id); });
}
Result<std::string> SqlStore::prompt_text(const InteractionRow& row) {
  return read([&](auto& db) { return reads::prompt_text(db, row.id); });
}
Result<UsageTotals> SqlStore::usage(const std::string& plan_id, const std::string& task_key) {
  return read([&](auto& db) { return reads::usage(db, plan_id, task_key); });
}
Result<std::map<std::string, PlanSums>> SqlStore::plan_sums(const std::vector<std::string>& plan_ids,
                                                            const std::string& filename) {
  return read([&](auto& db) { return reads::plan_sums(db, plan_ids, filename); });
}
Result<TaskBoard> SqlStore::task_board(const std::string& plan_id) {
  return read([&](auto& db) { return reads::task_board(db, plan_id); });
}
Result<InteractionPreviewPage> SqlStore::interaction_previews(const InteractionQuery& query, int chars) {
  return read([&](auto& db) { return reads::interaction_previews(db, query, chars); });
}
Result<std::vector<EventRow>> SqlStore::log_events(const std::string& plan_id, std::int64_t after, int limit) {
  return read([&](auto& db) { return reads::log_events(db, plan_id, after, limit); });
}
Result<std::optional<std::string>> SqlStore::recipe(const std::string& recipe_hash) {
  return read([&](auto& db) { return reads::recipe(db, recipe_hash); });
}
Result<std::vector<std::string>> SqlStore::cancel_requests() {
  return read([&](auto& db) { return reads::cancel_requests(db); });
}
Result<std::optional<IdempotencyRow>> SqlStore::idempotency_key(const std::string& identity, const std::string& key) {
  return read([&](auto& db) { return reads::idempotency_key(db, identity, key); });
}
Result<std::optional<ConversationRow>> SqlStore::conversation(const std::string& id) {
  return read([&](auto& db) { return reads::conversation(db, id); });
}
Result<std::vector<TurnRow>> SqlStore::turns(const std::string& conversation_id) {
  return read([&](auto& db) { return reads::turns(db, conversation_id); });
}

}  // namespace planexe::store
