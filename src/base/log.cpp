#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace planexe {

namespace {

using Format = LogOptions::Format;
using Sink = std::function<void(std::string_view)>;

spdlog::level::level_enum native(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return spdlog::level::trace;
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace: return "trace";
    case spdlog::level::debug: return "debug";
    case spdlog::level::info: return "info";
    case spdlog::level::warn: return "warn";
    default: return "error";
  }
}

/// Puts time and level before a message whose text is escaped already, in the format of the process.
class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(Format format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string time = format_iso(std::chrono::floor<std::chrono::milliseconds>(message.time));
    const std::string_view payload(message.payload.data(), message.payload.size());
    if (format_ == Format::json) {
      fmt::format_to(fmt::appender(out), R"({{"time":"{}","level":"{}",{}}})", time, level_name(message.level),
                     payload);
    } else {
      fmt::format_to(fmt::appender(out), "{} {:<5} {}", time, level_name(message.level), payload);
    }
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  Format format_;
};

class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(Sink sink) : sink_(std::move(sink)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (sink_) {
      sink_({line.data(), line.size()});
      return;
    }
    line.push_back('\n');
    // One call per line, so that lines of several processes do not mix.
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
  void flush_() override { std::fflush(stderr); }

 private:
  Sink sink_;
};

struct State {
  Format format;
  spdlog::logger logger;
};

std::shared_ptr<State> make_state(LogOptions options) {
  auto sink = std::make_shared<LineSink>(std::move(options.sink));
  auto state = std::make_shared<State>(State{options.format, spdlog::logger("planexe", sink)});
  state->logger.set_formatter(std::make_unique<LineFormatter>(options.format));
  state->logger.set_level(native(options.level));
  return state;
}

/// The current set-up; replaced as a whole, so that a line in work keeps the one it began with.
class Current {
 public:
  std::shared_ptr<State> get() {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  void set(std::shared_ptr<State> state) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<State> state_ = make_state({.level = LogLevel::warn, .format = Format::plain, .sink = {}});
};

Current& current() {
  // Never destroyed: threads may log until the very end of the process.
  static auto* instance = new Current;
  return *instance;
}

/// Masked, valid UTF-8, and within what is left of the line.
std::string clean(std::string_view text, std::size_t& budget) {
  // Only a little more than fits is worth masking; a secret that the cut splits is masked as a whole before.
  std::string masked = to_valid_utf8(redact(text.substr(0, 4 * limits::kLogLineBytesMax)));
  if (masked.size() > budget) {
    masked = cut_code_points(masked, budget / 4) + "…";
  }
  budget -= std::min(budget, masked.size());
  return masked;
}

std::string json_payload(std::string_view message, std::initializer_list<LogField> fields) {
  std::size_t budget = limits::kLogLineBytesMax;
  std::string out = "\"message\":" + to_json(json::value(clean(message, budget)));
  for (const LogField& field : fields) {
    out += ',' + to_json(json::value(field.key)) + ':';
    out += field.quoted ? to_json(json::value(clean(field.value, budget))) : field.value;
  }
  return out;
}

std::string one_line(std::string_view text) {
  return replace_all(replace_all(strip_control(text), "\n", "\\n"), "\t", " ");
}

std::string plain_payload(std::string_view message, std::initializer_list<LogField> fields) {
  std::size_t budget = limits::kLogLineBytesMax;
  std::string out = one_line(clean(message, budget));
  for (const LogField& field : fields) {
    out += ' ' + std::string(field.key) + '=';
    const std::string value = one_line(clean(field.value, budget));
    const bool bare = !value.empty() && value.find_first_of(" \"=") == std::string::npos;
    out += bare ? value : to_json(json::value(value));
  }
  return out;
}

}  // namespace

LogField::LogField(std::string_view name, double number)
    : key(name), value(to_json(json::value(number))), quoted(false) {}

Result<LogLevel> log_level_from(std::string_view name) {
  if (name == "trace") return LogLevel::trace;
  if (name == "debug") return LogLevel::debug;
  if (name == "info") return LogLevel::info;
  if (name == "warn" || name == "warning") return LogLevel::warn;
  if (name == "error") return LogLevel::error;
  if (name == "off") return LogLevel::off;
  return fail(ErrorCode::InvalidConfig,
              "Unknown log level \"" + cut_code_points(name, 40) + "\"; write trace, debug, info, warn, error or off.");
}

void configure_logging(LogOptions options) { current().set(make_state(std::move(options))); }

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) noexcept {
  try {
    const auto state = current().get();
    if (!state->logger.should_log(native(level))) return;
    const std::string payload =
        state->format == Format::json ? json_payload(message, fields) : plain_payload(message, fields);
    state->logger.log(native(level), spdlog::string_view_t(payload.data(), payload.size()));
  } catch (const std::exception& error) {
    // A line that cannot be written must not end the work that wrote it.
    std::fprintf(stderr, "planexe: a log line was lost: %s\n", error.what());
  }
}

}  // namespace planexe
