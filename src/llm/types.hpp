#pragma once

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace planexe::llm {

/// One message of a conversation. Parts are sent as separate content parts, so that equal prefixes stay byte-identical.
struct Message {
    enum class Role { developer, user, assistant } role = Role::user;
    std::vector<std::string> parts = {};
    // Of assistant messages only; sent back unchanged to the model that said them, left out for every other.
    std::string origin = {};            ///< catalogue id of that model
    std::string phase = {};             ///< as the provider marked the message
    json::array reasoning_items = {};   ///< encrypted reasoning, where the provider stores nothing
    bool operator==(const Message&) const = default;
};

enum class AttemptReason { first, retry, restart, adapt, rebuild, budget, repair, fallback, recovery };
std::string_view to_string(AttemptReason reason);

struct Usage {
    std::int64_t input_tokens = 0, cached_input_tokens = 0, cache_write_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
    bool estimated = false;
    std::int64_t total() const { return input_tokens + output_tokens; }
};

/// What the judge says about an answer's text. The judge is pure and may be called several times.
struct Judgement {
    bool accepted = false;              ///< the call succeeded with `value`
    bool degraded = false;              ///< accepted although something is missing, by rule
    json::value value;
    json::array kept;                   ///< valid elements of a partial list; given back to the judge with the next text
    bool partial = false;               ///< ask only for what is missing
    std::string feedback;               ///< message to the model for the next round
    std::string error;                  ///< one line for the ledger, for example "/levers: 4 elements, 5 wanted"
};
/// `last` is true when no further round is possible: partial results that the task permits are then accepted as degraded.
using Judge = std::function<Judgement(std::string_view text, const json::array& kept, bool last)>;

/// An earlier attempt of this call that was in flight when the process died.
struct Recovery {
    std::int64_t interaction_id = 0;
    int attempt = 1;
    std::string model;                  ///< catalogue id
    std::string response_id;            ///< "": nothing to fetch, the attempt is abandoned
    bool background = false;
    std::int64_t last_event_sequence = -1;
};

/// The conversation a call continues.
struct Parent {
    std::string call_key;
    std::vector<Message> transcript;    ///< everything sent and received, in order: the truth
    std::string response_id, provider, model;   ///< of the completed parent attempt; "" = transcript only
    std::optional<TimePoint> completed_at;
    bool stored = false;
};

/// One question of a task.
struct CallSpec {
    std::string plan_id;
    std::string task_key;
    std::string call_key;               ///< task/step/item/turn, fixed by the plan graph
    int item_number = 1;                ///< position of the unit inside its step, from 1; sent as metadata
    std::string schema_name;            ///< letters, digits, _ and -, at most 64
    json::value schema;                 ///< null: plain text
    std::vector<Message> messages;      ///< new input, developer message first
    std::optional<Parent> parent;
    std::string model;                  ///< catalogue id, "" = automatic order
    std::string effort;                 ///< minimal low medium high
    int max_output_tokens = 16384;      ///< for the first call of its kind; later ones know better
    bool fixed_budget = false;          ///< max_output_tokens is somebody's wish: neither experience nor a cut answer changes it
    // Wishes that are sent only to a model that takes them; unset: as the provider does by itself.
    std::string verbosity;              ///< low medium high
    std::string summary;                ///< of the reasoning: auto concise detailed; "" = auto
    std::optional<double> temperature;  ///< 0..2
    bool store = true;                  ///< false: the provider is told to keep nothing, whatever the settings say
    std::string cache_key;
    std::string cache_group;            ///< calls with the same group share a prefix ("first one alone" where the catalogue declares a prefix cache)
    int priority = 0;                   ///< remaining path length of the task; larger goes first within a plan
    int first_attempt = 1;              ///< number of the next attempt (after recovered or abandoned ones)
    std::optional<Recovery> recovery;
};

/// A request about to be sent. The host commits its ledger row, then lets it go.
struct AttemptStart {
    int attempt = 1;
    AttemptReason reason = AttemptReason::first;
    std::string model, provider, provider_model;
    std::string request_hash;
    bool background = false;
    std::int64_t cost_bound_micros = 0; ///< upper bound of this attempt's cost; 0 when unpriced
    std::vector<Message> extra_messages;///< beyond the spec's messages (repair feedback), for the ledger
    std::int64_t queue_ms = 0;
};

/// How an attempt ended; one ledger row.
struct AttemptRecord {
    int attempt = 1;
    AttemptReason reason = AttemptReason::first;
    std::string status;                 ///< completed failed abandoned cancelled
    std::string model, provider, provider_model, response_id, provider_request_id, request_hash, service_tier;
    std::string text, reasoning, refusal;
    Usage usage;
    std::optional<std::int64_t> cost_micros;
    std::string price_version;
    std::int64_t queue_ms = 0, first_byte_ms = 0, first_token_ms = 0, duration_ms = 0;
    int http_status = 0;
    std::optional<Error> error;         ///< redacted
    bool will_retry = false;
    bool background = false;
    std::int64_t last_event_sequence = -1;
    json::object counters;              ///< unknown events, gaps, mismatches: only those above zero
};

struct CallOutcome {
    bool ok = false;
    json::value value;                  ///< accepted answer; JSON string for text calls
    bool degraded = false;
    std::string model, provider, response_id;
    int attempts = 0, repairs = 0, retries = 0;
    std::vector<Message> transcript;    ///< of the successful conversation, for children
    bool stored = false;
    std::optional<Error> error;
};

/// Receives what happens to one call; all functions run on the client's loop thread.
class CallHost {
public:
    virtual ~CallHost() = default;
    /// Called before each request is sent. The host calls `go(true)` when the ledger row is committed, or `go(false)` to refuse (then the call ends with `refusal`).
    virtual void attempt_ready(const AttemptStart& start, std::function<void(bool go, ErrorCode refusal)> go) = 0;
    virtual void response_id(int attempt, const std::string& response_id) = 0;
    virtual void text_delta(int attempt, std::string_view delta) = 0;
    virtual void reasoning_delta(int attempt, std::string_view delta) = 0;
    virtual void attempt_ended(const AttemptRecord& record) = 0;   ///< exactly once per attempt that was let go
    virtual void finished(CallOutcome outcome) = 0;                ///< exactly once per call, last
    /// False while the host cannot take more deltas: the client then stops reading from the provider and asks again every 50 ms.
    virtual bool wants_deltas() { return true; }
};

}  // namespace planexe::llm
