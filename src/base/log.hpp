#pragma once

#include <concepts>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace planexe {

enum class LogLevel { trace, debug, info, warn, error, off };

/// "trace", "debug", "info", "warn" (or "warning"), "error", "off". Error: INVALID_CONFIG.
Result<LogLevel> log_level_from(std::string_view name);

struct LogOptions {
  LogLevel level = LogLevel::info;
  enum class Format { plain, json } format = Format::plain;
  /// Takes finished lines without their end; empty: standard error. Called under a lock, so it must not log.
  std::function<void(std::string_view line)> sink;
};

/// Sets up the log of the process; before the first call lines go to standard error from level warn. Once at start.
void configure_logging(LogOptions options);

/// A named value beside a message. Numbers and truth values keep their type in JSON.
struct LogField {
  std::string_view key;
  std::string value;
  bool quoted = true;

  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const std::string& text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(text) {}
  LogField(std::string_view name, bool flag) : key(name), value(flag ? "true" : "false"), quoted(false) {}
  template <std::integral T>
  LogField(std::string_view name, T number) : key(name), value(std::to_string(number)), quoted(false) {}
  LogField(std::string_view name, double number);
};

/// Writes one line with time, level, message and fields. Secrets are masked, control characters escaped (json) or
/// removed (plain), too long lines cut. Never throws. Any thread.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) noexcept;

inline void log_debug(std::string_view message, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::debug, message, fields);
}
inline void log_info(std::string_view message, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::info, message, fields);
}
inline void log_warn(std::string_view message, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::warn, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::error, message, fields);
}

/// From now on this value is masked in every line. Values below limits::kSecretCharsMin are not taken: they would mask
/// ordinary words. Any thread.
void register_secret(std::string_view value);

/// The text with every registered secret, and what looks like one ("Bearer …", "sk-…", passwords in URLs), as "***".
std::string redact(std::string_view text);

}  // namespace planexe
