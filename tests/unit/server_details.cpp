#include "server/artefact_view.hpp"
#include "server/details.hpp"
#include "server/plan_files.hpp"
#include "server/state_tag.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::ServerPlan;

class ServerDetails : public testing::Test {
 protected:
  json::object make(const std::vector<std::string>& include = {}) {
    const PlanFiles files(plan_.store(), ServerPlan::kId, {});
    const auto row = plan_.plan();
    const auto tasks = *plan_.store().tasks(ServerPlan::kId);
    const auto list = *files.list(test::real_recipe());
    const auto load = [&](const std::string& name) -> Result<std::optional<std::string>> {
      ++loads_;
      PLANEXE_TRY_ASSIGN(auto file, files.load(name));
      if (!file) return std::nullopt;
      return file->content;
    };
    return *plan_details({&row, &tasks, &list, log_, load}, detail_parts(include));
  }

  ServerPlan plan_;
  std::string log_ = "Running task SwotAnalysisTask";
  int loads_ = 0;
};

TEST_F(ServerDetails, HasStagesLogAndFiles) {
  plan_.put_output("014-1-swot_analysis_raw.json", "{\"a\":1}");
  plan_.put_output("014-2-swot_analysis.md", "text");
  plan_.put_output("026-4-schedule.json", "no JSON");
  plan_.set_task("swot_analysis", [](auto& row) { row.state = "running"; });
  const auto details = make();
  EXPECT_FITS(details, "PlanDetails");
  EXPECT_EQ(details.at("run_directory"), ServerPlan::kId);
  const auto& stages = details.at("pipeline_stages").as_array();
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].at("stage"), "014-1-swot_analysis_raw");
  EXPECT_EQ(stages[0].at("status"), "running");
  EXPECT_EQ(stages[0].at("data"), (json::value{{"a", 1}}));
  EXPECT_EQ(stages[1].at("data"), "no JSON");
  EXPECT_EQ(details.at("pipeline_log"), "Running task SwotAnalysisTask");
  EXPECT_EQ(details.at("log_total_bytes"), 29);
  EXPECT_EQ(details.at("total_files"), 3);
}

TEST_F(ServerDetails, LargeDataIsNamedAndNotRead) {
  plan_.put_output("014-1-swot_analysis_raw.json", "\"" + std::string(32 * 1024, 'x') + "\"");
  const auto details = make();
  EXPECT_FITS(details, "PlanDetails");
  EXPECT_EQ(loads_, 0);
  const auto& data = details.at("pipeline_stages").at(0).at("data");
  EXPECT_TRUE(data.at("truncated").as_bool());
  EXPECT_EQ(data.at("size_bytes"), 32 * 1024 + 2);
  EXPECT_EQ(data.at("href"),
            json::value(std::string("/api/plans/") + ServerPlan::kId + "/content/014-1-swot_analysis_raw.json"));
}

TEST_F(ServerDetails, OnlyTheEndOfALongLogIsSent) {
  log_.clear();
  while (log_.size() < 100'000) log_ += "a line of the log\n";
  const auto details = make();
  const auto& tail = details.at("pipeline_log").as_string();
  EXPECT_LE(tail.size(), 64u * 1024);
  EXPECT_TRUE(tail.starts_with("a line"));
  EXPECT_EQ(details.at("log_total_bytes"), log_.size());
}

TEST_F(ServerDetails, PartsCanBeChosen) {
  const auto some = make({"log,files"});
  EXPECT_FITS(some, "PlanDetails");
  EXPECT_FALSE(some.contains("pipeline_stages"));
  EXPECT_TRUE(some.contains("pipeline_log"));
  EXPECT_TRUE(some.contains("generated_files"));
  EXPECT_FALSE(make({"stages"}).contains("pipeline_log"));
  EXPECT_TRUE(make({"stages", "log"}).contains("pipeline_log"));
  EXPECT_TRUE(make({""}).contains("total_files"));
}

TEST_F(ServerDetails, AFinishedPlanFits) {
  plan_.complete();
  EXPECT_FITS(make(), "PlanDetails");
}

TEST(ServerStateTag, ChangesWithWhatItIsMadeFrom) {
  ServerPlan plan;
  const auto tag = [&](std::string_view answer = "a") {
    const auto board = plan.board();
    return StateTag(answer).add(plan.plan()).add(board.tasks).add(board.contents).text();
  };
  std::set<std::string> seen{tag()};
  EXPECT_EQ(seen.count(tag()), 1u);
  const auto expect_new = [&](const std::string& next, const char* what) {
    EXPECT_TRUE(seen.insert(next).second) << what;
  };
  expect_new(tag("b"), "answer");
  plan.put_output("014-2-swot_analysis.md", "one");
  expect_new(tag(), "file");
  plan.put_output("014-2-swot_analysis.md", "two");
  expect_new(tag(), "version");
  plan.write({store::MarkStale{"swot_analysis"}});
  expect_new(tag(), "stale");
  plan.set_task("swot_analysis", [](auto& row) { row.state = "running"; });
  expect_new(tag(), "state");
  plan.set_task("swot_analysis", [](auto& row) { row.error_message = "no"; });
  expect_new(tag(), "error");
  plan.change_plan([](auto& row) { row.title = "Another"; });
  expect_new(tag(), "title");
  EXPECT_NE(StateTag("a").add("bc").text(), StateTag("ab").add("c").text());
}

TEST(ServerStateTag, OnlyItsOwnTagIsUnchanged) {
  Request request;
  EXPECT_FALSE(unchanged(request, "\"abc\""));
  request.headers["if-none-match"] = "\"x\", W/\"abc\"";
  const auto same = unchanged(request, "\"abc\"");
  ASSERT_TRUE(same);
  EXPECT_EQ(same->status, 304);
  EXPECT_TRUE(same->body.empty());
  EXPECT_FALSE(unchanged(request, "\"ab\""));
}

}  // namespace
}  // namespace planexe::server
