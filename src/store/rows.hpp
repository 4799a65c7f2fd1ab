#pragma once

#include "base/json.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace planexe::store {

/// A row of `plans`. Times are UTC; `std::nullopt` is SQL NULL. Money is micro-dollars.
struct PlanRow {
    std::string plan_id;
    std::string user_id;
    std::string prompt;
    std::string title;
    std::string llm_model;                       ///< requested model, "" = automatic
    std::string speed_vs_detail = "all_details_but_slow";
    std::string reasoning_effort;
    std::string status = "pending";              ///< pending running completed failed cancelled
    int progress_percentage = 0;
    std::string progress_message;
    std::string error_message, error_code, failed_task_key;
    std::string output_dir;                      ///< the plan id
    json::value enriched_intake;                 ///< object or null
    std::string conversation_id;
    std::string redline_mode = "block";
    bool rehearsal = false;
    TimePoint created_at{};
    TimePoint updated_at{};
    std::optional<TimePoint> started_at, completed_at, cancel_requested_at;
    int run_attempt = 0;                         ///< grows with every resume or retry
    int recovery_count = 0;                      ///< leases lost in a row without a new result
    std::string lease_owner;
    std::optional<TimePoint> lease_expires_at;
    std::int64_t fencing = 0;
    std::int64_t seq_reserved = 0;               ///< event numbers up to this one are handed out
    std::optional<std::int64_t> max_cost_micros;
    std::string pipeline_version;
    std::string recipe_hash;
    std::optional<std::int64_t> eta_seconds;

    bool operator==(const PlanRow&) const = default;
};

/// A row of `plan_tasks`.
struct TaskRow {
    std::string task_key;
    int position = 0;
    std::string phase;
    std::string state = "pending";               ///< pending ready running completed failed skipped blocked cancelled
    std::string state_reason;
    int attempt = 0, max_attempts = 0;
    std::string input_hash;                      ///< hash over the input hashes of its units
    int weight = 1;                              ///< planned model calls, at least 1
    int units_total = 0, units_done = 0, units_failed = 0;
    std::optional<TimePoint> started_at, finished_at;
    std::int64_t duration_ms = 0;
    std::string model, error_code, error_message;
    bool degraded = false;
    bool ask_anew = false;                       ///< a retry asked for fresh answers; cleared when the task ends
    int run_attempt = 0;

    bool operator==(const TaskRow&) const = default;
};

/// A row of `plan_task_items`: one unit (the whole step, a map item or a round).
struct ItemRow {
    std::string task_key, item_key;
    int position = 0;
    std::string state = "waiting";               ///< waiting running done missing skipped
    std::string state_reason;
    int attempt = 0;
    std::string input_hash;
    json::value result;                          ///< the accepted answer; a JSON string for text answers
    json::value meta;                            ///< model, provider, response_id, problems (failed checks), degraded, element
    std::string error_code, error_message;
    int run_attempt = 0;

    bool operator==(const ItemRow&) const = default;
};

/// A row of `plan_content`: one version of one artefact.
struct ContentRow {
    std::string filename, stage, content_type, content, task_key, sha256, input_hash;
    bool is_binary = false;                      ///< content is stored as a blob
    bool stale = false, is_current = true;
    int version = 0;                             ///< given by the store
    std::int64_t size_bytes = 0;                 ///< given by the store
    TimePoint created_at{};

    bool operator==(const ContentRow&) const = default;
};

/// A row of `llm_interactions`: one attempt; together they are the cost ledger.
struct InteractionRow {
    std::int64_t id = 0;                         ///< from Store::reserve_interaction_ids
    std::string plan_id, owner_kind = "plan", owner_id;
    std::string stage, call_key, parent_call_key, attempt_reason;
    int attempt = 1, run_attempt = 0;
    std::string llm_model, provider, status = "pending"; ///< pending running completed failed abandoned cancelled
    std::vector<std::string> prompt_blocks;      ///< hashes of text blocks; the prompt is their texts joined by a blank line
    json::value prompt_metadata, response_metadata;
    std::string response_text, reasoning_text, response_id, provider_request_id;
    std::string request_hash, transcript_hash, input_hash;
    std::optional<TimePoint> started_at, completed_at;
    std::int64_t input_tokens = 0, cached_input_tokens = 0, cache_write_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
    std::optional<std::int64_t> cost_micros;     ///< empty: price unknown
    std::string price_version, usage_source;     ///< provider, estimate
    std::int64_t queue_ms = 0, first_byte_ms = 0, first_token_ms = 0;
    int http_status = 0;
    std::string error_code, error_message;
    bool background = false;
    std::int64_t last_event_sequence = -1;

    bool operator==(const InteractionRow&) const = default;
};

/// A row of `plan_events`; `seq` comes from the publisher.
struct EventRow {
    std::int64_t seq = 0;
    std::string type = {};                       ///< status task artefact log stream_end llm_stream
    TimePoint created_at{};
    json::value payload = {};
    std::int64_t interaction_id = 0;

    bool operator==(const EventRow&) const = default;
};

struct EdgeRow {
    std::string from_key, to_key;
    bool tolerant = false;

    bool operator==(const EdgeRow&) const = default;
};

/// A row of `idempotency_keys`: the reply that a repeated POST gets.
struct IdempotencyRow {
    std::string identity, key, body_hash, plan_id, reply;
    TimePoint expires_at{};

    bool operator==(const IdempotencyRow&) const = default;
};

/// A row of `conversations`.
struct ConversationRow {
    std::string id, model_key, status = "idle";  ///< idle running
    std::string plan_id;                         ///< "" = no plan yet
    json::value draft_intake, last_error;        ///< objects or null
    TimePoint created_at{}, updated_at{};

    bool operator==(const ConversationRow&) const = default;
};

/// A row of `conversation_turns`; turns count from 1.
struct TurnRow {
    std::string conversation_id;
    int turn = 0;
    std::string role, text, reasoning, status;   ///< role: user assistant
    json::value error, usage;                    ///< objects or null
    std::int64_t interaction_id = 0;
    TimePoint created_at{};
    std::optional<TimePoint> completed_at;

    bool operator==(const TurnRow&) const = default;
};

/// A text stored once under its SHA-256.
struct TextBlock {
    std::string sha256, text;

    bool operator==(const TextBlock&) const = default;
};

}  // namespace planexe::store
