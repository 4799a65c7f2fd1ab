#include <gtest/gtest.h>

#include "machine/engine_fixture.hpp"

namespace planexe::test {
namespace {

class EngineRun : public ::testing::Test {
 protected:
  recipe::Recipe recipe = small_recipe();

  static RunDriver::Answer failing(std::string unit_part, ErrorCode code) {
    return [unit_part = std::move(unit_part), code](const std::string& unit, const llm::CallSpec&) -> RunDriver::Reply {
      if (unit.find(unit_part) != std::string::npos) return {"", code};
      return {good(unit), std::nullopt};
    };
  }
  static std::string good(const std::string& unit) {
    if (unit.starts_with("gate")) return R"({"rationale_short":"Harmless.","verdict":"ALLOW"})";
    if (unit.starts_with("list")) return R"({"names":["one","two","three"]})";
    if (unit.starts_with("detail")) return R"({"text":"about )" + unit + "\"}";
    if (unit.starts_with("rounds")) return R"({"more":")" + unit + "\"}";
    return R"({"extra":"more"})";
  }
  static RunDriver::Answer all_good() {
    return [](const std::string& unit, const llm::CallSpec&) { return RunDriver::Reply{good(unit), std::nullopt}; };
  }
};

TEST_F(EngineRun, RunsEveryTaskAndEndsCompleted) {
  RunDriver driver(recipe);
  driver.start();
  driver.run();
  ASSERT_TRUE(driver.ended.has_value());
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(driver.database.rows.plan.progress_percentage, 100);
  for (const auto& task : driver.database.rows.tasks) EXPECT_EQ(task.state, "completed") << task.task_key;
  EXPECT_EQ(driver.asked.size(), 1U + 1 + 3 + 3 + 1);
  EXPECT_NE(driver.database.content("007-page.md").find("done done done"), std::string::npos);
  EXPECT_FALSE(driver.database.content("999-pipeline_complete.txt").empty());
  EXPECT_TRUE(driver.database.violations.empty()) << driver.database.violations.front();
}

TEST_F(EngineRun, NoOtherCallStartsBeforeTheGateHasJudged) {
  RunDriver driver(recipe);
  driver.start();
  driver.run();
  EXPECT_EQ(driver.asked.front(), "gate/main");
}

TEST_F(EngineRun, InWarnModeTheGateHoldsNothingBack) {
  RunDriver driver(recipe, all_good(), "warn");
  driver.start();
  while (driver.waiting.size() < 2 && !driver.queue.empty()) driver.step();
  EXPECT_EQ(driver.waiting.size(), 2U);  // gate and list
}

TEST_F(EngineRun, RefusalEndsThePlanAndKeepsVerdictAndReport) {
  RunDriver driver(recipe, [](const std::string& unit, const llm::CallSpec&) -> RunDriver::Reply {
    return {unit == "gate/main" ? R"({"rationale_short":"Dangerous.","verdict":"REFUSE"})" : "{}", std::nullopt};
  });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "failed");
  EXPECT_EQ(driver.database.rows.plan.error_code, "PROMPT_REFUSED");
  EXPECT_NE(driver.database.rows.plan.error_message.find("Dangerous."), std::string::npos);
  EXPECT_EQ(driver.asked.size(), 1U);
  EXPECT_FALSE(driver.database.content("002-gate.json").empty());
  EXPECT_FALSE(driver.database.content("008-report.html").empty());
  EXPECT_FALSE(engine::make_resume(driver.database.snapshot(), recipe, {}, {}).has_value());
}

TEST_F(EngineRun, AModelThatRefusesToJudgeHasRefused) {
  RunDriver driver(recipe, failing("gate", ErrorCode::ModelRefused));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.database.rows.plan.error_code, "PROMPT_REFUSED");
  EXPECT_EQ(driver.database.task("gate").state, "completed");
}

TEST_F(EngineRun, SafetyFramingReachesLaterRequestsOnly) {
  std::map<std::string, std::string> prompts;
  RunDriver driver(recipe, [&](const std::string& unit, const llm::CallSpec& spec) -> RunDriver::Reply {
    for (const auto& part : spec.messages.back().parts) prompts[unit] += part + "\n";
    if (unit == "gate/main") return {R"({"rationale_short":"Sensitive.","verdict":"ALLOW_WITH_SAFETY_FRAMING"})", std::nullopt};
    return {good(unit), std::nullopt};
  });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(prompts["gate/main"].find("Stay general."), std::string::npos);
  EXPECT_NE(prompts["list/main"].find("Stay general."), std::string::npos);
}

TEST_F(EngineRun, AFailedTaskBlocksWhatNeedsItAndNothingElse) {
  RunDriver driver(recipe, failing("detail", ErrorCode::SchemaRepairExhausted));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "failed");
  EXPECT_EQ(driver.database.rows.plan.failed_task_key, "detail");
  EXPECT_EQ(driver.database.rows.plan.error_code, "SCHEMA_REPAIR_EXHAUSTED");
  EXPECT_EQ(driver.database.task("page").state, "blocked");
  EXPECT_EQ(driver.database.task("rounds").state, "completed");
  EXPECT_EQ(driver.database.task("extra").state, "completed");
  EXPECT_EQ(driver.database.task("report").state, "completed");
  EXPECT_NE(driver.database.content("008-report.html").find("null"), std::string::npos);
}

TEST_F(EngineRun, AnOptionalTaskMayFail) {
  RunDriver driver(recipe, failing("extra", ErrorCode::ModelRefused));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(driver.database.task("extra").state, "failed");
  EXPECT_EQ(driver.database.rows.plan.progress_percentage, 100);
}

TEST_F(EngineRun, OneMissingItemDegradesTheTask) {
  RunDriver driver(recipe, failing("detail/main/2", ErrorCode::ProviderUnavailable));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_TRUE(driver.database.task("detail").degraded);
  EXPECT_NE(driver.database.content("004-detail.md").find("missing"), std::string::npos);
}

TEST_F(EngineRun, RetryAsksOnlyTheMissingItemAndKeepsDependentsThatDoNotChange) {
  bool broken = true;
  RunDriver driver(recipe, [&](const std::string& unit, const llm::CallSpec&) -> RunDriver::Reply {
    if (broken && unit == "detail/main/2") return {"", ErrorCode::ProviderUnavailable};
    return {good(unit), std::nullopt};
  });
  driver.start();
  driver.run();
  broken = false;
  driver.asked.clear();
  driver.retry("detail");
  driver.run();
  EXPECT_EQ(driver.asked, std::vector<std::string>{"detail/main/2"});
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_FALSE(driver.database.task("detail").degraded);
  for (const auto& row : driver.database.rows.contents) EXPECT_FALSE(row.stale) << row.filename;
}

TEST_F(EngineRun, RetryOfATaskAsksItAnewAndItsDependentsByKey) {
  int list_asked = 0;
  RunDriver driver(recipe, [&](const std::string& unit, const llm::CallSpec&) -> RunDriver::Reply {
    if (unit == "list/main" && ++list_asked == 2) return {R"({"names":["one","other","three"]})", std::nullopt};
    return {good(unit), std::nullopt};
  });
  driver.start();
  driver.run();
  driver.asked.clear();
  driver.retry("list");
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(driver.asked.front(), "list/main");
  EXPECT_EQ(std::count_if(driver.asked.begin(), driver.asked.end(), [](const auto& u) { return u.starts_with("gate"); }), 0);
  EXPECT_EQ(driver.asked.size(), 1U + 3 + 3 + 1);  // the changed list reaches every request that shows it
}

TEST_F(EngineRun, FastModeSkipsItemsAndARetryCanRunThem) {
  RunDriver driver(recipe, all_good(), "block", "fast");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(std::count_if(driver.asked.begin(), driver.asked.end(), [](const auto& u) { return u.starts_with("detail"); }), 1);
  EXPECT_NE(driver.database.content("004-detail.md").find("skipped"), std::string::npos);
  driver.asked.clear();
  driver.retry("detail", engine::RetryItems::skipped);
  driver.run();
  EXPECT_EQ(driver.asked.size(), 2U);
  EXPECT_EQ(driver.database.content("004-detail.md").find("skipped"), std::string::npos);
}

TEST_F(EngineRun, ALaterRoundMayFail) {
  RunDriver driver(recipe, failing("rounds/main/3", ErrorCode::SchemaRepairExhausted));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_TRUE(driver.database.task("rounds").degraded);
}

TEST_F(EngineRun, AnEarlyRoundMustNotFail) {
  RunDriver driver(recipe, failing("rounds/main/2", ErrorCode::SchemaRepairExhausted));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "failed");
  EXPECT_EQ(driver.database.rows.plan.failed_task_key, "rounds");
}

TEST_F(EngineRun, AWrongKeyStopsThePlanWithAReport) {
  RunDriver driver(recipe, failing("list", ErrorCode::ProviderAuth));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "failed");
  EXPECT_EQ(driver.database.rows.plan.error_code, "PROVIDER_AUTH");
  EXPECT_EQ(driver.asked.size(), 2U);
  EXPECT_FALSE(driver.database.content("008-report.html").empty());
}

TEST_F(EngineRun, CancelKeepsResultsAndResumeAsksOnlyTheRest) {
  RunDriver driver(recipe, all_good());
  driver.start();
  while (driver.asked.size() < 4) driver.step();
  driver.cancel();
  driver.run();
  ASSERT_TRUE(driver.ended.has_value());
  EXPECT_EQ(driver.ended->status, "cancelled");
  EXPECT_EQ(driver.database.task("gate").state, "completed");
  for (const auto& [id, row] : driver.database.interactions) EXPECT_TRUE(row.status != "pending" && row.status != "running") << row.call_key;
  driver.resume();
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(std::count(driver.asked.begin(), driver.asked.end(), "gate/main"), 1);
  EXPECT_EQ(std::count(driver.asked.begin(), driver.asked.end(), "list/main"), 1);
}

TEST_F(EngineRun, AFencedCommitStopsTheRunWithoutAnotherWrite) {
  RunDriver driver(recipe, all_good());
  driver.start();
  while (driver.asked.size() < 3) driver.step();
  ++driver.database.fencing;
  const auto before = driver.database.rows.last_seq;
  driver.run();
  ASSERT_TRUE(driver.ended.has_value());
  EXPECT_EQ(driver.ended->status, "");
  EXPECT_EQ(driver.ended->error->code, ErrorCode::Fenced);
  EXPECT_EQ(driver.database.rows.last_seq, before);
}

TEST_F(EngineRun, AFailedCommitLosesNothingThatWasAccepted) {
  RunDriver driver(recipe, all_good());
  driver.commit_fate = [](int number) { return number == 6 ? store::CommitStatus::failed : store::CommitStatus::committed; };
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "");
  const auto asked_before = driver.asked.size();
  driver.crash();
  driver.commit_fate = {};
  driver.start();
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_LE(driver.asked.size(), asked_before + 9);
  EXPECT_TRUE(driver.database.violations.empty()) << driver.database.violations.front();
}

TEST_F(EngineRun, ALostCommitAnswerChangesNothing) {
  RunDriver reference(recipe, all_good());
  reference.start();
  reference.run();
  for (int n = 1; n <= reference.commits; ++n) {
    RunDriver driver(recipe, all_good());
    int hits = 0;
    driver.commit_fate = [&, n](int number) { return number == n && ++hits == 1 ? store::CommitStatus::unknown : store::CommitStatus::committed; };
    driver.start();
    driver.run();
    ASSERT_EQ(driver.ended->status, "completed") << "commit " << n;
    EXPECT_EQ(driver.asked.size(), reference.asked.size());
  }
}

TEST_F(EngineRun, ACrashAtAnyCommitRepeatsOnlyCallsInFlight) {
  RunDriver reference(recipe, all_good());
  reference.start();
  reference.run();
  const auto final_rows = reference.database.rows.contents;
  for (int n = 1; n <= reference.commits; ++n) {
    RunDriver driver(recipe, all_good());
    driver.start();
    while (driver.commits < n && driver.step()) {
    }
    const auto in_flight = driver.waiting.size() + 1;
    const auto asked = driver.asked.size();
    driver.crash();
    driver.start();
    driver.run();
    ASSERT_EQ(driver.ended->status, "completed") << "crash after commit " << n;
    EXPECT_LE(driver.asked.size(), reference.asked.size() + in_flight) << "crash after commit " << n << ", asked " << asked;
    EXPECT_TRUE(driver.database.violations.empty()) << driver.database.violations.front();
    for (const auto& row : final_rows) EXPECT_EQ(driver.database.content(row.filename), row.content) << row.filename;
  }
}

TEST_F(EngineRun, TheOrderOfAnswersChangesNoArtefact) {
  RunDriver reference(recipe, all_good());
  reference.start();
  reference.run();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    RunDriver driver(recipe, all_good());
    driver.shuffle = true;
    driver.order.seed(seed);
    driver.start();
    driver.run();
    for (const auto& row : reference.database.rows.contents)
      ASSERT_EQ(driver.database.content(row.filename), row.content) << row.filename << " seed " << seed;
  }
}

TEST_F(EngineRun, AKnownResponseIsTakenUpAfterACrash) {
  RunDriver driver(recipe, all_good());
  driver.start();
  while (driver.waiting.empty()) driver.step();
  ASSERT_EQ(driver.waiting.front().unit, "gate/main");
  engine::Actions actions = driver.machine->on_response_id("gate/main", 1, "resp_1", {});
  for (auto& action : actions) driver.queue.push_back(std::move(action));
  while (!driver.queue.empty()) driver.step();
  // The ledger row of a first attempt exists before the call is sent; its response id is stored as soon as it is known.
  ASSERT_EQ(driver.database.interactions.begin()->second.response_id, "resp_1");
  driver.crash();
  driver.start();
  while (driver.waiting.empty()) driver.step();
  ASSERT_TRUE(driver.waiting.front().spec.recovery.has_value());
  EXPECT_EQ(driver.waiting.front().spec.recovery->response_id, "resp_1");
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(driver.database.interactions.size(), 9U);  // no second row for the gate
}

TEST_F(EngineRun, ProgressNeverFallsAndEndsAtHundred) {
  RunDriver driver(recipe, all_good());
  driver.start();
  driver.run();
  int last = 0;
  for (const auto& event : driver.published) {
    const auto percent = get_int(event.payload, "progress_percentage");
    if (!percent) continue;
    EXPECT_GE(*percent, last);
    last = static_cast<int>(*percent);
  }
  EXPECT_EQ(last, 100);
  EXPECT_EQ(driver.published.back().type, "stream_end");
}

}  // namespace
}  // namespace planexe::test
