// The rehearsal server as interviewer: questions, the filled form, analyses.
#include <gtest/gtest.h>

#include "base/json.hpp"
#include "rehearsal/interviewer.hpp"

namespace planexe::rehearsal {
namespace {

Request reply_request(std::vector<std::string> user, std::vector<std::string> answers = {}) {
  Request request;
  request.call = "intake/reply/2";
  for (std::size_t i = 0; i < user.size(); ++i) {
    request.parts.push_back(user[i]);
    if (i < answers.size()) request.parts.push_back(answers[i]);
    request.user_text += (i == 0 ? "" : "\n\n") + user[i];
  }
  return request;
}

json::value form_of(Request request) {
  request.call = "intake/form/2/7";
  request.schema_name = "intake__form";
  request.user_text += "\n\n<form_request>\nFill in the form from the conversation above.\n</form_request>";
  return json::parse(interview_answer(request).value());
}

TEST(RehearsalInterviewer, AsksTwoOrThreeQuestionsEachOnceAndEnds) {
  std::vector<std::string> user{"Open a bicycle repair shop."}, answers;
  int questions = 0;
  for (int round = 0; round < 6; ++round) {
    const auto text = interview_answer(reply_request(user, answers)).value();
    EXPECT_TRUE(text.starts_with("Rehearsal: ")) << text;
    EXPECT_EQ(std::count(answers.begin(), answers.end(), text), 0) << "asked twice: " << text;
    if (text.find('?') == std::string::npos) break;
    ++questions;
    answers.push_back(text);
    user.emplace_back("I do not know.");
  }
  EXPECT_EQ(questions, 3);
}

TEST(RehearsalInterviewer, DoesNotAskForWhatWasSaid) {
  const auto text = interview_answer(reply_request({"Open a shop in Lyon with two employees, budget 80 000 EUR, within a year."})).value();
  EXPECT_NE(text.find("What must not change"), std::string::npos) << text;
  EXPECT_EQ(interview_answer(reply_request({"A shop. That is all."})).value().find('?'), std::string::npos);
}

TEST(RehearsalInterviewer, FillsTheFormFromWhatWasSaid) {
  const auto form = form_of(reply_request({"Open a bicycle repair shop in Lyon, budget 80 000 EUR, within a year.",
                                           "We are two people. It must not sell new bicycles. A success is at least 10 repairs a day."}));
  EXPECT_EQ(form.at("project_title"), "Open a bicycle repair shop in Lyon");
  EXPECT_EQ(form.at("budget").at("estimated_total"), "80 000 EUR");
  EXPECT_EQ(form.at("budget").at("currency"), "EUR");
  EXPECT_EQ(form.at("timeline").at("target_completion"), "within a year");
  EXPECT_EQ(form.at("geography").at("physical_locations"), json::array{"Lyon"});
  EXPECT_EQ(form.at("geography").at("is_digital_only"), false);
  EXPECT_EQ(form.at("team_size"), "two people");
  EXPECT_EQ(form.at("hard_constraints"), json::array{"It must not sell new bicycles"});
  EXPECT_EQ(form.at("scale"), "local");
  EXPECT_EQ(form.at("language"), "en");
  EXPECT_TRUE(form.at("conversation_summary").as_string().starts_with("Rehearsal: "));
  EXPECT_TRUE(form.at("refined_objective").as_string().starts_with("Rehearsal: "));
}

TEST(RehearsalInterviewer, OpenFieldsAreNullUntilTheEndAndAssumedThen) {
  const auto early = form_of(reply_request({"Plan a podcast."}));
  EXPECT_TRUE(early.at("risk_tolerance").is_null());
  EXPECT_TRUE(early.at("domain").is_null());
  EXPECT_EQ(early.at("geography").at("is_digital_only"), true);
  const auto late = form_of(reply_request({"Plan a podcast.", "Das ist alles."}));
  EXPECT_EQ(late.at("risk_tolerance"), "moderate");
  EXPECT_TRUE(late.at("domain").as_string().starts_with("Rehearsal: "));
}

TEST(RehearsalInterviewer, BlocksOfProgramsAreNotThePersonsWords) {
  EXPECT_EQ(own_words("Hello\n\n<context>\nin Rome 5 EUR\n</context>\n\nthere\n\n<earlier_draft>{}</earlier_draft>"), "Hello\n\n\n\nthere");
  EXPECT_EQ(own_words("<context> never closed"), "<context> never closed");
}

TEST(RehearsalInterviewer, FactsInOtherLanguagesAndSigns) {
  const auto facts = stated_facts("Ein Laden für die Stadt, mit £5,000 und der Plan ist nicht fertig, bis Dezember 2031.");
  EXPECT_EQ(facts.language, "de");
  EXPECT_EQ(facts.currency, "GBP");
  EXPECT_EQ(facts.deadline, "bis Dezember 2031");
  EXPECT_TRUE(stated_facts("in March we start").places.empty());
}

TEST(RehearsalInterviewer, AnalysesSayThatNobodyAnalysed) {
  Request request;
  request.call = "analysis/answer/1";
  request.user_text = "<context>\nmuch\n</context>\n\nName three risks.";
  const auto text = interview_answer(request).value();
  EXPECT_TRUE(text.starts_with("Rehearsal: "));
  EXPECT_NE(text.find("Name three risks."), std::string::npos);
}

TEST(RehearsalInterviewer, OtherCallsAreNotItsBusiness) {
  Request request;
  request.call = "identify_purpose/main/1";
  request.schema_name = "identify_purpose__main";
  EXPECT_FALSE(interview_answer(request));
}

}  // namespace
}  // namespace planexe::rehearsal
