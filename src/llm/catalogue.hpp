#pragma once

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace planexe::llm {

/// What an endpoint can do; from the provider table and the catalogue, never from a model name in code (llm.md section 2).
struct Capabilities {
    bool responses = false, chat = true, strict_on_responses = false, strict_on_chat = false, stateful = false, sequence_numbers = true, store = false, rate_headers = true, prefix_cache = false;
    std::string background = "auto";        ///< auto always never
    std::vector<std::string> effort_values, verbosity_values;
    bool sampling = false;
    std::string max_tokens_name = "max_completion_tokens";
    bool cache_key = false;                 ///< takes prompt_cache_key
    bool summary = false;                   ///< takes reasoning.summary
    bool obfuscation = false;               ///< pads deltas unless told not to
    bool metadata = false;                  ///< takes metadata on the Responses API
    bool chat_metadata = false;             ///< takes metadata on chat completions
    bool require_parameters = false;        ///< routes to other hosts and must be told to keep the schema (OpenRouter)
    bool encrypted_reasoning = false;       ///< can give reasoning back encrypted when nothing is stored
};

struct Price { std::int64_t input = 0, cached_input = 0, cache_write = -1, output = 0; std::string version; };   ///< micro-dollars per million tokens; -1 = billed as input

enum class AuthStyle { bearer, api_key, x_api_key };   ///< `Authorization: Bearer K`, `api-key: K`, `x-api-key: K`

struct ModelEntry {
    std::string id, label, comment, provider, model, base_url, api_key_env, transport = "auto";
    int priority = 100;
    std::vector<std::string> capabilities_list{"text"};
    std::map<std::string, std::string> headers;   ///< values may be "${VAR}"
    int context_window = 32000, max_output_tokens = 8192;
    bool context_window_known = false;
    Capabilities caps;
    std::optional<int> rpm, tpm;
    int max_concurrency = 32, start_concurrency = 8;
    std::vector<std::string> fallback, fallback_context, fallback_policy;
    bool strict_model = false;
    bool requires_api_key = true;
    AuthStyle auth = AuthStyle::bearer;
    std::optional<Price> price;             ///< of the entry itself; goes before the price table
    bool is_text() const;
};

struct Catalogue {
    std::vector<ModelEntry> models;         ///< sorted by (priority, id)
    std::vector<std::string> warnings;      ///< unknown keys, unknown context windows
    const ModelEntry* find(std::string_view id) const;
};

/// Parses llm_config.json text (the reference's file is accepted as it is). Invalid entries are errors that name the entry and the key.
Result<Catalogue> parse_catalogue(std::string_view text, std::string_view source_name);

/// Embedded default, then `<data dir>/llm_config.json`, then the folder PLANEXE_CONFIG_PATH, or PLANEXE_LLM_CONFIG_JSON instead of the file.
Result<Catalogue> load_catalogue(const std::string& data_dir, const std::string& config_path, const std::string& config_json);

/// Key, address and headers of an entry come from variables (`${VAR}`); true when all that it needs are set. `value` gives a variable's value, "" when unset.
bool is_configured(const ModelEntry& model, const std::function<std::string(const std::string&)>& value);

/// The variables an entry needs, for messages: "OPENAI_API_KEY".
std::vector<std::string> needed_variables(const ModelEntry& model);

/// `text` with every `${VAR}` replaced; nothing when a variable is not set.
std::optional<std::string> expand_variables(std::string_view text, const std::function<std::string(const std::string&)>& value);

/// The one-entry catalogue of the rehearsal server.
Catalogue rehearsal_catalogue(const std::string& base_url);

class PriceTable {
public:
    static Result<PriceTable> parse(std::string_view text, std::string_view source_name);
    static PriceTable embedded();
    /// Latest entry not after `at`; dated model names fall back to their undated family.
    std::optional<Price> price(std::string_view provider, std::string_view model, TimePoint at) const;
    /// What a service tier multiplies prices with; 1 for an unknown one.
    double tier_factor(std::string_view provider, std::string_view tier) const;

private:
    struct Entry { std::string provider, model, valid_from; Price price; };
    struct Tier { std::string provider, tier; double factor; };
    Result<void> add_entry(const json::value& value, const std::string& version, std::string_view place);
    std::vector<Entry> entries_;
    std::vector<Tier> tiers_;
};

/// `prices.json` in the folder PLANEXE_CONFIG_PATH, else in the data directory, else the embedded table.
Result<PriceTable> load_prices(const std::string& data_dir, const std::string& config_path);

}  // namespace planexe::llm
