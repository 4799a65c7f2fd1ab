#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/settings.hpp"
#include "support/temp_dir.hpp"

namespace planexe {
namespace {

Settings::Values parsed(std::string_view text) { return parse_env_file(text, ".env").value(); }

TEST(BaseSettings, CommandLineThenEnvironmentThenFile) {
  const Settings settings({{"A", "command"}}, {{"A", "environment"}, {"B", "environment"}},
                          {{"A", "file"}, {"B", "file"}, {"C", "file"}});
  EXPECT_EQ(settings.get("A"), "command");
  EXPECT_EQ(settings.get("B"), "environment");
  EXPECT_EQ(settings.get("C"), "file");
  EXPECT_EQ(settings.get("D"), std::nullopt);
  EXPECT_EQ(settings.get_or("D", "default"), "default");
}

TEST(BaseSettings, AnEmptyValueCountsAsNotSet) {
  const Settings settings({}, {{"A", ""}}, {{"A", "file"}});
  EXPECT_EQ(settings.get("A"), "file");
}

TEST(BaseSettings, TruthValues) {
  for (const char* word : {"1", "true", "YES", "On"}) {
    EXPECT_TRUE(Settings({{"X", word}}, {}, {}).get_bool("X", false).value()) << word;
  }
  for (const char* word : {"0", "False", "no", "OFF"}) {
    EXPECT_FALSE(Settings({{"X", word}}, {}, {}).get_bool("X", true).value()) << word;
  }
  EXPECT_TRUE(Settings().get_bool("X", true).value());
  const auto bad = Settings({{"X", "maybe"}}, {}, {}).get_bool("X", true);
  EXPECT_EQ(bad.error().code, ErrorCode::InvalidConfig);
  EXPECT_EQ(bad.error().message, "X is \"maybe\"; write true or false.");
}

TEST(BaseSettings, NumbersInRange) {
  const Settings settings({{"A", "5"}, {"B", "x"}, {"C", "5.5"}, {"D", "0"}, {"E", "99999999999999999999"}}, {}, {});
  EXPECT_EQ(settings.get_int("A", 1, 1, 5).value(), 5);
  EXPECT_EQ(settings.get_int("none", 3, 1, 5).value(), 3);
  for (const char* name : {"B", "C", "D", "E"}) {
    EXPECT_EQ(settings.get_int(name, 1, 1, 5).error().code, ErrorCode::InvalidConfig) << name;
  }
  EXPECT_EQ(settings.get_double("C", 1, 0, 10).value(), 5.5);
  EXPECT_EQ(settings.get_double("C", 1, 0, 5).error().code, ErrorCode::InvalidConfig);
  EXPECT_EQ(settings.get_double("B", 1, 0, 5).error().code, ErrorCode::InvalidConfig);
}

TEST(BaseSettings, SecretsNeverLeave) {
  const Settings settings({}, {{"OPENAI_API_KEY", "sk-very-secret"}, {"PATH", "/bin"}},
                          {{"DATABASE_URL", "postgresql://me:hidden@db:5432/plans"}, {"PLANEXE_API_TOKENS", "a:tok"}});
  const auto rows = settings.masked();
  const std::vector<std::pair<std::string, std::string>> expected{
      {"DATABASE_URL", "postgresql://me:***@db:5432/plans"}, {"OPENAI_API_KEY", "***"}, {"PLANEXE_API_TOKENS", "***"}};
  EXPECT_EQ(rows, expected);
  const auto bad = Settings({{"MY_API_KEY", "sk-very-secret"}}, {}, {}).get_int("MY_API_KEY", 1, 0, 5);
  EXPECT_EQ(bad.error().message.find("sk-very"), std::string::npos);
  EXPECT_EQ(settings.secret_values(), (std::vector<std::string>{"a:tok", "sk-very-secret"}));
}

TEST(BaseSettings, MaskedValueOfUrls) {
  EXPECT_EQ(masked_value("DATABASE_URL", "sqlite:///./planexe.db"), "sqlite:///./planexe.db");
  EXPECT_EQ(masked_value("PLANEXE_LLM_CONFIG_JSON", R"({"headers": {"X": "key"}})"), "(25 bytes)");
  EXPECT_EQ(masked_value("DATABASE_URL", "postgresql://me@db/x"), "postgresql://me@db/x");
  EXPECT_EQ(masked_value("HTTPS_PROXY", "http://u:p@ss@proxy:1"), "http://u:***@proxy:1");
  EXPECT_EQ(masked_value("X", "https://host/a:b@c"), "https://host/a:b@c");
}

TEST(BaseSettings, NamesOfTheReferenceAreReported) {
  const Settings settings({}, {{"LUIGI_WORKERS", "4"}}, {});
  EXPECT_EQ(settings.ignored_names(), (std::vector<std::string>{"LUIGI_WORKERS"}));
  EXPECT_TRUE(Settings().ignored_names().empty());
}

TEST(BaseSettings, EnvFileForms) {
  const auto values = parsed(
      "\xEF\xBB\xBF# comment\n\nA=plain value  # note\nexport B = \"two\\nlines \\\"q\\\" \\$X\" # note\n"
      "C='raw \\n $X # kept'\nD=\nE=a#b\r\nA=later\n");
  EXPECT_EQ(values.at("A"), "later");
  EXPECT_EQ(values.at("B"), "two\nlines \"q\" $X");
  EXPECT_EQ(values.at("C"), "raw \\n $X # kept");
  EXPECT_EQ(values.at("D"), "");
  EXPECT_EQ(values.at("E"), "a#b");
  EXPECT_EQ(values.size(), 5u);
}

TEST(BaseSettings, EnvFileErrorsNameTheLineButNotItsText) {
  for (const char* text : {"A=1\nsk-secret\n", "A=1\n=sk-secret\n", "A=1\nB=\"sk-secret\n", "A=1\nB='sk-secret' x\n",
                           "A=1\nB=\"\\q sk-secret\"\n", "A=1\nB C=sk-secret\n"}) {
    const auto result = parse_env_file(text, "dir/.env");
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
    EXPECT_TRUE(result.error().message.starts_with("dir/.env, line 2: ")) << result.error().message;
    EXPECT_EQ(result.error().message.find("secret"), std::string::npos) << result.error().message;
  }
}

TEST(BaseSettings, LoadReadsTheFileIfThereIsOne) {
  const test::TempDir dir;
  EXPECT_TRUE(Settings::load({}, {}, dir / ".env").has_value());
  ASSERT_TRUE(write_file_atomic(dir / ".env", "A=from file\n").has_value());
  EXPECT_EQ(Settings::load({}, {}, dir / ".env")->get("A"), "from file");
  EXPECT_EQ(Settings::load({}, {{"A", "environment"}}, dir / ".env")->get("A"), "environment");
  ASSERT_TRUE(write_file_atomic(dir / ".env", "broken\n").has_value());
  EXPECT_EQ(Settings::load({}, {}, dir / ".env").error().code, ErrorCode::InvalidConfig);
}

TEST(BaseSettings, TheProcessEnvironmentIsRead) {
  ASSERT_EQ(::setenv("PLANEXE_UNIT_TEST_VALUE", "a=b", 1), 0);
  EXPECT_EQ(process_environment().at("PLANEXE_UNIT_TEST_VALUE"), "a=b");
  ::unsetenv("PLANEXE_UNIT_TEST_VALUE");
}

}  // namespace
}  // namespace planexe
