#pragma once

#include "store/sql.hpp"
#include "store/store.hpp"

/// The reads of Store as SQL, written once for all databases. Those of several statements need a read transaction of
/// the caller to see one state.
namespace planexe::store::reads {

Result<std::optional<PlanRow>> plan(sql::Connection& db, const std::string& plan_id);
Result<PlanPage> plans(sql::Connection& db, const PlanQuery& query);
Result<std::map<std::string, std::int64_t>> plan_counts(sql::Connection& db);
Result<std::vector<std::string>> runnable_plans(sql::Connection& db, int limit, bool ignore_leases);
Result<std::vector<std::string>> cancel_requests(sql::Connection& db);

Result<std::vector<TaskRow>> tasks(sql::Connection& db, const std::string& plan_id);
Result<std::vector<EdgeRow>> edges(sql::Connection& db, const std::string& plan_id);
/// Of one task, or of the whole plan when `task_key` is empty.
Result<std::vector<ItemRow>> items(sql::Connection& db, const std::string& plan_id, const std::string& task_key);
Result<RunSnapshot> snapshot(sql::Connection& db, const std::string& plan_id);

enum class Body { without, with };
Result<std::vector<ContentRow>> contents(sql::Connection& db, const std::string& plan_id, Body body);
Result<std::optional<ContentRow>> content(sql::Connection& db, const std::string& plan_id, const std::string& filename,
                                          int version);
Result<std::int64_t> last_event_seq(sql::Connection& db, const std::string& plan_id);
Result<std::int64_t> count_events(sql::Connection& db, const std::string& plan_id, std::int64_t after, int most);
Result<std::vector<EventRow>> events(sql::Connection& db, const std::string& plan_id, std::int64_t after, int limit);

Result<std::vector<EventRow>> log_events(sql::Connection& db, const std::string& plan_id, std::int64_t after, int limit);

Result<InteractionPage> interactions(sql::Connection& db, const InteractionQuery& query);
Result<InteractionPreviewPage> interaction_previews(sql::Connection& db, const InteractionQuery& query, int chars);
Result<std::vector<InteractionRow>> open_interactions(sql::Connection& db, const std::string& plan_id);
Result<std::optional<InteractionRow>> interaction(sql::Connection& db, std::int64_t id);
Result<std::string> prompt_text(sql::Connection& db, std::int64_t interaction_id);
Result<UsageTotals> usage(sql::Connection& db, const std::string& plan_id, const std::string& task_key);

Result<std::map<std::string, PlanSums>> plan_sums(sql::Connection& db, const std::vector<std::string>& plan_ids,
                                                  const std::string& filename);
Result<std::map<std::string, TaskUsage, std::less<>>> task_usage(sql::Connection& db, const std::string& plan_id);
Result<TaskBoard> task_board(sql::Connection& db, const std::string& plan_id);

Result<std::optional<std::string>> recipe(sql::Connection& db, const std::string& recipe_hash);
Result<std::optional<IdempotencyRow>> idempotency_key(sql::Connection& db, const std::string& identity,
                                                      const std::string& key);
Result<std::optional<ConversationRow>> conversation(sql::Connection& db, const std::string& id);
Result<std::vector<TurnRow>> turns(sql::Connection& db, const std::string& conversation_id);

/// Our own rules over the data; one line per finding, at most limits::kFindingsMax.
Result<std::vector<std::string>> check_rules(sql::Connection& db);

}  // namespace planexe::store::reads
