#include "server/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "server/access.hpp"

namespace planexe::server {
namespace {

constexpr std::string_view kTokenChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
constexpr std::size_t kTokenCharsMin = 16, kTokenCharsMax = 256, kTokenNameCharsMax = 64;
/// Nobody writes longer lists by hand, and every request is compared with all of them.
constexpr std::size_t kListMax = 256;

std::unexpected<Error> refuse(std::string_view name, const std::string& reason) {
  return fail(ErrorCode::InvalidConfig, fmt::format("{} {}", name, reason));
}

/// The parts of a comma-separated setting, trimmed, without empty ones.
Result<std::vector<std::string>> list_of(const Settings& settings, std::string_view name) {
  std::vector<std::string> parts;
  const std::string text = settings.get_or(name, "");
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    if (auto part = trim(std::string_view(text).substr(at, end - at)); !part.empty()) parts.push_back(std::move(part));
    at = end + 1;
  }
  if (parts.size() > kListMax) return refuse(name, fmt::format("has more than {} entries.", kListMax));
  return parts;
}

Result<std::string> word_of(const Settings& settings, std::string_view name, std::string_view fallback,
                            std::initializer_list<std::string_view> words) {
  auto word = settings.get_or(name, fallback);
  if (std::ranges::find(words, word) != words.end()) return word;
  return refuse(name, fmt::format("is \"{}\"; write one of {}.", strip_control(word), fmt::join(words, ", ")));
}

Result<int> count_of(const Settings& settings, std::string_view name, int fallback, int max) {
  PLANEXE_TRY_ASSIGN(const auto number, settings.get_int(name, fallback, 1, max));
  return static_cast<int>(number);
}

/// The messages name entries by their place: a misplaced token must not end up on the screen.
Result<std::vector<ApiToken>> read_tokens(const Settings& settings) {
  constexpr std::string_view kName = "PLANEXE_API_TOKENS";
  PLANEXE_TRY_ASSIGN(const auto entries, list_of(settings, kName));
  std::vector<ApiToken> tokens;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string_view entry = entries[i];
    const auto colon = entry.find(':');
    if (colon == std::string_view::npos)
      return refuse(kName, fmt::format("entry {} has no colon; write name:token.", i + 1));
    const auto name = entry.substr(0, colon);
    const auto token = entry.substr(colon + 1);
    if (name.empty() || name.size() > kTokenNameCharsMax ||
        name.find_first_not_of(kTokenChars) != std::string_view::npos)
      return refuse(kName,
                    fmt::format("entry {}: a name has 1 to {} letters, digits or . _ ~ -.", i + 1, kTokenNameCharsMax));
    if (token.size() < kTokenCharsMin || token.size() > kTokenCharsMax ||
        token.find_first_not_of(kTokenChars) != std::string_view::npos)
      return refuse(kName, fmt::format("entry {}: a token has {} to {} letters, digits or . _ ~ -.", i + 1,
                                       kTokenCharsMin, kTokenCharsMax));
    register_secret(token);
    ApiToken read{std::string(name), sha256_hex(token)};
    for (const auto& other : tokens)
      if (other.name == read.name || other.sha256 == read.sha256)
        return refuse(kName, fmt::format("entry {} has the name or the token of another one.", i + 1));
    tokens.push_back(std::move(read));
  }
  return tokens;
}

Result<std::vector<std::string>> read_hosts(const Settings& settings) {
  constexpr std::string_view kName = "PLANEXE_ALLOWED_HOSTS";
  PLANEXE_TRY_ASSIGN(auto hosts, list_of(settings, kName));
  for (auto& host : hosts) {
    const auto place = parse_host(host);
    if (!place)
      return refuse(kName, fmt::format("has \"{}\"; write names such as plans.example.com or plans.example.com:8443.",
                                       strip_control(host)));
    host = place->host + (place->port.empty() ? "" : ":" + place->port);
  }
  return hosts;
}

Result<std::vector<std::string>> read_origins(const Settings& settings, bool cloud) {
  constexpr std::string_view kName = "PLANEXE_CORS_ORIGINS";
  if (!settings.get(kName)) {
    if (cloud) return std::vector<std::string>{};
    return std::vector<std::string>{"http://localhost:3000", "http://localhost:3001"};
  }
  PLANEXE_TRY_ASSIGN(auto origins, list_of(settings, kName));
  if (origins.size() == 1 && origins.front() == "none") return std::vector<std::string>{};
  for (auto& origin : origins) {
    const auto normal = normal_origin(origin);
    if (!normal)
      return refuse(kName, fmt::format("has \"{}\"; write exact origins such as https://app.example.com.",
                                       strip_control(origin)));
    origin = *normal;
  }
  return origins;
}

Result<std::vector<std::string>> read_proxies(const Settings& settings) {
  constexpr std::string_view kName = "PLANEXE_TRUSTED_PROXIES";
  PLANEXE_TRY_ASSIGN(auto proxies, list_of(settings, kName));
  for (auto& proxy : proxies) {
    const auto address = normal_address(proxy);
    if (!address) return refuse(kName, fmt::format("has \"{}\"; write IP addresses.", strip_control(proxy)));
    proxy = *address;
  }
  return proxies;
}

Result<void> read_address(const Settings& settings, ServerSettings& out) {
  PLANEXE_TRY_ASSIGN(out.cloud_mode, settings.get_bool("PLANEXE_CLOUD_MODE", false));
  out.bind = settings.get_or("PLANEXE_BIND", out.cloud_mode ? "0.0.0.0" : "127.0.0.1");
  if (out.bind != "localhost") {
    const auto address = normal_address(out.bind);
    if (!address)
      return refuse("PLANEXE_BIND",
                    fmt::format("is \"{}\"; write an IP address or localhost.", strip_control(out.bind)));
    out.bind = *address;
  }
  PLANEXE_TRY_ASSIGN(const auto port, settings.get_int("PORT", 8080, 0, 65535));
  out.port = static_cast<unsigned short>(port);
  return {};
}

Result<void> read_access(const Settings& settings, ServerSettings& out) {
  PLANEXE_TRY_ASSIGN(out.tokens, read_tokens(settings));
  PLANEXE_TRY_ASSIGN(const auto insecure, settings.get_bool("PLANEXE_ALLOW_INSECURE_PUBLIC", false));
  if (!out.loopback() && out.tokens.empty() && !insecure)
    return refuse(
        "PLANEXE_API_TOKENS",
        fmt::format("is not set, but {} can be reached from other machines; set name:token, bind to 127.0.0.1, or set "
                    "PLANEXE_ALLOW_INSECURE_PUBLIC=true.",
                    out.bind));
  PLANEXE_TRY_ASSIGN(out.allowed_hosts, read_hosts(settings));
  PLANEXE_TRY_ASSIGN(out.cors_origins, read_origins(settings, out.cloud_mode));
  PLANEXE_TRY_ASSIGN(out.trusted_proxies, read_proxies(settings));
  PLANEXE_TRY_ASSIGN(out.rate_limits, settings.get_bool("PLANEXE_RATE_LIMITS", true));
  return {};
}

Result<void> read_operation(const Settings& settings, ServerSettings& out) {
  PLANEXE_TRY_ASSIGN(out.max_connections,
                     count_of(settings, "PLANEXE_MAX_CONNECTIONS", out.max_connections, 1'000'000));
  PLANEXE_TRY_ASSIGN(out.max_streams, count_of(settings, "PLANEXE_MAX_STREAMS", out.max_streams, 1'000'000));
  PLANEXE_TRY_ASSIGN(out.max_concurrent_plans,
                     count_of(settings, "PLANEXE_MAX_CONCURRENT_PLANS", out.max_concurrent_plans, 100'000));
  PLANEXE_TRY_ASSIGN(out.max_queued, count_of(settings, "PLANEXE_MAX_QUEUED", out.max_queued, 1'000'000));
  if (const auto folder = settings.get("PLANEXE_UI_DIR")) {
    out.ui_dir = *folder;
    std::error_code ec;
    if (!std::filesystem::is_directory(out.ui_dir, ec)) return refuse("PLANEXE_UI_DIR", "is no folder.");
  }
  return {};
}

Result<void> read_model_defaults(const Settings& settings, ServerSettings& out) {
  PLANEXE_TRY_ASSIGN(const auto streaming, settings.get_bool("STREAMING_ENABLED", true));
  PLANEXE_TRY_ASSIGN(out.streaming_enabled, settings.get_bool("PLANEXE_STREAMING_ENABLED", streaming));
  PLANEXE_TRY_ASSIGN(out.effort_default,
                     word_of(settings, "REASONING_EFFORT_DEFAULT", "medium", {"minimal", "low", "medium", "high"}));
  PLANEXE_TRY_ASSIGN(out.reasoning_summary_default,
                     word_of(settings, "OPENAI_REASONING_SUMMARY", "detailed", {"auto", "concise", "detailed"}));
  PLANEXE_TRY_ASSIGN(out.text_verbosity_default,
                     word_of(settings, "OPENAI_TEXT_VERBOSITY", "high", {"low", "medium", "high"}));
  PLANEXE_TRY_ASSIGN(out.redline_mode, word_of(settings, "PLANEXE_REDLINE_MODE", "block", {"block", "warn"}));
  PLANEXE_TRY_ASSIGN(out.fast_by_default, settings.get_bool("FAST_BUT_SKIP_DETAILS", false));
  constexpr std::int64_t kMost = 10'000'000;
  PLANEXE_TRY_ASSIGN(const auto least, settings.get_int("OPENAI_MIN_OUTPUT_TOKENS", 512, 1, kMost));
  PLANEXE_TRY_ASSIGN(const auto ceiling, settings.get_int("OPENAI_MAX_OUTPUT_TOKENS_CEILING",
                                                          std::max<std::int64_t>(least, 120'000), least, kMost));
  if (settings.get("OPENAI_MAX_OUTPUT_TOKENS")) {
    PLANEXE_TRY_ASSIGN(out.max_output_tokens_default,
                       settings.get_int("OPENAI_MAX_OUTPUT_TOKENS", least, least, ceiling));
  }
  return {};
}

}  // namespace

bool ServerSettings::loopback() const { return bind == "localhost" || bind == "::1" || bind.starts_with("127."); }

Result<ServerSettings> ServerSettings::load(const Settings& settings) {
  ServerSettings out;
  PLANEXE_TRY(read_address(settings, out));
  PLANEXE_TRY(read_access(settings, out));
  PLANEXE_TRY(read_operation(settings, out));
  PLANEXE_TRY(read_model_defaults(settings, out));
  return out;
}

}  // namespace planexe::server
