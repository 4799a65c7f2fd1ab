#pragma once

#include <functional>

#include "store/job.hpp"
#include "store/store.hpp"

namespace planexe::store {

/// What the stores of all SQL databases have in common: reads run on a borrowed connection, writes become jobs.
class SqlStore : public Store {
 public:
  void submit(std::shared_ptr<const Transaction> transaction, std::function<void(CommitResult)> done) final;
  Result<std::optional<Lease>> acquire_lease(const std::string& plan_id, const std::string& owner,
                                             std::chrono::milliseconds ttl, bool force) final;
  Result<std::int64_t> reserve_interaction_ids(int count) final;

  Result<std::vector<std::string>> runnable_plans(int limit, bool ignore_leases) final;
  Result<std::optional<PlanRow>> plan(const std::string& plan_id) final;
  Result<PlanPage> plans(const PlanQuery& query) final;
  Result<std::map<std::string, std::int64_t>> plan_counts() final;
  Result<std::vector<TaskRow>> tasks(const std::string& plan_id) final;
  Result<std::vector<ItemRow>> items(const std::string& plan_id, const std::string& task_key) final;
  Result<RunSnapshot> snapshot(const std::string& plan_id) final;
  Result<std::vector<ContentRow>> contents(const std::string& plan_id) final;
  Result<std::optional<ContentRow>> content(const std::string& plan_id, const std::string& filename, int version) final;
  Result<std::vector<EventRow>> events(const std::string& plan_id, std::int64_t after, int limit) final;
  Result<std::int64_t> last_event_seq(const std::string& plan_id) final;
  Result<std::int64_t> count_events(const std::string& plan_id, std::int64_t after, int most) final;
  Result<InteractionPage> interactions(const InteractionQuery& query) final;
  Result<std::optional<InteractionRow>> interaction(std::int64_t id) final;
  Result<std::string> prompt_text(const InteractionRow& row) final;
  Result<UsageTotals> usage(const std::string& plan_id, const std::string& task_key) final;
  Result<std::map<std::string, PlanSums>> plan_sums(const std::vector<std::string>& plan_ids,
                                                    const std::string& filename) final;
  Result<TaskBoard> task_board(const std::string& plan_id) final;
  Result<InteractionPreviewPage> interaction_previews(const InteractionQuery& query, int chars) final;
  Result<std::vector<EventRow>> log_events(const std::string& plan_id, std::int64_t after, int limit) final;
  Result<std::optional<std::string>> recipe(const std::string& recipe_hash) final;
  Result<std::vector<std::string>> cancel_requests() final;
  Result<std::optional<IdempotencyRow>> idempotency_key(const std::string& identity, const std::string& key) final;
  Result<std::optional<ConversationRow>> conversation(const std::string& id) final;
  Result<std::vector<TurnRow>> turns(const std::string& conversation_id) final;

 protected:
  using Statements = std::function<Result<void>(sql::Connection&)>;

  /// Runs the statements inside one read transaction. They may be run again when the connection was lost.
  virtual Result<void> with_reader(const Statements& statements) = 0;
  /// Takes the job, unless the store is open for reading only; then it is left as it is.
  virtual bool take(Job& job) = 0;

  /// with_reader() for statements that give a value.
  template <class Read>
  auto read(Read&& statements) -> decltype(statements(std::declval<sql::Connection&>())) {
    std::optional<decltype(statements(std::declval<sql::Connection&>()))> value;
    PLANEXE_TRY(with_reader([&](sql::Connection& db) -> Result<void> {
      value.emplace(statements(db));
      if (!*value) return std::unexpected(value->error());
      return {};
    }));
    return *std::move(value);
  }

 private:
  /// A write whose answer is a value, in the same queue as all others.
  template <class T, class Apply>
  Result<T> write(std::string label, const std::string& plan_id, Apply apply);
};

}  // namespace planexe::store
