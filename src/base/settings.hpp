#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace planexe {

/// The settings of a process, read once at start and passed down. First wins: command line, environment, .env file,
/// then the caller's default. An empty value counts as not set. Immutable after loading; safe from any thread.
class Settings {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;

  Settings() = default;
  Settings(Values overrides, Values environment, Values env_file);

  /// Reads the .env file at `env_file` if there is one. Error: INVALID_CONFIG with the line.
  static Result<Settings> load(Values overrides, Values environment, const std::filesystem::path& env_file);

  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
  [[nodiscard]] std::string get_or(std::string_view name, std::string_view fallback) const;

  /// 1/true/yes/on and 0/false/no/off in any case; anything else is INVALID_CONFIG, never a silent default.
  [[nodiscard]] Result<bool> get_bool(std::string_view name, bool fallback) const;

  /// A whole number in [min, max]. Error: INVALID_CONFIG.
  [[nodiscard]] Result<std::int64_t> get_int(std::string_view name, std::int64_t fallback, std::int64_t min,
                                             std::int64_t max) const;

  /// A finite number in [min, max]. Error: INVALID_CONFIG.
  [[nodiscard]] Result<double> get_double(std::string_view name, double fallback, double min, double max) const;

  /// Name and value of every setting of this program that is set, sorted; secrets are masked. For the start-up log.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> masked() const;

  /// The values of all secrets that are set, for register_secret().
  [[nodiscard]] std::vector<std::string> secret_values() const;

  /// Names that only the reference implementation used, as far as set: to be named in one warning.
  [[nodiscard]] std::vector<std::string> ignored_names() const;

 private:
  Values overrides_;
  Values environment_;
  Values env_file_;
};

/// True for names that hold keys, tokens or passwords: they are never printed.
bool is_secret_name(std::string_view name);

/// The value fit to be printed: "***" for secrets, URLs without their password.
std::string masked_value(std::string_view name, std::string_view value);

/// Lines KEY=VALUE. `export ` before the key, blank lines and comments (# at the start of a line, or after white space
/// behind an unquoted value) are allowed. 'single' quotes keep all characters; "double" quotes know \n \t \" \\ \$.
/// Nothing is expanded. A later line wins. `source` names the file in errors (INVALID_CONFIG).
Result<Settings::Values> parse_env_file(std::string_view text, std::string_view source);

/// The environment of this process.
Settings::Values process_environment();

}  // namespace planexe
