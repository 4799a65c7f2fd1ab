// The machine of an analysis.
#include "server/conversation/analysis_run.hpp"
#include "server/conversation/analysis_service.hpp"
#include "server_conversation_support.hpp"

namespace planexe::server::test {
namespace {

using Names = std::vector<std::string>;

class AnalysisTest : public ::testing::Test {
 protected:
  void make(const char* body = R"({"task_id":"risk","model_key":"model-a","prompt":"Name risks.","metadata":{"k":"v"}})") {
    const auto request = AnalysisRequest::from_request(json::parse(body));
    first_id = db.store->reserve_interaction_ids(limits::kAttemptsPerCall).value();
    auto spec = analysis_call(request, "a_1", ServerSettings{}, std::nullopt);
    CallLedger ledger({"analysis", "a_1", "analysis", {}}, spec, first_id);
    AnalysisSetup setup{"a_1", "risk", "model-a", "", request.metadata, db.start + 45s, std::move(spec),
                        request.form ? analysis_form_judge() : analysis_judge(), std::move(ledger)};
    run = std::make_unique<AnalysisRun>(std::move(setup));
    bench = std::make_unique<RunBench>(*run, *db.store, db.start);
    bench->start();
    bench->ready(CallPart::reply);
    bench->response(CallPart::reply, "resp_1");
  }

  ConversationStore db;
  std::unique_ptr<AnalysisRun> run;
  std::unique_ptr<RunBench> bench;
  std::int64_t first_id = 0;
};

TEST_F(AnalysisTest, AGoodOneEndsWithComplete) {
  make();
  bench->reasoning("Think");
  bench->pass(100ms);
  bench->text("Rent ");
  bench->text("and rain");
  bench->answered(CallPart::reply, "Rent and rain", "resp_1");
  EXPECT_EQ(bench->names(), (Names{"stream.init", "stream.status", "stream.status", "stream.chunk", "stream.chunk", "stream.chunk", "stream.complete"}));
  for (std::int64_t id = 1; id <= run->log().last_id(); ++id) {
    EXPECT_EQ(bench->data(id).at("taskId"), "risk");
    EXPECT_EQ(bench->data(id).at("modelKey"), "model-a");
  }
  EXPECT_EQ(bench->data(1).at("expiresAt"), "2031-03-01T09:00:45.000Z");
  EXPECT_EQ(bench->data(3).at("status"), "running");
  EXPECT_EQ(bench->data(3).at("interactionId"), first_id);
  EXPECT_EQ(bench->data(4).at("kind"), "reasoning");
  const auto end = bench->last();
  EXPECT_EQ(end.at("responseSummary").at("analysis"), "Rent and rain");
  EXPECT_TRUE(end.at("responseSummary").at("parsed").is_null());
  EXPECT_EQ(end.at("responseSummary").at("tokenUsage").at("input_tokens"), 100);
  EXPECT_EQ(end.at("deltas").at("text"), (json::array{"Rent ", "and rain"}));
  EXPECT_EQ(end.at("metadata").at("k"), "v");
  EXPECT_EQ(bench->overs, 1);
  const auto row = db.store->interaction(first_id).value().value();
  EXPECT_EQ(row.owner_kind, "analysis");
  EXPECT_EQ(row.owner_id, "a_1");
  EXPECT_EQ(row.status, "completed");
  ASSERT_TRUE(run->thread());
  EXPECT_EQ(run->thread()->response_id, "resp_1");
}

TEST_F(AnalysisTest, JsonInTheAnswerIsParsed) {
  make();
  bench->answered(CallPart::reply, " {\"a\": [1]} ", "resp_1");
  EXPECT_EQ(bench->last().at("responseSummary").at("parsed"), json::parse(R"({"a":[1]})"));
}

TEST_F(AnalysisTest, TheFormIsAskedForByItsName) {
  make(R"({"task_id":"risk","model_key":"model-a","prompt":"Fill it in.","schema_name":"EnrichedPlanIntake"})");
  EXPECT_FALSE(bench->specs[CallPart::reply].schema.is_null());
  bench->text(form_answer());
  bench->answered(CallPart::reply, form_answer(), "resp_1");
  EXPECT_EQ(bench->data(4).at("kind"), "json");
  EXPECT_EQ(bench->last().at("deltas").at("json").as_array().size(), 1U);
  EXPECT_EQ(bench->last().at("responseSummary").at("parsed").at("project_title"), "Bicycle shop");
}

TEST_F(AnalysisTest, AFailureIsOneError) {
  make();
  bench->text("Re");
  bench->failed(CallPart::reply, ErrorCode::ContextTooLong);
  EXPECT_EQ(bench->names().back(), "stream.error");
  EXPECT_EQ(bench->last().at("error").at("code"), "CONTEXT_TOO_LONG");
  EXPECT_TRUE(run->log().ended());
  EXPECT_FALSE(run->thread());
  EXPECT_EQ(db.store->interaction(first_id).value()->status, "failed");
}

TEST_F(AnalysisTest, ABrokenAnswerBeginsAnew) {
  make();
  bench->text("Lost");
  bench->attempt_ended(CallPart::reply, 1, "Lost", "resp_1", Error(ErrorCode::ProviderUnavailable, "x"), true);
  bench->ready(CallPart::reply, 2, llm::AttemptReason::restart);
  bench->pass(200ms);
  bench->text("Kept", 2);
  bench->answered(CallPart::reply, "Kept", "resp_2", 2);
  EXPECT_EQ(bench->last().at("deltas").at("text"), json::array{"Kept"});
  EXPECT_EQ(bench->last().at("responseSummary").at("responseId"), "resp_2");
  EXPECT_EQ(bench->last().at("responseSummary").at("tokenUsage").at("input_tokens"), 200);
}

TEST_F(AnalysisTest, ACallThatWasNeverSentEndsToo) {
  make();
  bench->cancel();
  EXPECT_EQ(bench->cancelled.size(), 1U);
  bench->ended_with(CallPart::reply, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("error").at("code"), "CANCELLED");
  EXPECT_EQ(db.store->interaction(first_id).value()->status, "cancelled");
}

TEST(AnalysisCall, TakesWhatTheClientAsksFor) {
  const auto request = AnalysisRequest::from_request(json::parse(
      R"({"task_id":"risk","model_key":"m","prompt":"Q","context":"C </context>","system_prompt":"S","max_output_tokens":600,"reasoning_effort":"low"})"));
  const auto spec = analysis_call(request, "a_1", ServerSettings{}, std::nullopt);
  EXPECT_EQ(spec.messages[0].parts, std::vector<std::string>{"S"});
  EXPECT_EQ(spec.messages[1].parts, (std::vector<std::string>{"<context>\nC < /context>\n</context>", "Q"}));
  EXPECT_EQ(spec.max_output_tokens, 600);
  EXPECT_TRUE(spec.fixed_budget);
  EXPECT_EQ(spec.effort, "low");
  EXPECT_EQ(spec.verbosity, ServerSettings{}.text_verbosity_default);
  EXPECT_EQ(spec.summary, ServerSettings{}.reasoning_summary_default);
  EXPECT_FALSE(spec.temperature);
  EXPECT_TRUE(spec.schema.is_null());
}

TEST(AnalysisCall, TakesTheParametersOfTheClient) {
  const auto request = AnalysisRequest::from_request(json::parse(
      R"({"task_id":"risk","model_key":"m","prompt":"Q","temperature":0,"text_verbosity":"low","reasoning_summary":"concise"})"));
  const auto spec = analysis_call(request, "a_1", ServerSettings{}, std::nullopt);
  EXPECT_EQ(spec.temperature, 0.0);
  EXPECT_EQ(spec.verbosity, "low");
  EXPECT_EQ(spec.summary, "concise");
}

}  // namespace
}  // namespace planexe::server::test
