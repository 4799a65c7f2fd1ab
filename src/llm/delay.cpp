#include "llm/delay.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.hpp"

namespace planexe::llm {

namespace {

using std::chrono::milliseconds;

/// A day: longer delays are never waited for, and the figure stays far from overflow.
constexpr double kMillisecondsMax = 86'400'000.0;

std::optional<milliseconds> to_delay(double ms) {
  if (!std::isfinite(ms) || ms <= 0) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(std::ceil(std::min(ms, kMillisecondsMax))));
}

std::optional<double> number_at(std::string_view& text) {
  double number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (status != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

struct Unit {
  std::string_view name;
  double ms;
};

/// Longer names first, so that "ms" is not read as "m".
constexpr std::array<Unit, 6> kGoUnits{{{"ns", 1e-6}, {"us", 1e-3}, {"ms", 1}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}}};
constexpr std::array<Unit, 9> kTextUnits{{{"milliseconds", 1}, {"millisecond", 1}, {"minutes", 60'000}, {"minute", 60'000},
                                          {"seconds", 1'000}, {"second", 1'000}, {"hours", 3'600'000}, {"hour", 3'600'000},
                                          {"sec", 1'000}}};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The duration a text begins with: units in words, or a Go duration up to the first other character.
std::optional<milliseconds> leading_duration(std::string_view text) {
  std::string_view rest = text;
  const auto number = number_at(rest);
  if (!number) return std::nullopt;
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  for (const Unit& unit : kTextUnits) {
    const bool whole_word = rest.starts_with(unit.name) &&
                            (rest.size() == unit.name.size() || !is_letter(rest[unit.name.size()]));
    if (whole_word) return to_delay(*number * unit.ms);
  }
  std::size_t length = 0;
  while (length < text.size() && (is_letter(text[length]) || text[length] == '.' || (text[length] >= '0' && text[length] <= '9'))) {
    ++length;
  }
  std::string_view word = text.substr(0, length);
  while (word.ends_with('.')) word.remove_suffix(1);
  return parse_go_duration(word);
}

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct DateParts {
  std::string_view day, month, year, time;
};

std::optional<int> digits(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  int value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<TimePoint> to_time(const DateParts& parts) {
  const auto day = digits(parts.day);
  auto year = digits(parts.year);
  const auto month = std::find(kMonths.begin(), kMonths.end(), parts.month);
  if (!day || !year || month == kMonths.end() || parts.time.size() != 8) return std::nullopt;
  if (parts.year.size() == 2) *year += *year < 70 ? 2000 : 1900;
  const auto hours = digits(parts.time.substr(0, 2));
  const auto minutes = digits(parts.time.substr(3, 2));
  const auto seconds = digits(parts.time.substr(6, 2));
  const Date date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                  std::chrono::day(static_cast<unsigned>(*day))};
  if (!hours || !minutes || !seconds || !date.ok()) return std::nullopt;
  if (*hours > 23 || *minutes > 59 || *seconds > 60) return std::nullopt;
  return TimePoint(std::chrono::sys_days(date)) + std::chrono::hours(*hours) + std::chrono::minutes(*minutes) +
         std::chrono::seconds(*seconds);
}

}  // namespace

std::optional<milliseconds> parse_go_duration(std::string_view text) {
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto number = number_at(text);
    if (!number || *number < 0) return std::nullopt;
    const auto unit = std::find_if(kGoUnits.begin(), kGoUnits.end(),
                                   [&](const Unit& candidate) { return text.starts_with(candidate.name); });
    if (unit == kGoUnits.end()) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += *number * unit->ms;
  }
  if (total == 0) return milliseconds(0);
  return to_delay(total);
}

std::optional<milliseconds> parse_seconds(std::string_view text) {
  const std::string trimmed = trim(text);
  std::string_view rest = trimmed;
  const auto number = number_at(rest);
  if (!number || !rest.empty()) return std::nullopt;
  return to_delay(*number * 1'000);
}

std::optional<TimePoint> parse_http_date(std::string_view raw) {
  const std::string text = trim(raw);
  const std::string_view t = text;
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  if (t.size() == 29 && t[3] == ',') return to_time({t.substr(5, 2), t.substr(8, 3), t.substr(12, 4), t.substr(17, 8)});
  // "Sun Nov  6 08:49:37 1994"
  if (t.size() == 24 && t[3] == ' ') return to_time({t.substr(8, 2), t.substr(4, 3), t.substr(20, 4), t.substr(11, 8)});
  // "Sunday, 06-Nov-94 08:49:37 GMT"
  const std::size_t comma = t.find(", ");
  if (comma == std::string_view::npos || t.size() != comma + 24) return std::nullopt;
  const std::string_view rest = t.substr(comma + 2);
  return to_time({rest.substr(0, 2), rest.substr(3, 3), rest.substr(7, 2), rest.substr(10, 8)});
}

std::optional<milliseconds> delay_in_text(std::string_view message) {
  constexpr std::array<std::string_view, 4> kIntroductions{"try again in ", "retry after ", "retry in ", "again after "};
  for (const std::string_view introduction : kIntroductions) {
    const std::size_t at = message.find(introduction);
    if (at == std::string_view::npos) continue;
    if (const auto delay = leading_duration(message.substr(at + introduction.size()))) {
      return delay->count() > 0 ? delay : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<milliseconds> server_delay(const HeaderMap& headers, std::string_view message, TimePoint now) {
  if (const auto at = headers.find("retry-after-ms"); at != headers.end()) {
    const std::string trimmed = trim(at->second);
    std::string_view rest = trimmed;
    if (const auto number = number_at(rest); number && rest.empty()) {
      if (const auto delay = to_delay(*number)) return delay;
    }
  }
  if (const auto at = headers.find("retry-after"); at != headers.end()) {
    if (const auto delay = parse_seconds(at->second)) return delay;
    if (const auto date = parse_http_date(at->second); date && *date > now) return *date - now;
  }
  return delay_in_text(message);
}

milliseconds backoff(const ClientSettings& settings, int n, bool rate_limited, Random& random) {
  const auto ceiling = rate_limited ? settings.backoff_rate_limited_max : settings.backoff_max;
  // Beyond 2^16 the ceiling holds for any sensible setting.
  const double grown = static_cast<double>(settings.backoff_base.count()) * std::exp2(std::clamp(n, 0, 16));
  const double limited = std::min(grown, static_cast<double>(ceiling.count()));
  const double factor = settings.jitter_min + (1.0 - settings.jitter_min) * random.uniform();
  return milliseconds(static_cast<std::int64_t>(limited * factor));
}

milliseconds with_extra(const ClientSettings& settings, milliseconds delay, Random& random) {
  const auto extra = static_cast<std::uint64_t>(std::max<std::int64_t>(settings.server_delay_extra_max.count(), 0));
  return delay + milliseconds(static_cast<std::int64_t>(random.below(extra + 1)));
}

}  // namespace planexe::llm
