#include <gtest/gtest.h>

#include "machine/engine_fixture.hpp"

namespace planexe::test {
namespace {

/// A plan whose task "detail" has failed while "rounds" and "extra" go on.
class EngineRetryInRun : public ::testing::Test {
 protected:
  recipe::Recipe recipe = small_recipe();
  const std::set<std::string> every_detail{"detail/main/1", "detail/main/2", "detail/main/3"};
  std::set<std::string> broken = every_detail;
  RunDriver::Answer answer = [this](const std::string& unit, const llm::CallSpec&) -> RunDriver::Reply {
    if (broken.contains(unit)) return {"", ErrorCode::ProviderUnavailable};
    return {good(unit), std::nullopt};
  };
  RunDriver driver{recipe, answer};

  static std::string good(const std::string& unit) {
    if (unit.starts_with("gate")) return R"({"rationale_short":"Harmless.","verdict":"ALLOW"})";
    if (unit.starts_with("list")) return R"({"names":["one","two","three"]})";
    if (unit.starts_with("detail")) return R"({"text":"about it"})";
    if (unit.starts_with("rounds")) return R"({"more":"words"})";
    return R"({"extra":"more"})";
  }
  std::string state(const std::string& task) const { return driver.database.task(task).state; }
  /// Answers the calls that `detail` needs and those before it, not those of its siblings. False: it did not fail.
  bool run_until_failed() { return run_until_failed(driver); }
  static bool run_until_failed(RunDriver& one) {
    const auto is_wanted = [](const auto& call) { return !call.unit.starts_with("rounds") && !call.unit.starts_with("extra"); };
    while (true) {
      while (!one.queue.empty()) one.step();
      const auto it = std::ranges::find_if(one.waiting, is_wanted);
      if (it == one.waiting.end()) return one.database.task("detail").state == "failed";
      one.answer(static_cast<std::size_t>(it - one.waiting.begin()));
    }
  }
  static std::string code(const Result<std::vector<std::string>>& result) {
    return result ? "ok" : std::string(to_string(result.error().code));
  }
};

TEST_F(EngineRetryInRun, TheTaskAndWhatWaitsForItComeBackWhileOthersGoOn) {
  driver.start();
  ASSERT_TRUE(run_until_failed());
  EXPECT_EQ(driver.database.rows.plan.status, "running");
  broken.clear();
  driver.asked.clear();
  const auto reset = driver.retry_now("detail");
  ASSERT_TRUE(reset) << to_string(reset.error());
  EXPECT_EQ(*reset, (std::vector<std::string>{"detail", "page", "report"}));
  EXPECT_TRUE(driver.acknowledged.empty()) << "nothing is stored yet";
  driver.run();
  EXPECT_EQ(driver.acknowledged, std::vector<std::uint64_t>{7});
  EXPECT_EQ(driver.ended->status, "completed");
  for (const auto& task : driver.database.rows.tasks) EXPECT_EQ(task.state, "completed") << task.task_key;
  EXPECT_EQ(driver.database.task("detail").attempt, 2);
  EXPECT_TRUE(driver.database.task("detail").error_code.empty());
  EXPECT_EQ(driver.database.rows.plan.run_attempt, 0) << "it is still the same run";
  EXPECT_TRUE(driver.database.violations.empty()) << driver.database.violations.front();
}

TEST_F(EngineRetryInRun, ItemsThatWereAnsweredAreNotAskedAgain) {
  broken.erase("detail/main/2");
  driver.start();
  ASSERT_TRUE(run_until_failed());
  broken.clear();
  driver.asked.clear();
  ASSERT_TRUE(driver.retry_now("detail"));
  driver.run();
  EXPECT_EQ(std::ranges::count_if(driver.asked, [](const auto& unit) { return unit.starts_with("detail"); }), 2);
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_FALSE(driver.database.task("detail").degraded);
}

TEST_F(EngineRetryInRun, AllItemsCanBeAskedAgain) {
  driver.start();
  ASSERT_TRUE(run_until_failed());
  broken.clear();
  driver.asked.clear();
  ASSERT_TRUE(driver.retry_now("detail", engine::RetryItems::all));
  driver.run();
  EXPECT_EQ(std::ranges::count_if(driver.asked, [](const auto& unit) { return unit.starts_with("detail"); }), 3);
  EXPECT_EQ(driver.ended->status, "completed");
}

TEST_F(EngineRetryInRun, OnlyAFailedTaskCanBeRetried) {
  driver.start();
  ASSERT_TRUE(run_until_failed());
  EXPECT_EQ(code(driver.retry_now("list")), "PLAN_ACTIVE");
  EXPECT_EQ(code(driver.retry_now("rounds")), "PLAN_ACTIVE");
  EXPECT_EQ(code(driver.retry_now("page")), "PLAN_ACTIVE");
  EXPECT_EQ(code(driver.retry_now("nothing")), "TASK_NOT_FOUND");
  EXPECT_EQ(code(driver.retry_now("setup")), "TASK_NOT_RETRYABLE");
  driver.cancel();
  EXPECT_EQ(code(driver.retry_now("detail")), "PLAN_ACTIVE");
  driver.run();
  EXPECT_EQ(driver.ended->status, "cancelled");
  EXPECT_TRUE(driver.acknowledged.empty());
}

TEST_F(EngineRetryInRun, ATaskThatFailsAgainCanBeRetriedAgain) {
  driver.start();
  ASSERT_TRUE(run_until_failed());
  ASSERT_TRUE(driver.retry_now("detail"));
  ASSERT_TRUE(run_until_failed());
  EXPECT_EQ(driver.database.task("detail").attempt, 2);
  broken.clear();
  ASSERT_TRUE(driver.retry_now("detail"));
  driver.run();
  EXPECT_EQ(driver.ended->status, "completed");
  EXPECT_EQ(driver.database.task("detail").attempt, 3);
  EXPECT_TRUE(driver.database.violations.empty()) << driver.database.violations.front();
}

TEST_F(EngineRetryInRun, ACrashAtAnyCommitAfterItLosesNothing) {
  for (int at = 1; at < 100; ++at) {
    broken = every_detail;
    RunDriver one(recipe, answer);
    one.start();
    ASSERT_TRUE(run_until_failed(one));
    broken.clear();
    ASSERT_TRUE(one.retry_now("detail"));
    const int last = one.commits + at;
    while (!one.ended && one.commits < last && one.step()) {
    }
    if (one.ended) return;
    const bool asked_for = !one.acknowledged.empty();
    one.crash();
    one.start();
    one.run();
    ASSERT_TRUE(one.ended) << at;
    EXPECT_TRUE(one.database.violations.empty()) << at << ": " << one.database.violations.front();
    if (asked_for) EXPECT_EQ(one.ended->status, "completed") << at;
  }
  FAIL() << "the plan never ended";
}

}  // namespace
}  // namespace planexe::test
