#include "llm/classify.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "llm/attempt_policy.hpp"

namespace planexe::llm {
namespace {

const ClientSettings kSettings;

Classification http(int status, ProviderError error = {}, HeaderMap headers = {}, bool parent = false) {
  FailureSignal signal;
  signal.status = status;
  signal.error = std::move(error);
  signal.headers = std::move(headers);
  signal.had_parent_id = parent;
  return classify(signal, kSettings, TimePoint{});
}

TEST(LlmClassify, TableOfStatusesAndCodes) {
  struct Case {
    int status;
    std::string code, message;
    FailureClass kind;
    ErrorCode error;
  };
  const std::vector<Case> cases{
      {400, "invalid_json_schema", "", FailureClass::fatal_call, ErrorCode::Internal},
      {400, "missing_required_parameter", "", FailureClass::fatal_call, ErrorCode::Internal},
      {400, "invalid_prompt", "", FailureClass::fatal_call, ErrorCode::Internal},
      {400, "", "something odd", FailureClass::fatal_call, ErrorCode::Internal},
      {400, "unsupported_parameter", "", FailureClass::adapt, ErrorCode::Internal},
      {400, "unsupported_value", "", FailureClass::adapt, ErrorCode::Internal},
      {400, "", "Unsupported parameter: 'x'", FailureClass::adapt, ErrorCode::Internal},
      {400, "context_length_exceeded", "", FailureClass::next_model, ErrorCode::ContextTooLong},
      {400, "", "This model's maximum context length is 4096 tokens", FailureClass::next_model, ErrorCode::ContextTooLong},
      {400, "previous_response_not_found", "", FailureClass::rebuild_chain, ErrorCode::Internal},
      {400, "conversation_locked", "", FailureClass::retry_after, ErrorCode::ProviderUnavailable},
      {400, "content_policy_violation", "", FailureClass::next_model, ErrorCode::ContentFiltered},
      {401, "", "", FailureClass::fatal_provider, ErrorCode::ProviderAuth},
      {402, "", "credits", FailureClass::fatal_provider, ErrorCode::ProviderQuota},
      {403, "", "Country not supported", FailureClass::fatal_provider, ErrorCode::ProviderAuth},
      {403, "", "Project does not have access to model x", FailureClass::next_model, ErrorCode::ProviderUnavailable},
      {404, "model_not_found", "", FailureClass::next_model, ErrorCode::ProviderUnavailable},
      {404, "", "", FailureClass::next_model, ErrorCode::ProviderUnavailable},
      {408, "", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {409, "", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {413, "", "", FailureClass::fatal_call, ErrorCode::Internal},
      {422, "", "", FailureClass::fatal_call, ErrorCode::Internal},
      {429, "rate_limit_exceeded", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {429, "slow_down", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {429, "insufficient_quota", "", FailureClass::fatal_provider, ErrorCode::ProviderQuota},
      {429, "credit_balance_exhausted", "", FailureClass::fatal_provider, ErrorCode::ProviderQuota},
      {429, "rate_limit_exceeded", "Request too large: Limit 30000, Requested 40000", FailureClass::next_model, ErrorCode::ProviderUnavailable},
      {429, "rate_limit_exceeded", "Limit 30000, Used 20000, Requested 40000", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {500, "server_error", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {502, "", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {503, "server_is_overloaded", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {529, "", "", FailureClass::retry, ErrorCode::ProviderUnavailable},
      {501, "", "", FailureClass::next_model, ErrorCode::ProviderUnavailable},
      {301, "", "", FailureClass::fatal_provider, ErrorCode::ProviderUnavailable},
  };
  for (const Case& c : cases) {
    const Classification result = http(c.status, {c.code, "", c.message, ""});
    EXPECT_EQ(result.kind, c.kind) << c.status << " " << c.code << " " << c.message << ": " << to_string(result.kind);
    EXPECT_EQ(result.code, c.error) << c.status << " " << c.code << " " << c.message;
    EXPECT_NE(result.message.find(std::to_string(c.status)), std::string::npos);
  }
}

TEST(LlmClassify, ChainsAreRebuiltOnlyWhenThereWasAParent) {
  EXPECT_EQ(http(404, {"", "", "Response with id 'r' not found", ""}, {}, true).kind, FailureClass::rebuild_chain);
  EXPECT_EQ(http(404, {"", "", "Response with id 'r' not found", ""}, {}, false).kind, FailureClass::next_model);
  EXPECT_EQ(http(404, {"model_not_found", "", "no such model", ""}, {}, true).kind, FailureClass::next_model);
}

TEST(LlmClassify, BreakerAndConcurrencyLearnTheRightThings) {
  EXPECT_TRUE(http(500).endpoint_failed);
  EXPECT_FALSE(http(500).congested);
  EXPECT_TRUE(http(503).congested);
  EXPECT_TRUE(http(429).congested);
  EXPECT_TRUE(http(429).rate_limited);
  EXPECT_FALSE(http(429).endpoint_failed);
  EXPECT_FALSE(http(400, {"invalid_prompt", "", "", ""}).endpoint_failed);
  FailureSignal stalled;
  stalled.phase = FailurePhase::stalled;
  EXPECT_TRUE(classify(stalled, kSettings, TimePoint{}).congested);
  EXPECT_TRUE(classify(stalled, kSettings, TimePoint{}).possibly_billed);
  FailureSignal connect;
  connect.phase = FailurePhase::connect;
  EXPECT_FALSE(classify(connect, kSettings, TimePoint{}).possibly_billed);
}

RC_GTEST_PROP(LlmClassifyProperty, EverythingHasAClassAndAReadableLine, (const std::string& code, const std::string& message)) {
  FailureSignal signal;
  signal.phase = static_cast<FailurePhase>(*rc::gen::inRange(0, 13));
  signal.status = *rc::gen::inRange(100, 700);
  signal.error = {code, message, message, code};
  signal.headers = {{"retry-after", message}, {"x-should-retry", code}};
  const Classification result = classify(signal, kSettings, TimePoint{});
  RC_ASSERT(!to_string(result.kind).empty());
  RC_ASSERT(!result.message.empty());
  RC_ASSERT(result.message.find('\n') == std::string::npos);
  RC_ASSERT(result.message.size() < 8'000U);
}

RC_GTEST_PROP(LlmPolicyProperty, EveryCallEnds, (std::uint64_t seed)) {
  Random random(seed);
  Progress progress;
  progress.models = 1;
  int steps = 0;
  while (true) {
    RC_ASSERT(++steps < 50);
    ++progress.attempts;
    FailureSignal signal;
    signal.phase = static_cast<FailurePhase>(*rc::gen::inRange(0, 13));
    signal.status = *rc::gen::element(400, 401, 404, 408, 429, 500, 503);
    const Classification failure = classify(signal, kSettings, TimePoint{});
    Possibilities possible;
    possible.adapted = *rc::gen::arbitrary<bool>();
    possible.budget_can_grow = *rc::gen::arbitrary<bool>();
    possible.effort_can_sink = *rc::gen::arbitrary<bool>();
    possible.other_model = *rc::gen::arbitrary<bool>();
    possible.time_left = std::chrono::seconds(100);
    const Decision decision = decide(failure, signal.phase, possible, kSettings, progress, random);
    RC_ASSERT(progress.attempts <= kSettings.attempts_max);
    RC_ASSERT(decision.delay <= std::chrono::seconds(121));
    if (decision.step == Decision::Step::give_up) break;
    if (decision.step == Decision::Step::next_model) progress.next_model();
    RC_ASSERT(progress.models <= kSettings.models_max);
  }
}

TEST(LlmPolicy, CountsRetriesAndRestartsApart) {
  Random random(1);
  Progress progress;
  progress.models = 1;
  Possibilities possible;
  possible.time_left = std::chrono::seconds(1'000);
  Classification request = http(500);
  FailureSignal cut;
  cut.phase = FailurePhase::cut;
  const Classification stream = classify(cut, kSettings, TimePoint{});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(decide(request, FailurePhase::http, possible, kSettings, progress, random).reason, AttemptReason::retry);
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(decide(stream, FailurePhase::cut, possible, kSettings, progress, random).reason, AttemptReason::restart);
  }
  EXPECT_EQ(decide(request, FailurePhase::http, possible, kSettings, progress, random).step, Decision::Step::give_up);
  EXPECT_EQ(decide(stream, FailurePhase::cut, possible, kSettings, progress, random).step, Decision::Step::give_up);
}

}  // namespace
}  // namespace planexe::llm
