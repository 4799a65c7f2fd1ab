#pragma once

#include "base/error.hpp"
#include "store/rows.hpp"

#include <functional>
#include <map>
#include <memory>
#include <variant>

namespace planexe::store {

// ---- writes: small values, applied in order inside one transaction -------------------------------------------------------------------------------------

// A caller whose answer was lost (CommitStatus::unknown) may send the same transaction again: every write but ExpectPlan, CreatePlan and DeletePlan leaves the same state
// when it is repeated, and those three then end in conflict, which tells that they had happened.

/// Conflict unless the plan has one of these statuses (empty = any) and this run attempt. Put first, it makes a resume or retry that only one caller can win.
struct ExpectPlan { std::vector<std::string> statuses; std::optional<int> run_attempt; };
struct CreatePlan { PlanRow plan; std::vector<TaskRow> tasks; std::vector<EdgeRow> edges; };
/// Whole row except identity (plan id, user, prompt, creation), lease, fencing and seq_reserved. A cancel request that the row does not know stays, unless
/// run_attempt grows: another process may have asked meanwhile.
struct PutPlan { PlanRow plan; };
struct PutTask { TaskRow task; };                                  ///< upsert by (plan, task)
struct PutTaskAttempt { std::string task_key; int run_attempt = 0, attempt = 0; std::string state; std::optional<TimePoint> started_at, finished_at; std::string error_code, error_message; };
struct PutItem { ItemRow item; };                                  ///< upsert by (plan, task, item)
struct DeleteItems { std::string task_key; std::vector<std::string> keys; };   ///< empty keys = all of the task
/// New current version; the old one stays, not current. Equal content and hash of the current version: only `stale` is cleared.
struct PutContent { ContentRow content; };
struct MarkStale { std::string task_key; };                        ///< all current files of a task
struct PutFileRow { std::string filename, file_type, content_hash, generated_by_stage, file_path; std::int64_t size_bytes = 0; };   ///< plan_files, upsert
struct PutBlocks { std::vector<TextBlock> blocks; };               ///< insert if absent
struct PutInteraction { InteractionRow row; };                     ///< insert; its blocks must be there; a repeat of the same attempt changes nothing
struct UpdateInteraction { InteractionRow row; };                  ///< all fields but identity and prompt; never turns a terminal status back
struct SetResponseId { std::int64_t id = 0; std::string response_id; std::int64_t last_event_sequence = -1; };  ///< and status running
/// Calls of conversations and analyses that began before this time and are still open: nobody waits for them any more. They become abandoned, with this message.
struct AbandonCalls { TimePoint before{}; std::string message; };
struct AppendEvents { std::vector<EventRow> events; };             ///< seq must be above every stored one, or repeat a stored event exactly
struct ReserveSeq { std::int64_t up_to = 0; };                     ///< seq_reserved = max(seq_reserved, up_to)
/// plan_metrics columns by name, upsert: plan_complexity_score, plan_completeness_score, user_rating, user_feedback, peak_memory_mb, cpu_time_seconds, wall_ms.
/// Sums over the ledger are kept by the store itself with every interaction; their names are ignored here, unknown ones fail.
struct PutMetrics { json::object values; };
struct PutRecipe { std::string recipe_hash, content; };            ///< insert if absent
struct ReleaseLease {};                                            ///< with a fence: owner and expiry cleared
struct RequestCancel { TimePoint at{}; };                          ///< control row, needs no fence; pending plans become cancelled at once
struct DeletePlan {};                                              ///< the plan and all its rows; unreferenced text blocks go too
struct PutIdempotencyKey { IdempotencyRow row; };                  ///< insert; an expired one is replaced, a live one with another body is a conflict
/// Upsert by id; no plan of the transaction needed. Plan and model of a conversation that is there stay: SetConversation changes them, so that a turn that
/// writes the row it read long ago takes nothing back.
struct PutConversation { ConversationRow row; };
/// Changes the columns that are named; an unknown conversation is a conflict. While a turn runs, its model stays.
struct SetConversation { std::string id; std::optional<std::string> plan_id, model_key; };
struct PutTurn { TurnRow row; };                                   ///< upsert by (conversation, turn); an unknown conversation is a conflict
struct DeleteConversation { std::string id; };                     ///< with its turns and the interactions it owns

using Write = std::variant<ExpectPlan, CreatePlan, PutPlan, PutTask, PutTaskAttempt, PutItem, DeleteItems, PutContent, MarkStale, PutFileRow, PutBlocks, PutInteraction,
                           UpdateInteraction, SetResponseId, AppendEvents, ReserveSeq, PutMetrics, PutRecipe, ReleaseLease, RequestCancel, DeletePlan,
                           PutIdempotencyKey, PutConversation, SetConversation, PutTurn, DeleteConversation, AbandonCalls>;

/// One transaction of one plan. With `fencing` set it succeeds only while the plan's fencing number is that one (checked in the same transaction).
struct Transaction {
    std::string plan_id;
    std::optional<std::int64_t> fencing;
    std::vector<Write> writes;
    /// Names the test points "store.before_commit.<label>", "store.after_commit.<label>", "store.commit_answer_lost.<label>" (committed, but the result says
    /// unknown) and "store.io_error.<label>" (COMMIT fails as on a full disk).
    std::string label;
};

enum class CommitStatus {
    committed,
    fenced,                                  ///< another owner took the plan; nothing was written
    conflict,                                ///< a condition of a write did not hold (plan exists, plan unknown); nothing was written
    failed,                                  ///< nothing was written; `error` says why (disk full, I/O, constraint)
    unknown,                                 ///< COMMIT was sent and no answer came: the caller reads back or repeats idempotently
};

struct CommitResult {
    CommitStatus status = CommitStatus::failed;
    std::optional<Error> error;
    bool ok() const { return status == CommitStatus::committed; }
};

// ---- reads ---------------------------------------------------------------------------------------------------------------------------------------------

struct Lease { std::int64_t fencing = 0; TimePoint expires_at{}; };

/// Sums of the ledger. calls: attempts; retries: attempts after the first, repairs apart; unpriced: attempts with tokens but no known price; estimated: attempts
/// whose usage the provider did not report.
struct UsageTotals { std::int64_t calls = 0, retries = 0, repairs = 0, input_tokens = 0, cached_input_tokens = 0, output_tokens = 0, reasoning_tokens = 0, cost_micros = 0, unpriced = 0, estimated = 0; };

/// Everything a run needs to go on: no prompts, no old versions.
struct RunSnapshot {
    PlanRow plan;
    std::vector<TaskRow> tasks;
    std::vector<EdgeRow> edges;
    std::vector<ItemRow> items;
    std::vector<ContentRow> contents;        ///< current files with content
    std::vector<InteractionRow> open_interactions;   ///< status pending or running
    std::int64_t last_seq = 0;
    std::int64_t log_events = 0;
    std::map<std::string, UsageTotals, std::less<>> usage_by_task;   ///< one without calls is absent
};

struct PlanQuery {
    std::vector<std::string> statuses = {};
    std::string text = {};                       ///< in prompt or title
    bool ascending = false;
    int limit = 100;
    std::string cursor = {};                 ///< opaque, from PlanPage; a bad one is CURSOR_INVALID
};
struct PlanPage { std::vector<PlanRow> plans; std::string next_cursor; };

struct InteractionQuery { std::string plan_id, task_key = {}, status = {}; int limit = 50; std::string cursor = {}; std::int64_t id = 0; };   ///< id: only that call; 0 = all
struct InteractionPage { std::vector<InteractionRow> rows; std::string next_cursor; };


/// Sums of the ledger for one task. queue_ms: how long its calls have waited before they were sent.
struct TaskUsage { UsageTotals totals; std::int64_t queue_ms = 0; };

/// What is shown of a plan beside its row.
struct PlanSums {
    std::int64_t completed = 0, running = 0, failed = 0, blocked = 0, skipped = 0, total = 0;   ///< tasks; total counts those in other states too
    double weight_done = 0;                  ///< weight of completed, failed and skipped tasks, and the settled share of running ones
    UsageTotals usage;
    std::string first_model;                 ///< that a call of the plan was sent to; "" before
    std::int64_t last_seq = 0;               ///< highest stored event
    bool has_file = false;                   ///< the file that was asked for has a current version
};

/// A row of `plan_task_attempts`.
struct TaskAttempt {
    std::string task_key;
    int run_attempt = 0, attempt = 0;
    std::string state;
    std::optional<TimePoint> started_at, finished_at;
    std::string error_code, error_message;

    bool operator==(const TaskAttempt&) const = default;
};

/// All that is shown of a plan's tasks, as it was at one moment.
struct TaskBoard {
    std::vector<TaskRow> tasks;
    std::vector<EdgeRow> edges;
    std::vector<TaskAttempt> attempts;       ///< by task, run attempt and attempt
    std::map<std::string, TaskUsage, std::less<>> usage;   ///< by task; one without calls is absent
    std::vector<ContentRow> contents;        ///< current files without content
    std::int64_t last_seq = 0;
};

/// One entry of a list of calls: the row without reasoning and prompt blocks and with the beginning of its answer, and the beginning of the prompt's last block.
struct InteractionPreview { InteractionRow row; std::string prompt; };
struct InteractionPreviewPage { std::vector<InteractionPreview> rows; std::string next_cursor; };

struct DatabaseFacts { std::string backend, location; int schema_version = 0; std::int64_t size_bytes = 0; std::int64_t plans = 0; };

/// The store contract: SQLite and PostgreSQL pass the same suite with identical results (tests/store). Writes go through one queue and are committed in groups;
/// reads are synchronous, see everything committed before they start, and may be called from any thread.
class Store {
public:
    virtual ~Store() = default;

    /// Queues a transaction; `done` is called once, on a thread of the store, for the transactions of one plan in the order of submission (on SQLite for all).
    /// Group commit: transactions that wait together share one COMMIT, and a failing one does not take the others down.
    virtual void submit(std::shared_ptr<const Transaction> transaction, std::function<void(CommitResult)> done) = 0;
    void submit(Transaction transaction, std::function<void(CommitResult)> done) {
        submit(std::make_shared<const Transaction>(std::move(transaction)), std::move(done));
    }
    /// Waits for the result; not from the store's thread.
    CommitResult commit(Transaction transaction);

    /// Takes or renews the lease of a plan by the database's clock. The owner it has renews it, even just after its end, with the same fencing number. Taking it over
    /// (free, expired, or from a live owner with `force`) raises the number. Empty: another owner holds it. PLAN_NOT_FOUND for an unknown plan.
    virtual Result<std::optional<Lease>> acquire_lease(const std::string& plan_id, const std::string& owner, std::chrono::milliseconds ttl, bool force) = 0;
    /// Plans that could run now: pending, or running with an expired lease, oldest first. `ignore_leases` when no other process can live (SQLite lock file).
    virtual Result<std::vector<std::string>> runnable_plans(int limit, bool ignore_leases) = 0;
    /// First of `count` fresh interaction ids.
    virtual Result<std::int64_t> reserve_interaction_ids(int count) = 0;

    virtual Result<std::optional<PlanRow>> plan(const std::string& plan_id) = 0;
    virtual Result<PlanPage> plans(const PlanQuery& query) = 0;
    /// Plans by status; a status that none has is absent.
    virtual Result<std::map<std::string, std::int64_t>> plan_counts() = 0;
    virtual Result<std::vector<TaskRow>> tasks(const std::string& plan_id) = 0;
    virtual Result<std::vector<ItemRow>> items(const std::string& plan_id, const std::string& task_key) = 0;
    virtual Result<RunSnapshot> snapshot(const std::string& plan_id) = 0;
    virtual Result<std::vector<ContentRow>> contents(const std::string& plan_id) = 0;                    ///< current ones without content
    virtual Result<std::optional<ContentRow>> content(const std::string& plan_id, const std::string& filename, int version = 0) = 0;
    virtual Result<std::vector<EventRow>> events(const std::string& plan_id, std::int64_t after, int limit) = 0;
    /// The number of the plan's last stored event; 0 when there is none.
    virtual Result<std::int64_t> last_event_seq(const std::string& plan_id) = 0;
    /// How many stored events have a greater number; counts to `most` only.
    virtual Result<std::int64_t> count_events(const std::string& plan_id, std::int64_t after, int most) = 0;
    virtual Result<InteractionPage> interactions(const InteractionQuery& query) = 0;
    virtual Result<std::optional<InteractionRow>> interaction(std::int64_t id) = 0;
    virtual Result<std::string> prompt_text(const InteractionRow& row) = 0;                              ///< blocks joined
    virtual Result<UsageTotals> usage(const std::string& plan_id, const std::string& task_key = {}) = 0;
    /// Sums of several plans at once; unknown plans are absent. `filename`: see PlanSums::has_file.
    virtual Result<std::map<std::string, PlanSums>> plan_sums(const std::vector<std::string>& plan_ids, const std::string& filename) = 0;
    virtual Result<TaskBoard> task_board(const std::string& plan_id) = 0;
    /// As interactions(), with at most `chars` characters of prompt and answer.
    virtual Result<InteractionPreviewPage> interaction_previews(const InteractionQuery& query, int chars) = 0;
    virtual Result<std::vector<EventRow>> log_events(const std::string& plan_id, std::int64_t after, int limit) = 0;   ///< events of type log
    virtual Result<std::optional<std::string>> recipe(const std::string& recipe_hash) = 0;
    /// Plans whose cancel was asked for and that are still running: how another process's request reaches a run.
    virtual Result<std::vector<std::string>> cancel_requests() = 0;
    virtual Result<std::optional<IdempotencyRow>> idempotency_key(const std::string& identity, const std::string& key) = 0;   ///< expired ones too
    virtual Result<std::optional<ConversationRow>> conversation(const std::string& id) = 0;
    virtual Result<std::vector<TurnRow>> turns(const std::string& conversation_id) = 0;
    virtual Result<DatabaseFacts> facts() = 0;
    /// Integrity of the database file and of our own rules (one current row per file, sums of the ledger, states); one line per finding.
    virtual Result<std::vector<std::string>> check() = 0;
};

struct OpenOptions {
    std::string url;                         ///< "sqlite:///relative.db", "sqlite:////absolute.db", "postgresql://user:password@host:port/database"
    std::string data_dir;                    ///< base of relative paths
    bool migrate = true;                     ///< run pending migrations
    bool read_only = false;
    int readers = 2;
    int writers = 4;                         ///< PostgreSQL; SQLite has one
};

/// Opens, takes no lock file (see DataDirLock), runs migrations under a lock. Errors are clear: unreadable file, not a database, newer schema (DATABASE_TOO_NEW),
/// no write permission, disk full; PostgreSQL: server away, password refused, no such database, encoding not UTF-8.
Result<std::unique_ptr<Store>> open_store(const OpenOptions& options);

/// The schema of a database and the newest one this program knows; 0 = none yet (new file, or a database of the reference).
struct SchemaStatus { int current = 0, newest = 0; };
/// For `planexe db status`: looks without changing anything. A file that does not exist is IO_ERROR, a server that is away DATABASE_UNAVAILABLE.
Result<SchemaStatus> schema_status(const OpenOptions& options);

/// The lock file beside a SQLite database: held by the one process that runs plans on it (store/lock.hpp).
class DataDirLock;

}  // namespace planexe::store
