#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "server/settings.hpp"
#include "support/temp_dir.hpp"

namespace planexe::server {
namespace {

Result<ServerSettings> load(Settings::Values values) {
  return ServerSettings::load(Settings({}, std::move(values), {}));
}

std::string refusal(Settings::Values values) {
  const auto result = load(std::move(values));
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
  return result.error().message;
}

TEST(ServerSettings, Defaults) {
  const auto settings = load({}).value();
  EXPECT_EQ(settings.bind, "127.0.0.1");
  EXPECT_EQ(settings.port, 8080);
  EXPECT_TRUE(settings.loopback());
  EXPECT_FALSE(settings.auth_required());
  EXPECT_TRUE(settings.rate_limits);
  EXPECT_TRUE(settings.streaming_enabled);
  EXPECT_EQ(settings.cors_origins, (std::vector<std::string>{"http://localhost:3000", "http://localhost:3001"}));
  EXPECT_EQ(settings.max_connections, 16384);
  EXPECT_EQ(settings.max_streams, 12288);
  EXPECT_EQ(settings.max_concurrent_plans, 64);
  EXPECT_EQ(settings.max_queued, 10000);
  EXPECT_EQ(settings.effort_default, "medium");
  EXPECT_EQ(settings.reasoning_summary_default, "detailed");
  EXPECT_EQ(settings.text_verbosity_default, "high");
  EXPECT_EQ(settings.max_output_tokens_default, std::nullopt);
  EXPECT_EQ(settings.redline_mode, "block");
  EXPECT_FALSE(settings.fast_by_default);
}

TEST(ServerSettings, APublicAddressNeedsATokenOrTheWordOfTheUser) {
  EXPECT_EQ(refusal({{"PLANEXE_BIND", "0.0.0.0"}}).find("PLANEXE_API_TOKENS is not set"), 0U);
  EXPECT_EQ(refusal({{"PLANEXE_CLOUD_MODE", "true"}}).find("PLANEXE_API_TOKENS is not set"), 0U);
  EXPECT_EQ(refusal({{"PLANEXE_BIND", "::"}}).find("PLANEXE_API_TOKENS is not set"), 0U);
  EXPECT_LE(refusal({{"PLANEXE_BIND", "0.0.0.0"}}).size(), 200U);
  EXPECT_TRUE(load({{"PLANEXE_BIND", "0.0.0.0"}, {"PLANEXE_ALLOW_INSECURE_PUBLIC", "true"}}));
  EXPECT_TRUE(load({{"PLANEXE_BIND", "0.0.0.0"}, {"PLANEXE_API_TOKENS", "me:0123456789abcdef"}}));
  for (const char* own : {"127.0.0.1", "127.8.0.1", "::1", "localhost", "::ffff:127.0.0.1"})
    EXPECT_TRUE(load({{"PLANEXE_BIND", own}})) << own;
}

TEST(ServerSettings, CloudModeChangesAddressAndOrigins) {
  const auto settings = load({{"PLANEXE_CLOUD_MODE", "1"}, {"PLANEXE_API_TOKENS", "me:0123456789abcdef"}}).value();
  EXPECT_EQ(settings.bind, "0.0.0.0");
  EXPECT_TRUE(settings.cors_origins.empty());
  EXPECT_EQ(load({{"PLANEXE_CLOUD_MODE", "false"}})->bind, "127.0.0.1");
}

TEST(ServerSettings, TokensAreKeptAsHashesAndMaskedInLogs) {
  const auto settings =
      load({{"PLANEXE_API_TOKENS", "alice:secret-token-of-alice, bob:secret-token-of-bob1,"}}).value();
  ASSERT_EQ(settings.tokens.size(), 2U);
  EXPECT_EQ(settings.tokens[0].name, "alice");
  EXPECT_EQ(settings.tokens[0].sha256, sha256_hex("secret-token-of-alice"));
  EXPECT_EQ(settings.tokens[1].name, "bob");
  EXPECT_EQ(redact("x secret-token-of-bob1 y"), "x *** y");
}

TEST(ServerSettings, BadTokensAreRefusedWithoutBeingShown) {
  for (const char* bad : {"nameless-token-of-enough-letters", "me:too-short", "me:0123456789abcdef with blanks",
                          ":0123456789abcdef", "me:0123456789abcdef,me:fedcba9876543210",
                          "me:0123456789abcdef,you:0123456789abcdef", "a b:0123456789abcdef"}) {
    const auto message = refusal({{"PLANEXE_API_TOKENS", bad}});
    EXPECT_EQ(message.find("PLANEXE_API_TOKENS entry"), 0U) << message;
    EXPECT_EQ(message.find("0123456789"), std::string::npos) << message;
    EXPECT_EQ(message.find("nameless-token"), std::string::npos) << message;
  }
}

TEST(ServerSettings, TokenLengthsAtTheLimit) {
  EXPECT_TRUE(load({{"PLANEXE_API_TOKENS", "me:" + std::string(16, 'a')}}));
  EXPECT_TRUE(load({{"PLANEXE_API_TOKENS", "me:" + std::string(256, 'a')}}));
  EXPECT_FALSE(load({{"PLANEXE_API_TOKENS", "me:" + std::string(15, 'a')}}));
  EXPECT_FALSE(load({{"PLANEXE_API_TOKENS", "me:" + std::string(257, 'a')}}));
}

TEST(ServerSettings, ListsAreReadInOneForm) {
  const auto settings = load({{"PLANEXE_CORS_ORIGINS", "HTTPS://App.Example.com:443 , http://10.0.0.1:3000"},
                              {"PLANEXE_ALLOWED_HOSTS", "Plans.Example.com, [::1]:9000"},
                              {"PLANEXE_TRUSTED_PROXIES", "::ffff:10.0.0.7,2001:DB8::1"}})
                            .value();
  EXPECT_EQ(settings.cors_origins, (std::vector<std::string>{"https://app.example.com", "http://10.0.0.1:3000"}));
  EXPECT_EQ(settings.allowed_hosts, (std::vector<std::string>{"plans.example.com", "[::1]:9000"}));
  EXPECT_EQ(settings.trusted_proxies, (std::vector<std::string>{"10.0.0.7", "2001:db8::1"}));
  EXPECT_TRUE(load({{"PLANEXE_CORS_ORIGINS", "none"}})->cors_origins.empty());
}

TEST(ServerSettings, BadValuesNameTheirSetting) {
  const std::vector<std::pair<std::string, std::string>> bad{{"PORT", "70000"},
                                                             {"PLANEXE_BIND", "example.com"},
                                                             {"PLANEXE_CORS_ORIGINS", "*"},
                                                             {"PLANEXE_CORS_ORIGINS", "null"},
                                                             {"PLANEXE_CORS_ORIGINS", "https://*.example.com"},
                                                             {"PLANEXE_CORS_ORIGINS", "https://example.com/path"},
                                                             {"PLANEXE_ALLOWED_HOSTS", "http://example.com"},
                                                             {"PLANEXE_TRUSTED_PROXIES", "10.0.0.0/8"},
                                                             {"PLANEXE_RATE_LIMITS", "maybe"},
                                                             {"PLANEXE_MAX_CONNECTIONS", "0"},
                                                             {"PLANEXE_MAX_STREAMS", "-1"},
                                                             {"PLANEXE_MAX_QUEUED", "many"},
                                                             {"PLANEXE_MAX_CONCURRENT_PLANS", "0"},
                                                             {"PLANEXE_UI_DIR", "/nonexistent/ui"},
                                                             {"STREAMING_ENABLED", "perhaps"},
                                                             {"REASONING_EFFORT_DEFAULT", "extreme"},
                                                             {"OPENAI_REASONING_SUMMARY", "long"},
                                                             {"OPENAI_TEXT_VERBOSITY", "auto"},
                                                             {"OPENAI_MAX_OUTPUT_TOKENS", "511"},
                                                             {"OPENAI_MAX_OUTPUT_TOKENS", "120001"},
                                                             {"PLANEXE_REDLINE_MODE", "off"},
                                                             {"FAST_BUT_SKIP_DETAILS", "2"}};
  for (const auto& [name, value] : bad)
    EXPECT_EQ(refusal({{name, value}}).find(name), 0U) << name << "=" << value << ": " << refusal({{name, value}});
}

TEST(ServerSettings, OwnNamesGoBeforeThoseOfTheReference) {
  EXPECT_FALSE(load({{"STREAMING_ENABLED", "false"}})->streaming_enabled);
  EXPECT_TRUE(load({{"STREAMING_ENABLED", "false"}, {"PLANEXE_STREAMING_ENABLED", "true"}})->streaming_enabled);
  EXPECT_EQ(load({{"OPENAI_MAX_OUTPUT_TOKENS", "8000"}})->max_output_tokens_default, 8000);
  EXPECT_FALSE(load({{"PLANEXE_RATE_LIMITS", "off"}})->rate_limits);
  const test::TempDir folder;
  EXPECT_EQ(load({{"PLANEXE_UI_DIR", folder.path().string()}})->ui_dir, folder.path());
}

}  // namespace
}  // namespace planexe::server
