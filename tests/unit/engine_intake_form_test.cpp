// The intake form: problems per field, defaults, what is missing.
#include <gtest/gtest.h>

#include "engine/intake_form.hpp"

namespace planexe::engine {
namespace {

json::value good_form() {
  return json::parse(R"({"project_title":"Shop","refined_objective":"Open it.","original_prompt":"Open a shop","scale":"local",
    "risk_tolerance":"moderate","domain":"Trade","budget":{},"timeline":{},"geography":{"is_digital_only":false},
    "conversation_summary":"A shop.","confidence_score":7})");
}

std::vector<std::string> types_and_places(const std::vector<IntakeProblem>& problems) {
  std::vector<std::string> list;
  for (const auto& problem : problems) list.push_back(problem.type + " " + to_json(problem.loc));
  return list;
}

TEST(IntakeForm, AGoodFormGetsItsDefaults) {
  auto form = good_form();
  const auto now = *parse_iso("2031-03-01T10:00:00Z");
  ASSERT_TRUE(check_intake(form, now));
  EXPECT_EQ(form.at("budget"), json::parse(R"({"estimated_total":null,"funding_sources":[],"currency":null})"));
  EXPECT_EQ(form.at("timeline"), json::parse(R"({"target_completion":null,"key_milestones":[],"urgency":null})"));
  EXPECT_EQ(form.at("geography"), json::parse(R"({"is_digital_only":false,"physical_locations":[],"notes":null})"));
  EXPECT_EQ(form.at("hard_constraints"), json::array());
  EXPECT_TRUE(form.at("team_size").is_null());
  EXPECT_EQ(form.at("captured_at"), "2031-03-01T10:00:00.000Z");
}

TEST(IntakeForm, NullsOfListsBecomeEmptyAndTheTimeIsTaken) {
  auto form = good_form();
  form.at("budget").as_object() = {{"funding_sources", nullptr}, {"currency", "EUR"}};
  form.as_object()["success_criteria"] = nullptr;
  form.as_object()["captured_at"] = "2031-03-01T12:00:00+02:00";
  ASSERT_TRUE(check_intake(form));
  EXPECT_EQ(form.at("budget").at("funding_sources"), json::array());
  EXPECT_EQ(form.at("budget").at("currency"), "EUR");
  EXPECT_EQ(form.at("success_criteria"), json::array());
  EXPECT_EQ(form.at("captured_at"), "2031-03-01T10:00:00.000Z");
}

TEST(IntakeForm, WithoutATimeNoneIsInvented) {
  auto form = good_form();
  ASSERT_TRUE(check_intake(form));
  EXPECT_FALSE(form.as_object().contains("captured_at"));
}

TEST(IntakeForm, EveryProblemIsTold) {
  auto form = good_form();
  auto& object = form.as_object();
  object["project_title"] = "";
  object["scale"] = "galactic";
  object["confidence_score"] = 11;
  object.erase("timeline");
  object["geography"] = json::object{{"is_digital_only", "no"}, {"physical_locations", json::array{"Lyon", 7}}};
  object["captured_at"] = "yesterday";
  object["domain"] = std::string(201, 'x');
  EXPECT_EQ(types_and_places(intake_problems(form, IntakeDemand::complete)),
            (std::vector<std::string>{R"(missing ["timeline"])", R"(string_too_short ["project_title"])", R"(enum ["scale"])",
                                      R"(string_too_long ["domain"])", R"(bool_type ["geography","is_digital_only"])",
                                      R"(string_type ["geography","physical_locations",1])",
                                      R"(less_than_equal ["confidence_score"])", R"(datetime_parsing ["captured_at"])"}));
}

TEST(IntakeForm, TheFirstProblemIsTheErrorOfTheCheck) {
  auto form = good_form();
  form.at("geography").as_object() = {{"is_digital_only", nullptr}};
  const auto checked = check_intake(form);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::ValidationFailed);
  EXPECT_EQ(checked.error().message, "Intake form, geography.is_digital_only: is required.");
  json::value no_object = json::array();
  EXPECT_EQ(check_intake(no_object).error().message, "The intake form must be a JSON object.");
}

TEST(IntakeForm, ADraftMayLackAnything) {
  EXPECT_TRUE(intake_problems(json::object(), IntakeDemand::draft).empty());
  const auto draft = json::parse(R"({"budget":null,"scale":null,"geography":{"is_digital_only":null},"team_size":5})");
  EXPECT_EQ(types_and_places(intake_problems(draft, IntakeDemand::draft)), std::vector<std::string>{R"(string_type ["team_size"])"});
}

TEST(IntakeForm, MissingFieldsAreDottedAndInTheOrderOfTheForm) {
  EXPECT_EQ(missing_intake_fields(nullptr),
            (std::vector<std::string>{"project_title", "refined_objective", "original_prompt", "scale", "risk_tolerance", "domain", "budget",
                                      "timeline", "geography.is_digital_only", "conversation_summary", "confidence_score"}));
  auto form = good_form();
  EXPECT_TRUE(missing_intake_fields(form).empty());
  form.at("geography").as_object().erase("is_digital_only");
  form.as_object()["risk_tolerance"] = nullptr;
  EXPECT_EQ(missing_intake_fields(form), (std::vector<std::string>{"risk_tolerance", "geography.is_digital_only"}));
}

TEST(IntakeForm, LimitsHold) {
  auto form = good_form();
  form.as_object()["hard_constraints"] = json::array(51, json::value("x"));
  EXPECT_EQ(types_and_places(intake_problems(form, IntakeDemand::complete)), std::vector<std::string>{R"(too_long ["hard_constraints"])"});
  form.as_object()["hard_constraints"] = json::array{std::string(1001, 'x')};
  EXPECT_EQ(types_and_places(intake_problems(form, IntakeDemand::complete)), std::vector<std::string>{R"(string_too_long ["hard_constraints",0])"});
  form.as_object()["note"] = std::string(300 * 1024, 'x');
  EXPECT_EQ(intake_problems(form, IntakeDemand::complete).front().msg, "The intake form is larger than 256 KiB.");
}

}  // namespace
}  // namespace planexe::engine
