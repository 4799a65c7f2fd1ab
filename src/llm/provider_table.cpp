#include "llm/provider_table.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/embedded.hpp"

namespace planexe::llm {

namespace {

const json::value& table() {
  static const json::value parsed = [] {
    const embedded::File* file = embedded::find("llm", "providers.json");
    PLANEXE_ASSERT(file != nullptr);
    auto document = parse_json(file->bytes);
    PLANEXE_ASSERT(document.has_value());
    return std::move(*document);
  }();
  return parsed;
}

struct Flag {
  std::string_view key;
  bool Capabilities::*member;
};

constexpr std::array<Flag, 16> kFlags{{{"responses", &Capabilities::responses},
                                       {"chat", &Capabilities::chat},
                                       {"strict_on_responses", &Capabilities::strict_on_responses},
                                       {"strict_on_chat", &Capabilities::strict_on_chat},
                                       {"stateful", &Capabilities::stateful},
                                       {"sequence_numbers", &Capabilities::sequence_numbers},
                                       {"store", &Capabilities::store},
                                       {"rate_headers", &Capabilities::rate_headers},
                                       {"prefix_cache", &Capabilities::prefix_cache},
                                       {"sampling", &Capabilities::sampling},
                                       {"cache_key", &Capabilities::cache_key},
                                       {"summary", &Capabilities::summary},
                                       {"obfuscation", &Capabilities::obfuscation},
                                       {"metadata", &Capabilities::metadata},
                                       {"chat_metadata", &Capabilities::chat_metadata},
                                       {"encrypted_reasoning", &Capabilities::encrypted_reasoning}}};

std::unexpected<Error> wrong(std::string_view place, std::string_view key, std::string_view wanted) {
  return fail(ErrorCode::InvalidConfig, fmt::format("{}: {} must be {}", place, key, wanted));
}

Result<void> apply_strings(const json::value& value, std::string_view place, std::string_view key,
                           std::vector<std::string>& target) {
  if (!value.is_array()) return wrong(place, key, "a list of texts");
  target.clear();
  for (const json::value& element : value.get_array()) {
    if (!element.is_string()) return wrong(place, key, "a list of texts");
    target.emplace_back(element.get_string());
  }
  return {};
}

Result<void> apply_count(const json::value& value, std::string_view place, std::string_view key, int& target) {
  const auto number = as_int(value);
  if (!number || *number < 1 || *number > std::numeric_limits<int>::max()) return wrong(place, key, "a whole number above 0");
  target = static_cast<int>(*number);
  return {};
}

Result<void> apply_text(const json::value& value, std::string_view place, std::string_view key,
                        std::initializer_list<std::string_view> allowed, std::string& target) {
  if (value.is_string()) {
    for (const std::string_view name : allowed) {
      if (name == std::string_view(value.get_string())) {
        target = name;
        return {};
      }
    }
  }
  return wrong(place, key, fmt::format("one of: {}", fmt::join(allowed, ", ")));
}

Result<void> apply_auth(const json::value& value, std::string_view place, AuthStyle& target) {
  std::string name;
  PLANEXE_TRY(apply_text(value, place, "auth", {"bearer", "api-key", "x-api-key"}, name));
  target = name == "api-key" ? AuthStyle::api_key : name == "x-api-key" ? AuthStyle::x_api_key : AuthStyle::bearer;
  return {};
}

Result<bool> apply_flag(std::string_view key, const json::value& value, std::string_view place, ModelEntry& entry) {
  bool* target = nullptr;
  for (const Flag& flag : kFlags) {
    if (flag.key == key) target = &(entry.caps.*flag.member);
  }
  if (key == "require_parameters") target = &entry.caps.require_parameters;
  if (key == "requires_api_key") target = &entry.requires_api_key;
  if (target == nullptr) return false;
  if (!value.is_bool()) return wrong(place, key, "true or false");
  *target = value.get_bool();
  return true;
}

/// The model's name without a vendor in front: "openai/gpt-5-mini".
std::string_view bare_name(std::string_view model) {
  const std::size_t slash = model.rfind('/');
  return slash == std::string_view::npos ? model : model.substr(slash + 1);
}

void apply_family(ModelEntry& entry) {
  const json::array* families = get_array(table(), "families");
  PLANEXE_ASSERT(families != nullptr);
  for (const json::value& family : *families) {
    if (!bare_name(entry.model).starts_with(get_string(family, "prefix").value_or("-"))) continue;
    const auto applied = apply_capabilities(family.get_object(), "families", entry);
    PLANEXE_ASSERT(applied.has_value());
    return;
  }
}

}  // namespace

bool is_capability_key(std::string_view key) {
  constexpr std::array<std::string_view, 9> kOthers{"require_parameters", "requires_api_key", "effort_values",
                                                    "verbosity_values",   "background",       "max_tokens_name",
                                                    "auth",               "max_concurrency",  "start_concurrency"};
  for (const Flag& flag : kFlags) {
    if (flag.key == key) return true;
  }
  return std::find(kOthers.begin(), kOthers.end(), key) != kOthers.end();
}

Result<void> apply_capabilities(const json::object& object, std::string_view place, ModelEntry& entry) {
  for (const auto& member : object) {
    const std::string_view key = member.key();
    const json::value& value = member.value();
    PLANEXE_TRY_ASSIGN(const bool flag, apply_flag(key, value, place, entry));
    if (flag) continue;
    if (key == "effort_values") PLANEXE_TRY(apply_strings(value, place, key, entry.caps.effort_values));
    if (key == "verbosity_values") PLANEXE_TRY(apply_strings(value, place, key, entry.caps.verbosity_values));
    if (key == "background") PLANEXE_TRY(apply_text(value, place, key, {"auto", "always", "never"}, entry.caps.background));
    if (key == "max_tokens_name") {
      PLANEXE_TRY(apply_text(value, place, key, {"max_tokens", "max_completion_tokens"}, entry.caps.max_tokens_name));
    }
    if (key == "auth") PLANEXE_TRY(apply_auth(value, place, entry.auth));
    if (key == "max_concurrency") PLANEXE_TRY(apply_count(value, place, key, entry.max_concurrency));
    if (key == "start_concurrency") PLANEXE_TRY(apply_count(value, place, key, entry.start_concurrency));
  }
  return {};
}

bool apply_provider_defaults(ModelEntry& entry) {
  const json::value* provider = find(*find(table(), "providers"), entry.provider);
  if (provider != nullptr) {
    const auto applied = apply_capabilities(provider->get_object(), "providers", entry);
    PLANEXE_ASSERT(applied.has_value());
    if (entry.base_url.empty()) entry.base_url = get_string(*provider, "base_url").value_or("");
    if (entry.api_key_env.empty()) entry.api_key_env = get_string(*provider, "api_key_env").value_or("");
  }
  apply_family(entry);
  return provider != nullptr;
}

std::string known_providers() {
  std::string names;
  for (const auto& member : find(table(), "providers")->get_object()) {
    if (member.key() == "rehearsal") continue;
    if (!names.empty()) names += ", ";
    names += member.key();
  }
  return names;
}

}  // namespace planexe::llm
