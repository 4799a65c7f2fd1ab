#include <gtest/gtest.h>

#include "server/model_view.hpp"

namespace planexe::server {
namespace {

llm::ModelEntry text_model() {
  llm::ModelEntry model;
  model.id = "gpt-x";
  model.provider = "openai";
  model.comment = "Good value.";
  model.priority = 2;
  model.context_window = 400000;
  model.max_output_tokens = 128000;
  model.caps.effort_values = {"none", "low", "high", "xhigh"};
  return model;
}

TEST(ServerModelView, AModelThatCanBeAsked) {
  const llm::Price price{.input = 250'000, .cached_input = 25'000, .output = 2'000'000, .version = {}};
  EXPECT_EQ(
      to_json(model_view(text_model(), price, "")),
      R"({"id":"gpt-x","label":"gpt-x","comment":"Good value.","priority":2,"requires_api_key":true,"provider":"openai",)"
      R"("capabilities":["text"],"context_window":400000,"max_output_tokens":128000,"reasoning_efforts":["low","high"],)"
      R"("price":{"input":0.25,"cached_input":0.025,"output":2.0},"available":true,"unavailable_reason":null})");
}

TEST(ServerModelView, OneThatCannotSaysWhy) {
  const auto view = model_view(text_model(), std::nullopt, "OPENAI_API_KEY is not set.");
  EXPECT_EQ(get_bool(view, "available"), false);
  EXPECT_EQ(get_string(view, "unavailable_reason"), "OPENAI_API_KEY is not set.");
  EXPECT_TRUE(view.at("price").is_null());
}

TEST(ServerModelView, TokensOfAModelWithoutTextAreNone) {
  auto model = text_model();
  model.capabilities_list = {"image_generation"};
  const auto view = model_view(model, std::nullopt, "");
  EXPECT_TRUE(view.at("context_window").is_null());
  EXPECT_TRUE(view.at("max_output_tokens").is_null());
  EXPECT_FALSE(has_capability(model, "text"));
  EXPECT_TRUE(has_capability(model, "image"));
  EXPECT_TRUE(has_capability(model, "all"));
  EXPECT_TRUE(has_capability(text_model(), "text"));
  EXPECT_FALSE(has_capability(text_model(), "image"));
}

TEST(ServerModelView, TextOfACatalogueFileBecomesValid) {
  auto model = text_model();
  model.label = "bad \xff byte";
  EXPECT_EQ(get_string(model_view(model, std::nullopt, ""), "label"), "bad \xEF\xBF\xBD byte");
}

}  // namespace
}  // namespace planexe::server
