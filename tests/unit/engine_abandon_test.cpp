#include <gtest/gtest.h>

#include "engine/requests.hpp"
#include "support/server_plan.hpp"

namespace planexe::engine {
namespace {

using test::ServerPlan;

TEST(EngineAbandon, APlanThatIsGivenUpTellsItsWatchers) {
  ServerPlan plan;
  plan.write({store::ReserveSeq{4096}});
  plan.change_plan([](auto& row) {
    row.status = "running";
    row.recovery_count = 4;
  });
  const auto fencing = plan.store().acquire_lease(ServerPlan::kId, "test", std::chrono::seconds(10), true);
  ASSERT_TRUE(fencing && *fencing);
  auto transaction = make_abandon(*plan.store().snapshot(ServerPlan::kId), ServerPlan::kNow);
  transaction.fencing = (*fencing)->fencing;
  ASSERT_TRUE(plan.store().commit(std::move(transaction)).ok());

  const auto row = plan.plan();
  EXPECT_EQ(row.status, "failed");
  EXPECT_EQ(row.error_code, "RUN_ABANDONED");
  EXPECT_EQ(row.completed_at, ServerPlan::kNow);
  EXPECT_TRUE(row.lease_owner.empty());
  const auto events = *plan.store().events(ServerPlan::kId, 1, 10);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].seq, 4097) << "behind every number that may have been handed out";
  EXPECT_EQ(events[0].type, "status");
  EXPECT_EQ(events[0].payload.at("status"), "failed");
  EXPECT_EQ(events[0].payload.at("error_code"), "RUN_ABANDONED");
  EXPECT_EQ(events[1].type, "stream_end");
  EXPECT_EQ(events[1].payload.at("reason"), "failed");
  EXPECT_GE(row.seq_reserved, events[1].seq);
}

}  // namespace
}  // namespace planexe::engine
