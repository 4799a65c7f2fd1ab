#include "base/testpoint.hpp"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace planexe::testpoint {

std::atomic<bool> armed{false};

namespace {

/// Exit status of the action `exit`; no other part of the program uses it.
constexpr int kExitStatus = 86;

enum class Action { kill, exit, error };

struct Point {
  Action action = Action::error;
  std::uint32_t at = 1;
  bool and_later = false;
  std::uint32_t hits = 0;
};

using Points = std::map<std::string, Point, std::less<>>;

struct Registry {
  std::mutex mutex;
  Points points;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

std::unexpected<Error> bad(std::string_view item) {
  return fail(ErrorCode::InvalidConfig, "PLANEXE_TESTPOINTS: cannot read \"" + std::string(item) +
                                            "\"; write name=kill@3, name=exit or name=error@2+.");
}

Result<std::pair<std::string, Point>> parse_item(std::string_view item) {
  const std::size_t equals = item.find('=');
  if (equals == 0 || equals == std::string_view::npos) return bad(item);
  std::string_view action = item.substr(equals + 1);
  Point point;
  if (action.ends_with('+')) {
    point.and_later = true;
    action.remove_suffix(1);
  }
  if (const std::size_t at = action.find('@'); at != std::string_view::npos) {
    const std::string_view count = action.substr(at + 1);
    const auto [end, status] = std::from_chars(count.data(), count.data() + count.size(), point.at);
    if (status != std::errc{} || end != count.data() + count.size() || point.at == 0) return bad(item);
    action = action.substr(0, at);
  }
  if (action == "kill")
    point.action = Action::kill;
  else if (action == "exit")
    point.action = Action::exit;
  else if (action != "error")
    return bad(item);
  return std::pair{std::string(item.substr(0, equals)), point};
}

Result<Points> parse(std::string_view spec) {
  Points points;
  while (!spec.empty()) {
    const std::size_t comma = spec.find(',');
    const std::string_view item = spec.substr(0, comma);
    spec = comma == std::string_view::npos ? std::string_view{} : spec.substr(comma + 1);
    if (item.empty()) continue;
    PLANEXE_TRY_ASSIGN(auto point, parse_item(item));
    points.insert_or_assign(std::move(point.first), point.second);
  }
  return points;
}

bool stands_for(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

/// Counts the hit; the action that is due, if any.
std::optional<Action> due(std::string_view name) {
  auto& [mutex, points] = registry();
  const std::lock_guard lock(mutex);
  std::optional<Action> action;
  for (auto& [pattern, point] : points) {
    if (!stands_for(pattern, name)) continue;
    ++point.hits;
    if (point.hits == point.at || (point.and_later && point.hits > point.at)) action = point.action;
  }
  return action;
}

/// The environment is read before main(), so that no point is missed.
const bool configured_from_environment = [] {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before main() there is one thread
  const char* spec = std::getenv("PLANEXE_TESTPOINTS");
  if (spec == nullptr || *spec == '\0') return false;
  if (const auto done = configure(spec); !done) {
    std::fprintf(stderr, "planexe: %s\n", done.error().message.c_str());
    ::_exit(3);
  }
  return true;
}();

}  // namespace

bool hit(std::string_view name) {
  const auto action = due(name);
  if (!action) return false;
  if (*action == Action::kill) ::kill(::getpid(), SIGKILL);
  if (*action == Action::exit) ::_exit(kExitStatus);
  return *action == Action::error;
}

Result<void> configure(std::string_view spec) {
  PLANEXE_TRY_ASSIGN(auto parsed, parse(spec));
  auto& [mutex, points] = registry();
  const std::lock_guard lock(mutex);
  points = std::move(parsed);
  armed.store(!points.empty(), std::memory_order_relaxed);
  return {};
}

}  // namespace planexe::testpoint
