#include "llm/catalogue.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "llm/cost.hpp"
#include "llm/endpoint_address.hpp"
#include "llm/redact.hpp"

namespace planexe::llm {
namespace {

Result<Catalogue> parse(const std::string& text) { return parse_catalogue(text, "llm_config.json"); }

TEST(LlmCatalogue, EmbeddedDefaultIsValidAndOpenAiFirst) {
  const auto catalogue = load_catalogue("", "", "");
  ASSERT_TRUE(catalogue.has_value()) << catalogue.error().message;
  EXPECT_TRUE(catalogue->warnings.empty());
  ASSERT_FALSE(catalogue->models.empty());
  EXPECT_EQ(catalogue->models[0].id, "gpt-5-nano-2025-08-07");
  const ModelEntry& nano = catalogue->models[0];
  EXPECT_EQ(nano.base_url, "https://api.openai.com/v1");
  EXPECT_EQ(nano.api_key_env, "OPENAI_API_KEY");
  EXPECT_EQ(nano.caps.effort_values, (std::vector<std::string>{"minimal", "low", "medium", "high"}));
  EXPECT_TRUE(nano.caps.stateful);
  EXPECT_TRUE(nano.caps.prefix_cache);
  EXPECT_EQ(nano.max_concurrency, 32);
  EXPECT_TRUE(catalogue->find("gpt-4o-mini-2024-07-18")->caps.effort_values.empty());
  // Without any variable nothing is configured, local examples included.
  const auto none = [](const std::string&) { return std::string(); };
  const auto openai = [](const std::string& name) { return name == "OPENAI_API_KEY" ? std::string("sk-1") : std::string(); };
  for (const ModelEntry& model : catalogue->models) {
    EXPECT_FALSE(is_configured(model, none)) << model.id;
    EXPECT_EQ(is_configured(model, openai), model.provider == "openai") << model.id;
    EXPECT_FALSE(needed_variables(model).empty()) << model.id;
  }
}

TEST(LlmCatalogue, AcceptsTheReferencesFile) {
  const auto catalogue = parse(R"({
    "openai-model": {"comment": "c", "provider": "openai", "model": "gpt-5-mini-2025-08-07", "priority": 2,
                     "arguments": {"api_key": "${OPENAI_API_KEY}", "timeout": 60, "max_retries": 5}},
    "image": {"provider": "openai", "model": "gpt-image-1-mini", "priority": 1, "capabilities": ["image_generation"],
              "arguments": {"api_key": "${OPENAI_API_KEY}"}},
    "later": {"provider": "openrouter", "model": "x/y", "priority": 3, "cost": {"input": 0.05, "output": 0.4}}})");
  ASSERT_TRUE(catalogue.has_value()) << catalogue.error().message;
  ASSERT_EQ(catalogue->models.size(), 3U);
  EXPECT_EQ(catalogue->models[0].id, "image");
  EXPECT_FALSE(catalogue->models[0].is_text());
  EXPECT_EQ(catalogue->models[1].api_key_env, "OPENAI_API_KEY");
  EXPECT_EQ(catalogue->models[1].context_window, 32'000);
  EXPECT_FALSE(catalogue->models[1].context_window_known);
  ASSERT_TRUE(catalogue->models[2].price.has_value());
  EXPECT_EQ(catalogue->models[2].price->input, 50'000);
  EXPECT_EQ(catalogue->models[2].price->output, 400'000);
  const auto warned = [&](std::string_view word) {
    return std::any_of(catalogue->warnings.begin(), catalogue->warnings.end(), [&](const auto& w) { return w.contains(word); });
  };
  EXPECT_TRUE(warned("arguments.timeout"));
  EXPECT_TRUE(warned("context_window"));
}

TEST(LlmCatalogue, ErrorsNameFileEntryAndKey) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"([])", "object of models"},
      {R"({"a":1})", "\"a\""},
      {R"({"a":{"model":"m"}})", "provider"},
      {R"({"a":{"provider":"openai"}})", "model is missing"},
      {R"({"a":{"provider":"unheard","model":"m"}})", "unheard"},
      {R"({"a":{"provider":"azure","model":"m"}})", "base_url"},
      {R"({"a":{"provider":"openai","model":"m","base_url":"ftp://x"}})", "base_url"},
      {R"({"a":{"provider":"openai","model":"m","context_window":"big"}})", "context_window"},
      {R"({"a":{"provider":"openai","model":"m","max_output_tokens":0}})", "max_output_tokens"},
      {R"({"a":{"provider":"openai","model":"m","rpm":-1}})", "rpm"},
      {R"({"a":{"provider":"openai","model":"m","priority":1.5}})", "priority"},
      {R"({"a":{"provider":"openai","model":"m","transport":"smoke"}})", "transport"},
      {R"({"a":{"provider":"openai","model":"m","stateful":"yes"}})", "stateful"},
      {R"({"a":{"provider":"openai","model":"m","background":"maybe"}})", "background"},
      {R"({"a":{"provider":"openai","model":"m","fallback":["nobody"]}})", "nobody"},
      {R"({"a":{"provider":"openai","model":"m","effort_values":"low"}})", "effort_values"},
      {R"({"a":{"provider":"openai","model":"m","max_concurrency":0}})", "max_concurrency"},
      {R"({"a":{"provider":"openai","model":"m","headers":{"X":"a\nb"}}})", "headers"},
      {R"({"a":{"provider":"openai","model":"m","price":{"input":1}}})", "price"},
      {R"({"a":{"provider":"openai","model":"m","arguments":{"api_key":"sk-real-key-123456"}}})", "variable"},
      {R"({"a":)", "llm_config.json"},
  };
  for (const auto& [text, word] : cases) {
    const auto result = parse(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
    EXPECT_NE(result.error().message.find(word), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().message.find("llm_config.json"), std::string::npos);
    EXPECT_EQ(result.error().message.find("sk-real"), std::string::npos);
  }
}

TEST(LlmCatalogue, UnknownKeysAreWarnings) {
  const auto catalogue = parse(R"({"a":{"provider":"openai","model":"m","context_window":10,"max_output_tokens":5,"colour":"red"}})");
  ASSERT_TRUE(catalogue.has_value());
  ASSERT_EQ(catalogue->warnings.size(), 1U);
  EXPECT_NE(catalogue->warnings[0].find("colour"), std::string::npos);
}

TEST(LlmCatalogue, UnknownProviderWithAnAddressIsModest) {
  const auto catalogue = parse(R"({"a":{"provider":"mine","model":"m","base_url":"http://host/v1/","context_window":10,"max_output_tokens":5}})");
  ASSERT_TRUE(catalogue.has_value());
  const ModelEntry& model = catalogue->models[0];
  EXPECT_EQ(model.base_url, "http://host/v1");
  EXPECT_TRUE(model.caps.chat);
  EXPECT_FALSE(model.caps.responses);
  EXPECT_FALSE(model.caps.stateful);
  EXPECT_FALSE(model.requires_api_key);
}

TEST(LlmCatalogue, OrderOfSources) {
  const auto folder = std::filesystem::temp_directory_path() / ("llm_catalogue_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "config");
  const auto entry = [](const std::string& id) {
    return "{\"" + id + "\":{\"provider\":\"openai\",\"model\":\"m\"}}";
  };
  const auto first = [&](const std::string& json) {
    return load_catalogue(folder.string(), (folder / "config").string(), json)->models[0].id;
  };
  EXPECT_EQ(first(""), "gpt-5-nano-2025-08-07");
  std::ofstream(folder / "llm_config.json") << entry("data");
  EXPECT_EQ(first(""), "data");
  std::ofstream(folder / "config" / "llm_config.json") << entry("config");
  EXPECT_EQ(first(""), "config");
  EXPECT_EQ(first(entry("json")), "json");
  EXPECT_FALSE(load_catalogue(folder.string(), "", "{bad").has_value());
  std::ofstream(folder / "prices.json") << R"({"version":"v9","currency":"USD","entries":[{"model":"m","provider":"p","input":1,"output":2}]})";
  EXPECT_EQ(load_prices(folder.string(), "")->price("p", "m", TimePoint{})->version, "v9");
  std::filesystem::remove_all(folder);
}

TEST(LlmCatalogue, Rehearsal) {
  const Catalogue catalogue = rehearsal_catalogue("http://127.0.0.1:9/v1/");
  ASSERT_EQ(catalogue.models.size(), 1U);
  const ModelEntry& model = catalogue.models[0];
  EXPECT_EQ(model.base_url, "http://127.0.0.1:9/v1");
  EXPECT_EQ(model.max_concurrency, 64);
  EXPECT_EQ(model.start_concurrency, 64);
  EXPECT_FALSE(model.caps.prefix_cache);
  EXPECT_TRUE(is_configured(model, {}));
}

TEST(LlmCatalogue, Variables) {
  const auto value = [](const std::string& name) { return name == "A" ? std::string("x") : std::string(); };
  EXPECT_EQ(expand_variables("p${A}q${A}", value), "pxqx");
  EXPECT_EQ(expand_variables("plain $A ${", value), "plain $A ${");
  EXPECT_EQ(expand_variables("${B}", value), std::nullopt);
}

TEST(LlmEndpoint, HeadersCarryTheKeyInTheProvidersWay) {
  ModelEntry model;
  model.id = "m";
  model.api_key_env = "KEY";
  model.headers = {{"X-Org", "${ORG}"}, {"X-Gone", "${NONE}"}, {"X-Plain", "1"}};
  const Secrets secrets = [](const std::string& name) {
    return name == "KEY" ? std::string(" k1 ") : name == "ORG" ? std::string("org") : std::string();
  };
  EXPECT_EQ(endpoint_headers(model, secrets), (HeaderList{{"Authorization", "Bearer k1"}, {"X-Org", "org"}, {"X-Plain", "1"}}));
  model.auth = AuthStyle::api_key;
  EXPECT_EQ(endpoint_headers(model, secrets)[0], (std::pair<std::string, std::string>("api-key", "k1")));
  Catalogue catalogue;
  catalogue.models.push_back(model);
  EXPECT_EQ(secret_values(catalogue, secrets), (std::vector<std::string>{"k1", "org"}));
  const auto bad = check_keys(catalogue, [](const std::string&) { return std::string("two\nlines"); });
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().message.find("lines"), std::string::npos);
}

TEST(LlmPrices, EmbeddedTableHasTheContractsFigures) {
  const PriceTable prices = PriceTable::embedded();
  const TimePoint now = parse_iso("2026-01-01T00:00:00Z").value();
  const auto mini = prices.price("openai", "gpt-5-mini-2025-08-07", now);
  ASSERT_TRUE(mini.has_value());
  EXPECT_EQ(mini->input, 250'000);
  EXPECT_EQ(mini->cached_input, 25'000);
  EXPECT_EQ(mini->output, 2'000'000);
  EXPECT_EQ(mini->cache_write, -1);
  EXPECT_EQ(mini->version, "2025-08-07");
  EXPECT_EQ(prices.price("openai", "gpt-5-nano", now)->output, 400'000);
  EXPECT_EQ(prices.price("openai", "gpt-4o-mini-2024-07-18", now)->cached_input, 75'000);
  EXPECT_EQ(prices.price("ollama", "anything", now)->input, 0);
  EXPECT_FALSE(prices.price("openai", "unknown", now).has_value());
  EXPECT_FALSE(prices.price("openai", "gpt-5-mini", parse_iso("2025-01-01T00:00:00Z").value()).has_value());
  EXPECT_EQ(prices.tier_factor("openai", "anything"), 1.0);
}

TEST(LlmPrices, LatestEntryNotAfterTheCall) {
  const auto prices = PriceTable::parse(R"({"version":"1","entries":[
    {"model":"m","provider":"p","valid_from":"2026-06-01","input":3,"output":0},
    {"model":"m","provider":"p","valid_from":"2026-01-01","input":1,"output":0},
    {"model":"m","provider":"p","valid_from":"2026-03-01","input":2,"output":0,"cached_input":null}],
    "tiers":[{"provider":"p","tier":"flex","factor":0.5}]})", "test");
  ASSERT_TRUE(prices.has_value());
  EXPECT_FALSE(prices->price("p", "m", *parse_iso("2025-12-31T23:59:59Z")).has_value());
  EXPECT_EQ(prices->price("p", "m", *parse_iso("2026-01-01T00:00:00Z"))->input, 1);
  EXPECT_EQ(prices->price("p", "m", *parse_iso("2026-04-01T00:00:00Z"))->input, 2);
  EXPECT_EQ(prices->price("p", "m", *parse_iso("2027-01-01T00:00:00Z"))->input, 3);
  EXPECT_EQ(prices->tier_factor("p", "flex"), 0.5);
  for (const char* bad : {"{}", "[]", "x", R"({"currency":"EUR","entries":[]})", R"({"entries":[{"model":"m"}]})",
                          R"({"entries":[{"model":"m","provider":"p","input":-1}]})",
                          R"({"entries":[{"model":"m","provider":"p","input":0.5}]})",
                          R"({"entries":[{"model":"m","provider":"p","valid_from":"soon"}]})",
                          R"({"entries":[],"tiers":[{"factor":-1}]})"}) {
    const auto result = PriceTable::parse(bad, "prices.json");
    ASSERT_FALSE(result.has_value()) << bad;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
  }
}

TEST(LlmCost, RoundsUpAndSaturates) {
  const Price price{50'000, 5'000, -1, 400'000, "v"};
  Usage usage;
  EXPECT_EQ(cost_micros(usage, price), 0);
  usage.input_tokens = 1;
  EXPECT_EQ(cost_micros(usage, price), 1);
  usage = {.input_tokens = 1'000, .cached_input_tokens = 400, .cache_write_tokens = 100, .output_tokens = 200};
  // 500 * 0.05 + 400 * 0.005 + 100 * 0.05 + 200 * 0.4
  EXPECT_EQ(cost_micros(usage, price), 112);
  EXPECT_EQ(cost_micros(usage, Price{50'000, 5'000, 100'000, 400'000, "v"}), 117);
  EXPECT_EQ(cost_micros(usage, price, 0.5), 56);
  usage = {.input_tokens = INT64_MAX, .output_tokens = INT64_MAX};
  EXPECT_EQ(cost_micros(usage, Price{1'000'000'000, 0, -1, 1'000'000'000, "v"}), 1'000'000'000'000'000);
  // More cached than input cannot make a cost negative.
  usage = {.input_tokens = 10, .cached_input_tokens = 1'000};
  EXPECT_GE(cost_micros(usage, price), 0);
  EXPECT_EQ(cost_bound_micros(1'000'000, 1'000'000, price), 450'000);
}

TEST(LlmRedact, MasksKeysWholeAndInPieces) {
  Redactor redact;
  redact.add_secret("sk-proj-abcdefghijklmnop-WXYZ1234");
  redact.add_secret("plainlongsecretvalue");
  const auto clean = [&](std::string_view text) {
    const std::string result = redact(text);
    for (const char* piece : {"abcdefgh", "Z1234", "plainlong", "secretvalue"}) EXPECT_EQ(result.find(piece), std::string::npos) << result;
    return result;
  };
  EXPECT_EQ(clean("key sk-proj-abcdefghijklmnop-WXYZ1234 is wrong"), "key *** is wrong");
  clean("Incorrect API key provided: sk-proj-********WXYZ1234.");
  clean("Authorization: Bearer sk-proj-abcdefghijklmnop-WXYZ1234\n");
  clean("x=plainlongsecretvalue;");
  clean("begins plainlongs...");
  EXPECT_EQ(redact("Bearer eyJhbGciOi.abc"), "Bearer ***");
  EXPECT_EQ(redact("a task-oriented risk-based text, bearer of news"), "a task-oriented risk-based text, bearer of news");
  EXPECT_EQ(redact(""), "");
}

}  // namespace
}  // namespace planexe::llm
