#include "base/settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "base/file.hpp"
#include "base/limits.hpp"

namespace planexe {

namespace {

/// Settings of this program that do not begin with a prefix of its own.
constexpr std::array<std::string_view, 6> kPlainNames{
    "DATABASE_URL", "FAST_BUT_SKIP_DETAILS", "PORT", "REASONING_EFFORT_DEFAULT", "STREAMING_ENABLED", "NO_COLOR"};
constexpr std::array<std::string_view, 2> kPrefixes{"PLANEXE_", "OPENAI_"};

/// The reference implementation read these; here they have no use.
constexpr std::array<std::string_view, 3> kIgnoredNames{"LUIGI_WORKERS", "PLANEXE_ENABLE_AGENT_FALLBACK",
                                                        "PATH_TO_PYTHON"};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::unexpected<Error> invalid(std::string_view name, std::string_view value, const std::string& expected) {
  return fail(ErrorCode::InvalidConfig,
              std::string(name) + " is \"" + masked_value(name, value) + "\"; " + expected + ".");
}

bool is_own_name(std::string_view name) {
  if (std::ranges::find(kPlainNames, name) != kPlainNames.end()) return true;
  if (name.ends_with("_API_KEY")) return true;
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// "scheme://user:password@host" with the password masked.
std::string mask_url_password(std::string_view value) {
  const std::size_t scheme = value.find("://");
  if (scheme == std::string_view::npos) return std::string(value);
  const std::size_t start = scheme + 3;
  const std::size_t end = std::min(value.find_first_of("/?#", start), value.size());
  const std::size_t at = value.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < start) return std::string(value);
  const std::size_t colon = value.find(':', start);
  if (colon == std::string_view::npos || colon > at) return std::string(value);
  return std::string(value.substr(0, colon + 1)) + "***" + std::string(value.substr(at));
}

}  // namespace

Settings::Settings(Values overrides, Values environment, Values env_file)
    : overrides_(std::move(overrides)), environment_(std::move(environment)), env_file_(std::move(env_file)) {}

Result<Settings> Settings::load(Values overrides, Values environment, const std::filesystem::path& env_file) {
  std::error_code ec;
  if (!std::filesystem::exists(env_file, ec)) {
    return Settings(std::move(overrides), std::move(environment), {});
  }
  PLANEXE_TRY_ASSIGN(const auto text, read_file(env_file, limits::kConfigFileBytesMax));
  PLANEXE_TRY_ASSIGN(auto values, parse_env_file(text, env_file.string()));
  return Settings(std::move(overrides), std::move(environment), std::move(values));
}

std::optional<std::string> Settings::get(std::string_view name) const {
  for (const Values* values : {&overrides_, &environment_, &env_file_}) {
    const auto found = values->find(name);
    if (found != values->end() && !found->second.empty()) return found->second;
  }
  return std::nullopt;
}

std::string Settings::get_or(std::string_view name, std::string_view fallback) const {
  return get(name).value_or(std::string(fallback));
}

Result<bool> Settings::get_bool(std::string_view name, bool fallback) const {
  const auto value = get(name);
  if (!value) return fallback;
  const std::string word = lower(*value);
  if (word == "1" || word == "true" || word == "yes" || word == "on") return true;
  if (word == "0" || word == "false" || word == "no" || word == "off") return false;
  return invalid(name, *value, "write true or false");
}

Result<std::int64_t> Settings::get_int(std::string_view name, std::int64_t fallback, std::int64_t min,
                                       std::int64_t max) const {
  const auto value = get(name);
  if (!value) return fallback;
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (status != std::errc{} || end != value->data() + value->size() || number < min || number > max) {
    return invalid(name, *value, "write a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return number;
}

Result<double> Settings::get_double(std::string_view name, double fallback, double min, double max) const {
  const auto value = get(name);
  if (!value) return fallback;
  double number = 0;
  const auto [end, status] = std::from_chars(value->data(), value->data() + value->size(), number);
  const bool whole = status == std::errc{} && end == value->data() + value->size() && std::isfinite(number);
  if (!whole || number < min || number > max) {
    return invalid(name, *value, "write a number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return number;
}

std::vector<std::pair<std::string, std::string>> Settings::masked() const {
  std::set<std::string> names;
  for (const Values* values : {&overrides_, &environment_, &env_file_}) {
    for (const auto& [name, value] : *values) {
      if (is_own_name(name)) names.insert(name);
    }
  }
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& name : names) {
    if (const auto value = get(name)) rows.emplace_back(name, masked_value(name, *value));
  }
  return rows;
}

std::vector<std::string> Settings::secret_values() const {
  std::set<std::string> found;
  for (const Values* values : {&overrides_, &environment_, &env_file_}) {
    for (const auto& [name, value] : *values) {
      if (is_secret_name(name) && !value.empty()) found.insert(value);
    }
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> Settings::ignored_names() const {
  std::vector<std::string> names;
  for (const std::string_view name : kIgnoredNames) {
    if (get(name)) names.emplace_back(name);
  }
  return names;
}

bool is_secret_name(std::string_view name) {
  const std::string lowered = lower(name);
  static constexpr std::array<std::string_view, 7> kEndings{"_key",     "_token",    "_tokens", "_secret",
                                                            "password", "_api_keys", "_passwd"};
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return lowered.ends_with(ending); });
}

std::string masked_value(std::string_view name, std::string_view value) {
  if (value.empty()) return {};
  if (is_secret_name(name)) return "***";
  // Headers in a catalogue may hold keys.
  if (name == "PLANEXE_LLM_CONFIG_JSON") return fmt::format("({} bytes)", value.size());
  return mask_url_password(value);
}

Settings::Values process_environment() {
  Settings::Values values;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    values.insert_or_assign(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
  }
  return values;
}

}  // namespace planexe
