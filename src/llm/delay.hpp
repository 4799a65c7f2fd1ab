#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/time.hpp"
#include "llm/settings.hpp"

namespace planexe::llm {

/// Response headers by lower-case name.
using HeaderMap = std::map<std::string, std::string, std::less<>>;

/// A Go duration such as "20ms", "1s", "6m0s", "1h2m3s", "1.5s"; nothing for any other text or a negative one.
std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text);

/// Seconds ("2", "0.5"); nothing when not finite, not a number or not above zero.
std::optional<std::chrono::milliseconds> parse_seconds(std::string_view text);

/// An HTTP date (RFC 9110 5.6.7, the three formats); nothing for any other text.
std::optional<TimePoint> parse_http_date(std::string_view text);

/// The delay in a message text: "try again in 1.2s", "retry after 20 seconds", "in 350ms".
std::optional<std::chrono::milliseconds> delay_in_text(std::string_view message);

/// What the server wants to be waited: `retry-after-ms`, then `retry-after` (seconds or date), then the message text.
/// A delay of zero or less, or an unreadable one, is none.
std::optional<std::chrono::milliseconds> server_delay(const HeaderMap& headers, std::string_view message, TimePoint now);

/// Own back-off before retry number `n` (from 0), with jitter.
std::chrono::milliseconds backoff(const ClientSettings& settings, int n, bool rate_limited, Random& random);

/// The server's delay is a minimum; up to settings.server_delay_extra_max is added.
std::chrono::milliseconds with_extra(const ClientSettings& settings, std::chrono::milliseconds delay, Random& random);

}  // namespace planexe::llm
