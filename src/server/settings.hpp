#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/settings.hpp"

namespace planexe::server {

/// A token that opens the interface, kept as its hash only.
struct ApiToken {
  std::string name;
  std::string sha256;
};

/// The settings of `planexe serve`, read once at start.
struct ServerSettings {
  std::string bind = "127.0.0.1";
  unsigned short port = 8080;
  bool cloud_mode = false;
  std::vector<ApiToken> tokens;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> cors_origins;
  std::vector<std::string> trusted_proxies;  ///< addresses, literally
  bool rate_limits = true;
  int max_connections = 16384;
  int max_streams = 12288;
  int max_concurrent_plans = 64;
  int max_queued = 10000;
  std::filesystem::path ui_dir;              ///< empty: the embedded UI
  bool streaming_enabled = true;
  std::string effort_default = "medium";
  std::string reasoning_summary_default = "detailed";
  std::string text_verbosity_default = "high";
  std::optional<std::int64_t> max_output_tokens_default;
  std::string redline_mode = "block";
  bool fast_by_default = false;
  bool rehearsal = false;                    ///< the rehearsal model answers

  [[nodiscard]] bool auth_required() const { return !tokens.empty(); }
  [[nodiscard]] bool loopback() const;

  /// Reads and checks all of them. INVALID_CONFIG names the setting; a public address without a token is one, too.
  static Result<ServerSettings> load(const Settings& settings);
};

}  // namespace planexe::server
