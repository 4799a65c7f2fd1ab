#include <thread>

#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

class StoreContractLease : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    create(store(), "p1");
  }
  CommitStatus write(std::int64_t fencing) {
    auto plan = small_plan("p1");
    plan.progress_percentage = static_cast<int>(fencing);
    return store().commit(transaction("p1", {PutPlan{plan}}, fencing)).status;
  }
};

TEST_P(StoreContractLease, ALiveLeaseKeepsOthersOut) {
  const auto mine = must(store().acquire_lease("p1", "me", 1h, false));
  EXPECT_EQ(mine.fencing, 1);
  EXPECT_FALSE(value_of(store().acquire_lease("p1", "you", 1h, false)));
  const auto plan = must(store().plan("p1"));
  EXPECT_EQ(plan.lease_owner, "me");
  EXPECT_EQ(plan.lease_expires_at, mine.expires_at);
}

TEST_P(StoreContractLease, RenewalKeepsTheNumberAndMovesTheEnd) {
  const auto first = must(store().acquire_lease("p1", "me", 10s, false));
  const auto renewed = must(store().acquire_lease("p1", "me", 1h, false));
  EXPECT_EQ(renewed.fencing, first.fencing);
  EXPECT_GT(renewed.expires_at, first.expires_at + 30min);
  EXPECT_EQ(lease(store(), "p1", "me", 0ms), first.fencing);
  EXPECT_EQ(lease(store(), "p1", "me", 1h), first.fencing) << "late, but nobody took it";
}

TEST_P(StoreContractLease, TakingOverFencesTheOldOwnerOff) {
  const auto old = lease(store(), "p1", "me", 0ms);
  EXPECT_EQ(write(old), CommitStatus::committed);
  const auto taken = lease(store(), "p1", "you", 1h);
  EXPECT_EQ(taken, old + 1);
  EXPECT_EQ(write(old), CommitStatus::fenced);
  EXPECT_EQ(must(store().plan("p1")).progress_percentage, old);
  EXPECT_EQ(write(taken), CommitStatus::committed);
  EXPECT_EQ(store().commit(transaction("p1", {ReleaseLease{}}, old)).status, CommitStatus::fenced);
  EXPECT_EQ(must(store().plan("p1")).lease_owner, "you");
}

TEST_P(StoreContractLease, ForceTakesALiveLease) {
  const auto dead = lease(store(), "p1", "dead process", 1h);
  const auto taken = lease(store(), "p1", "me", 1h, true);
  EXPECT_GT(taken, dead);
  EXPECT_EQ(write(dead), CommitStatus::fenced);
}

TEST_P(StoreContractLease, AReleasedLeaseIsFreeAndItsNumberIsSpent) {
  const auto first = lease(store(), "p1", "me", 1h);
  put(store(), transaction("p1", {ReleaseLease{}}, first));
  EXPECT_EQ(must(store().plan("p1")).lease_owner, "");
  EXPECT_FALSE(must(store().plan("p1")).lease_expires_at);
  EXPECT_GT(lease(store(), "p1", "you", 1h), first);
  EXPECT_EQ(store().commit(transaction("p1", {ReleaseLease{}})).status, CommitStatus::failed);
}

TEST_P(StoreContractLease, UnknownPlansHaveNoLease) {
  const auto result = store().acquire_lease("p2", "me", 1h, false);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::PlanNotFound);
}

TEST_P(StoreContractLease, AFencedTransactionWritesNothingAtAll) {
  const auto old = lease(store(), "p1", "me", 0ms);
  lease(store(), "p1", "you", 1h);
  const auto result = store().commit(transaction(
      "p1", {PutTask{full_task("a")}, PutContent{text_file("a.md", "x")}, AppendEvents{{EventRow{.seq = 1}}}}, old));
  EXPECT_EQ(result.status, CommitStatus::fenced);
  EXPECT_EQ(result.error->code, ErrorCode::Fenced);
  EXPECT_TRUE(value_of(store().tasks("p1")).empty());
  EXPECT_TRUE(value_of(store().contents("p1")).empty());
  EXPECT_TRUE(value_of(store().events("p1", 0, 10)).empty());
}

TEST_P(StoreContractLease, OfManyTakersOneWins) {
  auto other = open_or_die(backend().options());
  std::atomic<int> winners{0};
  std::vector<std::thread> takers;
  for (int i = 0; i < 8; ++i) {
    takers.emplace_back([&, i] {
      Store& through = i % 2 == 0 ? store() : *other;
      const auto taken = through.acquire_lease("p1", "node-" + std::to_string(i), 1h, false);
      if (taken && *taken) ++winners;
    });
  }
  for (auto& taker : takers) taker.join();
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(must(store().plan("p1")).fencing, 1);
}

TEST_P(StoreContractLease, RowsNoteTheNumberTheyWereWrittenWith) {
  lease(store(), "p1", "me", 0ms);
  const auto fencing = lease(store(), "p1", "you", 1h);
  put(store(),
      transaction("p1", {PutTask{full_task("a")}, PutItem{full_item("a", "1")}, PutContent{text_file("a.md", "x")}},
                  fencing));
  EXPECT_EQ(count("SELECT fencing FROM plan_tasks"), fencing);
  EXPECT_EQ(count("SELECT fencing FROM plan_task_items"), fencing);
  EXPECT_EQ(count("SELECT fencing FROM plan_content"), fencing);
}

INSTANTIATE_TEST_SUITE_P(Leases, StoreContractLease, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
