#include "llm/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "base/embedded.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "llm/provider_table.hpp"

namespace planexe::llm {

namespace {

/// An unknown window counts as this: small enough for nearly every model that is in use.
constexpr int kContextWindowUnknown = 32'000;
constexpr int kOutputTokensUnknown = 8'192;
constexpr std::int64_t kTokensMax = 100'000'000;
/// A catalogue is written by hand.
constexpr std::size_t kModelsMax = 1'000;

constexpr std::array<std::string_view, 20> kOwnKeys{
    "comment", "priority",  "provider",  "model",       "label",          "arguments",         "capabilities",
    "cost",    "base_url",  "api_key_env", "headers",   "transport",      "context_window",    "max_output_tokens",
    "rpm",     "tpm",       "fallback",  "fallback_context", "fallback_policy", "strict_model"};

std::unexpected<Error> invalid(const std::string& message) { return fail(ErrorCode::InvalidConfig, message); }

/// Reads one entry; `place_` begins every message: file and entry.
class EntryReader {
 public:
  EntryReader(const json::object& object, std::string id, std::string_view source, std::vector<std::string>& warnings)
      : object_(object), place_(fmt::format("{}: model \"{}\"", source, id)), warnings_(warnings) {
    entry_.id = std::move(id);
  }

  Result<ModelEntry> read() {
    PLANEXE_TRY(read_text("provider", entry_.provider));
    PLANEXE_TRY(read_text("model", entry_.model));
    if (entry_.provider.empty()) return invalid(fmt::format("{}: provider is missing (one of: {})", place_, known_providers()));
    if (entry_.model.empty()) return invalid(fmt::format("{}: model is missing (the provider's name of it)", place_));
    PLANEXE_TRY(read_text("base_url", entry_.base_url));
    PLANEXE_TRY(read_text("api_key_env", entry_.api_key_env));
    PLANEXE_TRY(read_arguments());
    const bool named_key = !entry_.api_key_env.empty();
    const bool known = apply_provider_defaults(entry_);
    if (!known) entry_.requires_api_key = named_key;
    PLANEXE_TRY(check_address(known));
    PLANEXE_TRY(apply_capabilities(object_, place_, entry_));
    entry_.start_concurrency = std::min(entry_.start_concurrency, entry_.max_concurrency);
    PLANEXE_TRY(read_lists());
    PLANEXE_TRY(read_numbers());
    PLANEXE_TRY(read_rest());
    PLANEXE_TRY(read_price());
    warn_of_unknown_keys();
    return std::move(entry_);
  }

 private:
  Result<void> read_text(std::string_view key, std::string& target) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr || value->is_null()) return {};
    if (!value->is_string()) return invalid(fmt::format("{}: {} must be a text", place_, key));
    target = std::string(value->get_string());
    return {};
  }

  Result<std::optional<std::int64_t>> read_number(std::string_view key, std::int64_t min) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr || value->is_null()) return std::optional<std::int64_t>();
    const auto number = as_int(*value);
    if (!number || *number < min || *number > kTokensMax) {
      return invalid(fmt::format("{}: {} must be a whole number from {} to {}", place_, key, min, kTokensMax));
    }
    return number;
  }

  Result<void> read_list(std::string_view key, std::vector<std::string>& target) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr || value->is_null()) return {};
    if (!value->is_array()) return invalid(fmt::format("{}: {} must be a list of texts", place_, key));
    target.clear();
    for (const json::value& element : value->get_array()) {
      if (!element.is_string()) return invalid(fmt::format("{}: {} must be a list of texts", place_, key));
      target.emplace_back(element.get_string());
    }
    return {};
  }

  /// The reference's form: {"api_key": "${OPENAI_API_KEY}", …}. A key itself must not stand in the file.
  Result<void> read_arguments() {
    const json::value* arguments = object_.if_contains("arguments");
    if (arguments == nullptr || arguments->is_null()) return {};
    if (!arguments->is_object()) return invalid(fmt::format("{}: arguments must be an object", place_));
    for (const auto& member : arguments->get_object()) {
      if (member.key() != "api_key") {
        warnings_.push_back(fmt::format("{}: arguments.{} is ignored", place_, std::string_view(member.key())));
        continue;
      }
      const std::string text(member.value().is_string() ? std::string_view(member.value().get_string()) : "");
      if (!text.starts_with("${") || !text.ends_with('}') || text.size() < 4) {
        return invalid(fmt::format("{}: arguments.api_key must name a variable, such as \"${{OPENAI_API_KEY}}\"; "
                                   "keys do not belong in this file", place_));
      }
      if (entry_.api_key_env.empty()) entry_.api_key_env = text.substr(2, text.size() - 3);
    }
    return {};
  }

  Result<void> check_address(bool known_provider) {
    if (entry_.base_url.empty()) {
      return invalid(known_provider ? fmt::format("{}: base_url is missing (this provider has no common address)", place_)
                                    : fmt::format("{}: provider \"{}\" is not known (known: {}); set base_url to use it",
                                                  place_, entry_.provider, known_providers()));
    }
    while (entry_.base_url.ends_with('/')) entry_.base_url.pop_back();
    const bool plain = entry_.base_url.starts_with("http://") || entry_.base_url.starts_with("https://");
    if (!plain && !entry_.base_url.starts_with("${")) {
      return invalid(fmt::format("{}: base_url must begin with http:// or https://", place_));
    }
    return {};
  }

  Result<void> read_lists() {
    PLANEXE_TRY(read_list("capabilities", entry_.capabilities_list));
    PLANEXE_TRY(read_list("fallback", entry_.fallback));
    PLANEXE_TRY(read_list("fallback_context", entry_.fallback_context));
    return read_list("fallback_policy", entry_.fallback_policy);
  }

  Result<void> read_numbers() {
    PLANEXE_TRY_ASSIGN(const auto priority, read_number("priority", 0));
    PLANEXE_TRY_ASSIGN(const auto window, read_number("context_window", 1));
    PLANEXE_TRY_ASSIGN(const auto output, read_number("max_output_tokens", 1));
    PLANEXE_TRY_ASSIGN(const auto rpm, read_number("rpm", 1));
    PLANEXE_TRY_ASSIGN(const auto tpm, read_number("tpm", 1));
    if (priority) entry_.priority = static_cast<int>(*priority);
    entry_.context_window_known = window.has_value();
    entry_.context_window = static_cast<int>(window.value_or(kContextWindowUnknown));
    entry_.max_output_tokens = static_cast<int>(output.value_or(kOutputTokensUnknown));
    if (rpm) entry_.rpm = static_cast<int>(*rpm);
    if (tpm) entry_.tpm = static_cast<int>(*tpm);
    if (entry_.is_text() && !window) {
      warnings_.push_back(fmt::format("{}: context_window is not given; {} tokens are assumed", place_, kContextWindowUnknown));
    }
    if (entry_.is_text() && !output) {
      warnings_.push_back(fmt::format("{}: max_output_tokens is not given; {} is assumed", place_, kOutputTokensUnknown));
    }
    return {};
  }

  Result<void> read_rest() {
    PLANEXE_TRY(read_text("label", entry_.label));
    PLANEXE_TRY(read_text("comment", entry_.comment));
    PLANEXE_TRY(read_text("transport", entry_.transport));
    if (entry_.label.empty()) entry_.label = entry_.id;
    if (entry_.transport != "auto" && entry_.transport != "responses" && entry_.transport != "chat") {
      return invalid(fmt::format("{}: transport must be auto, responses or chat", place_));
    }
    if (const json::value* strict = object_.if_contains("strict_model")) {
      if (!strict->is_bool()) return invalid(fmt::format("{}: strict_model must be true or false", place_));
      entry_.strict_model = strict->get_bool();
    }
    const json::value* headers = object_.if_contains("headers");
    if (headers == nullptr || headers->is_null()) return {};
    if (!headers->is_object()) return invalid(fmt::format("{}: headers must be an object of texts", place_));
    for (const auto& member : headers->get_object()) {
      const bool clean = member.value().is_string() &&
                         std::string_view(member.value().get_string()).find_first_of("\r\n") == std::string_view::npos;
      if (!clean) return invalid(fmt::format("{}: headers must be an object of texts without line ends", place_));
      entry_.headers.emplace(member.key(), member.value().get_string());
    }
    return {};
  }

  /// `price` in micro-dollars per million tokens, or `cost` in dollars per million tokens.
  Result<void> read_price() {
    const json::value* price = object_.if_contains("price");
    const json::value* cost = object_.if_contains("cost");
    const bool has_price = price != nullptr && !price->is_null();
    const json::value* source = has_price ? price : cost;
    if (source == nullptr || source->is_null()) return {};
    const double unit = has_price ? 1.0 : 1'000'000.0;
    const auto member = [&](std::string_view key) -> std::optional<std::int64_t> {
      const auto number = get_double(*source, key);
      if (!number || !(*number >= 0) || *number * unit > 1e12) return std::nullopt;
      return static_cast<std::int64_t>(std::llround(*number * unit));
    };
    const auto input = member("input");
    const auto output = member("output");
    if (!input || !output) return invalid(fmt::format("{}: a price needs the numbers input and output", place_));
    entry_.price = Price{*input, member("cached_input").value_or(*input), member("cache_write").value_or(-1), *output, "catalogue"};
    return {};
  }

  void warn_of_unknown_keys() {
    for (const auto& member : object_) {
      const std::string_view key = member.key();
      const bool own = std::find(kOwnKeys.begin(), kOwnKeys.end(), key) != kOwnKeys.end() || key == "price";
      if (!own && !is_capability_key(key)) warnings_.push_back(fmt::format("{}: key \"{}\" is not known and ignored", place_, key));
    }
  }

  const json::object& object_;
  std::string place_;
  std::vector<std::string>& warnings_;
  ModelEntry entry_;
};

Result<void> check_references(const Catalogue& catalogue, std::string_view source) {
  for (const ModelEntry& model : catalogue.models) {
    for (const auto* list : {&model.fallback, &model.fallback_context, &model.fallback_policy}) {
      for (const std::string& id : *list) {
        if (catalogue.find(id) == nullptr) {
          return invalid(fmt::format("{}: model \"{}\": fallback names \"{}\", which is no entry", source, model.id, id));
        }
      }
    }
  }
  return {};
}

std::optional<std::filesystem::path> existing(const std::string& folder, const char* name) {
  if (folder.empty()) return std::nullopt;
  std::error_code status;
  const std::filesystem::path path = std::filesystem::path(folder) / name;
  if (!std::filesystem::exists(path, status)) return std::nullopt;
  return path;
}

}  // namespace

bool ModelEntry::is_text() const {
  return std::find(capabilities_list.begin(), capabilities_list.end(), "text") != capabilities_list.end();
}

const ModelEntry* Catalogue::find(std::string_view id) const {
  const auto at = std::find_if(models.begin(), models.end(), [&](const ModelEntry& model) { return model.id == id; });
  return at == models.end() ? nullptr : &*at;
}

Result<Catalogue> parse_catalogue(std::string_view text, std::string_view source_name) {
  const Result<json::value> document = parse_json(text);
  if (!document) return invalid(fmt::format("{}: {}", source_name, document.error().message));
  if (!document->is_object()) return invalid(fmt::format("{}: an object of models by id is expected", source_name));
  if (document->get_object().size() > kModelsMax) return invalid(fmt::format("{}: more than {} models", source_name, kModelsMax));
  Catalogue catalogue;
  for (const auto& member : document->get_object()) {
    if (member.key().empty()) return invalid(fmt::format("{}: a model has an empty id", source_name));
    if (!member.value().is_object()) {
      return invalid(fmt::format("{}: model \"{}\" must be an object", source_name, std::string_view(member.key())));
    }
    EntryReader reader(member.value().get_object(), std::string(member.key()), source_name, catalogue.warnings);
    PLANEXE_TRY_ASSIGN(ModelEntry entry, reader.read());
    catalogue.models.push_back(std::move(entry));
  }
  std::sort(catalogue.models.begin(), catalogue.models.end(), [](const ModelEntry& a, const ModelEntry& b) {
    return std::tie(a.priority, a.id) < std::tie(b.priority, b.id);
  });
  PLANEXE_TRY(check_references(catalogue, source_name));
  return catalogue;
}

Result<Catalogue> load_catalogue(const std::string& data_dir, const std::string& config_path, const std::string& config_json) {
  if (!config_json.empty()) return parse_catalogue(config_json, "PLANEXE_LLM_CONFIG_JSON");
  for (const std::string& folder : {config_path, data_dir}) {
    const auto path = existing(folder, "llm_config.json");
    if (!path) continue;
    PLANEXE_TRY_ASSIGN(const std::string text, read_file(*path, limits::kConfigFileBytesMax));
    return parse_catalogue(text, path->string());
  }
  const embedded::File* file = embedded::find("llm", "llm_config.json");
  PLANEXE_ASSERT(file != nullptr);
  return parse_catalogue(file->bytes, "llm_config.json (built in)");
}

Result<PriceTable> load_prices(const std::string& data_dir, const std::string& config_path) {
  for (const std::string& folder : {config_path, data_dir}) {
    const auto path = existing(folder, "prices.json");
    if (!path) continue;
    PLANEXE_TRY_ASSIGN(const std::string text, read_file(*path, limits::kConfigFileBytesMax));
    return PriceTable::parse(text, path->string());
  }
  return PriceTable::embedded();
}

Catalogue rehearsal_catalogue(const std::string& base_url) {
  ModelEntry entry;
  entry.id = "rehearsal";
  entry.label = "Rehearsal";
  entry.comment = "Stands in for a model: answers come from examples";
  entry.provider = "rehearsal";
  entry.model = "rehearsal";
  entry.base_url = base_url;
  while (entry.base_url.ends_with('/')) entry.base_url.pop_back();
  entry.priority = 1;
  entry.context_window = 1'000'000;
  entry.context_window_known = true;
  entry.max_output_tokens = 128'000;
  apply_provider_defaults(entry);
  Catalogue catalogue;
  catalogue.models.push_back(std::move(entry));
  return catalogue;
}

std::optional<std::string> expand_variables(std::string_view text,
                                            const std::function<std::string(const std::string&)>& value) {
  std::string result;
  while (true) {
    const std::size_t start = text.find("${");
    const std::size_t end = start == std::string_view::npos ? start : text.find('}', start);
    if (end == std::string_view::npos) break;
    result += text.substr(0, start);
    const std::string found = value ? value(std::string(text.substr(start + 2, end - start - 2))) : std::string();
    if (found.empty()) return std::nullopt;
    result += found;
    text.remove_prefix(end + 1);
  }
  result += text;
  return result;
}

bool is_configured(const ModelEntry& model, const std::function<std::string(const std::string&)>& value) {
  if (!expand_variables(model.base_url, value)) return false;
  if (!model.requires_api_key) return true;
  return !model.api_key_env.empty() && value && !value(model.api_key_env).empty();
}

std::vector<std::string> needed_variables(const ModelEntry& model) {
  std::vector<std::string> names;
  if (model.requires_api_key && !model.api_key_env.empty()) names.push_back(model.api_key_env);
  expand_variables(model.base_url, [&](const std::string& name) {
    names.push_back(name);
    return std::string("x");
  });
  return names;
}

}  // namespace planexe::llm
