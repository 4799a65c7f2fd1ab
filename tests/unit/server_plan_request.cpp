#include <gtest/gtest.h>

#include "server/contract.hpp"
#include "server/model_choice.hpp"
#include "server/plan_request.hpp"

namespace planexe::server {
namespace {

class ServerPlanRequest : public testing::Test {
 protected:
  ServerPlanRequest() {
    services_.clock = &clock_;
    services_.settings = &settings_;
  }

  PlanRequest read(std::string_view text) const {
    Request request;
    request.identity = "alice";
    auto body = parse_json(text);
    EXPECT_TRUE(body) << text;
    request.json = *std::move(body);
    return plan_request_of(services_, request);
  }

  FixedClock clock_{TimePoint(std::chrono::milliseconds(1'767'258'000'000))};
  ServerSettings settings_;
  Services services_;
};

TEST_F(ServerPlanRequest, WhatIsLeftOutComesFromTheServer) {
  settings_.effort_default = "low";
  settings_.redline_mode = "warn";
  settings_.rehearsal = true;
  const auto [plan, errors] = read(R"({"prompt":"x"})");
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(plan.prompt, "x");
  EXPECT_EQ(plan.model, "");
  EXPECT_EQ(plan.effort, "low");
  EXPECT_EQ(plan.redline_mode, "warn");
  EXPECT_EQ(plan.user_id, "alice");
  EXPECT_TRUE(plan.rehearsal);
  EXPECT_TRUE(plan.intake.is_null());
  EXPECT_FALSE(plan.max_cost_micros);
  const auto slow = plan.speed;
  settings_.fast_by_default = true;
  const auto fast = read(R"({"prompt":"x"})").request.speed;
  EXPECT_NE(fast, slow);
  EXPECT_EQ(read(R"({"prompt":"x","speed_vs_detail":"fast_but_skip_details"})").request.speed, fast);
  settings_.fast_by_default = false;
  EXPECT_EQ(read(R"({"prompt":"x","speed_vs_detail":"all_details_but_slow"})").request.speed, slow);
}

TEST_F(ServerPlanRequest, WhatIsGivenCounts) {
  const auto [plan, errors] = read(
      R"({"prompt":"x","title":"t","llm_model":"m","reasoning_effort":"high","max_cost_usd":2.5,"conversation_id":"c",
          "speed_vs_detail":"balanced_speed_and_detail"})");
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(plan.title, "t");
  EXPECT_EQ(plan.model, "m");
  EXPECT_EQ(plan.effort, "high");
  EXPECT_EQ(plan.max_cost_micros, 2'500'000);
  EXPECT_EQ(plan.conversation_id, "c");
}

TEST_F(ServerPlanRequest, NullIsTheSameAsNothing) {
  const auto plan = read(
      R"({"prompt":"x","title":null,"llm_model":null,"reasoning_effort":null,"max_cost_usd":null,"enriched_intake":null})");
  EXPECT_TRUE(plan.errors.empty());
  EXPECT_EQ(plan.request.effort, "medium");
  EXPECT_EQ(plan.request.model, "");
  EXPECT_EQ(read(R"({"prompt":"x","llm_model":"auto"})").request.model, "");
}

TEST_F(ServerPlanRequest, AnIncompleteFormNamesItsFields) {
  const auto plan = read(R"({"prompt":"x","enriched_intake":{}})");
  ASSERT_FALSE(plan.errors.empty());
  for (const auto& error : plan.errors) {
    ASSERT_GE(error.loc.size(), 3U);
    EXPECT_EQ(error.loc[0], json::value("body"));
    EXPECT_EQ(error.loc[1], json::value("enriched_intake"));
    EXPECT_FALSE(error.type.empty() || error.msg.empty());
  }
  EXPECT_TRUE(plan.request.intake.is_null()) << "nothing of it is used";
}

TEST_F(ServerPlanRequest, AFormOfTheContractIsFilledUp) {
  const auto& form =
      Contract::embedded().document().at("components").at("schemas").at("IntakeForm").at("examples").at(0);
  const auto plan = read(to_json(json::object{{"prompt", "x"}, {"enriched_intake", form}}));
  for (const auto& error : plan.errors) ADD_FAILURE() << error.type << " " << to_json(error.loc) << " " << error.msg;
  ASSERT_TRUE(plan.request.intake.is_object());
  for (const auto& [name, value] : form.get_object())
    EXPECT_TRUE(plan.request.intake.get_object().contains(name)) << name;
}

// ---- models --------------------------------------------------------------------------------------------------------

class ServerModelChoice : public testing::Test {
 protected:
  ServerModelChoice() {
    llm::ModelEntry text;
    text.id = "text";
    llm::ModelEntry locked = text;
    locked.id = "locked";
    llm::ModelEntry image = text;
    image.id = "image";
    image.capabilities_list = {"image_generation"};
    catalogue_.models = {text, locked, image};
    services_.catalogue = &catalogue_;
    services_.why_unavailable = [this](const llm::ModelEntry& model) {
      return none_ || model.id == "locked" ? std::string("its \x1b[31mkey is not set") : std::string();
    };
  }

  std::string choose(const std::string& model) const {
    const auto result = check_model_choice(services_, model);
    return result ? "" : std::string(to_string(result.error().code));
  }

  llm::Catalogue catalogue_;
  Services services_;
  bool none_ = false;
};

TEST_F(ServerModelChoice, OnlyTextModelsThatCanBeAsked) {
  for (const char* good : {"", "auto", "text"}) EXPECT_EQ(choose(good), "") << good;
  for (const char* bad : {"locked", "image", "unknown", "Text", "text ", "AUTO"})
    EXPECT_EQ(choose(bad), "MODEL_UNAVAILABLE") << bad;
  EXPECT_EQ(check_model_choice(services_, "locked").error().message.find('\x1b'), std::string::npos);
  EXPECT_EQ(check_model_choice(services_, "secret-name").error().message.find("secret-name"), std::string::npos)
      << "what was given is not echoed";
}

TEST_F(ServerModelChoice, WithoutAnyModelNothingElseMatters) {
  none_ = true;
  EXPECT_FALSE(any_model(services_));
  for (const char* model : {"", "auto", "text", "locked", "unknown"})
    EXPECT_EQ(choose(model), "PROVIDER_NOT_CONFIGURED") << model;
  // A model for images plans nothing.
  catalogue_.models = {catalogue_.models.back()};
  none_ = false;
  EXPECT_FALSE(any_model(services_));
}

}  // namespace
}  // namespace planexe::server
