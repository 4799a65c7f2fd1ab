#include <atomic>
#include <future>
#include <thread>

#include "base/testpoint.hpp"
#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

/// Keeps a writer busy inside a `done` until it is opened, so that what is submitted meanwhile forms one group.
class Gate {
 public:
  /// Keeps the writer of this plan busy; a store may have several.
  explicit Gate(Store& store, const std::string& plan) {
    store.submit(transaction(plan, {ReserveSeq{0}}), [this](CommitResult) {
      reached_.set_value();
      open_.get_future().wait();
    });
    reached_.get_future().wait();
  }
  void open() { open_.set_value(); }

 private:
  std::promise<void> reached_, open_;
};

class Answers {
 public:
  void submit(Store& store, Transaction work) {
    const std::size_t index = count_++;
    store.submit(std::move(work), [this, index](CommitResult result) {
      const std::lock_guard lock(mutex_);
      order_.push_back(index);
      results_.push_back(std::move(result));
      changed_.notify_all();
    });
  }
  std::vector<CommitStatus> wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 30s, [&] { return results_.size() == count_; }));
    std::vector<CommitStatus> statuses;
    for (const auto& result : results_) statuses.push_back(result.status);
    return statuses;
  }
  [[nodiscard]] const std::vector<std::size_t>& order() const { return order_; }
  [[nodiscard]] const CommitResult& result(std::size_t index) const { return results_[index]; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
  std::vector<std::size_t> order_;
  std::vector<CommitResult> results_;
};

class StoreContractGroup : public StoreContract {
 protected:
  void TearDown() override { static_cast<void>(testpoint::configure("")); }
  static void arm(const std::string& points) { ASSERT_TRUE(testpoint::configure(points)); }
  Transaction labelled(const std::string& plan, Write write, const std::string& label) {
    return {plan, std::nullopt, {std::move(write)}, label};
  }
};

TEST_P(StoreContractGroup, OneFailingOfManyLeavesTheOthers) {
  for (int i = 0; i < 10; ++i) create(store(), "p" + std::to_string(i));
  lease(store(), "p5", "other");
  // Of all plans together only one writer keeps the order.
  auto options = backend().options();
  options.writers = 1;
  const auto one = open_or_die(options);
  Gate gate(*one, "p0");
  Answers answers;
  for (int i = 0; i < 10; ++i) {
    const auto id = "p" + std::to_string(i);
    auto bad = small_plan(id);
    bad.status = "sleeping";
    std::vector<Write> writes{ReserveSeq{100 + i}};
    std::optional<std::int64_t> fencing;
    if (i == 3) writes.push_back(PutPlan{bad});
    if (i == 4) writes.push_back(CreatePlan{small_plan(id), {}, {}});
    if (i == 5) fencing = 77;
    answers.submit(*one, transaction(id, std::move(writes), fencing));
  }
  gate.open();
  const auto statuses = answers.wait();
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(answers.order()[i], i) << "answers come in order";
    const auto expected = i == 3   ? CommitStatus::failed
                          : i == 4 ? CommitStatus::conflict
                          : i == 5 ? CommitStatus::fenced
                                   : CommitStatus::committed;
    EXPECT_EQ(statuses[i], expected) << i;
    const bool written = expected == CommitStatus::committed;
    EXPECT_EQ(must(store().plan("p" + std::to_string(i))).seq_reserved, written ? 100 + static_cast<int>(i) : 0);
  }
}

TEST_P(StoreContractGroup, AFailedCommitFailsTheWholeGroupAndTheNextOneWorks) {
  create(store(), "p1");
  arm("store.io_error.second=error@1");
  Gate gate(store(), "p1");
  Answers answers;
  answers.submit(store(), labelled("p1", ReserveSeq{1}, "first"));
  answers.submit(store(), labelled("p1", ReserveSeq{2}, "second"));
  answers.submit(store(), labelled("p1", PutTask{full_task("a")}, "third"));
  gate.open();
  EXPECT_EQ(answers.wait(), std::vector<CommitStatus>(3, CommitStatus::failed));
  EXPECT_EQ(answers.result(0).error->code, ErrorCode::IoError);
  EXPECT_NE(answers.result(0).error->message.find("disk is full"), std::string::npos);
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 0);
  put(store(), transaction("p1", {ReserveSeq{3}}));
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 3);
}

TEST_P(StoreContractGroup, ALostAnswerIsUnknownAndTheRepeatIsHarmless) {
  create(store(), "p1");
  arm("store.commit_answer_lost.accept=error@1");
  auto accept = [&] {
    return Transaction{"p1",
                       std::nullopt,
                       {PutTask{full_task("a")}, PutItem{full_item("a", "1")}, PutContent{text_file("a.md", "x")},
                        AppendEvents{{EventRow{.seq = 1, .type = "task", .created_at = at(1)}}}, ReserveSeq{10}},
                       "accept"};
  };
  EXPECT_EQ(store().commit(accept()).status, CommitStatus::unknown);
  EXPECT_EQ(value_of(store().tasks("p1")).size(), 1u) << "it was committed";
  EXPECT_EQ(store().commit(accept()).status, CommitStatus::committed);
  EXPECT_EQ(must(store().content("p1", "a.md")).version, 1);
  EXPECT_EQ(value_of(store().events("p1", 0, 10)).size(), 1u);
}

TEST_P(StoreContractGroup, ALeaseWhoseCommitFailsIsNotHeld) {
  create(store(), "p1");
  arm("store.io_error.lease=error@1");
  EXPECT_FALSE(store().acquire_lease("p1", "me", 1h, false));
  EXPECT_EQ(must(store().plan("p1")).fencing, 0);
  EXPECT_EQ(lease(store(), "p1", "you", 1h), 1);
}

TEST_P(StoreContractGroup, EveryAnswerComesOnceFromManyThreads) {
  for (int i = 0; i < 4; ++i) create(store(), "p" + std::to_string(i));
  constexpr int kEach = 100;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 1; i <= kEach; ++i) {
        store().submit(transaction("p" + std::to_string(t), {AppendEvents{{EventRow{.seq = i, .type = "task"}}}}),
                       [&](CommitResult result) {
                         EXPECT_TRUE(result.ok());
                         ++answered;
                       });
        if (i % 10 == 0) EXPECT_TRUE(store().plan("p0"));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  reopen();
  EXPECT_EQ(answered, 4 * kEach) << "closing finishes what is queued";
  for (int t = 0; t < 4; ++t) {
    EXPECT_EQ(value_of(store().events("p" + std::to_string(t), 0, 1000)).size(), std::size_t{kEach});
  }
}

TEST_P(StoreContractGroup, ReadsSeeWhatWasCommittedBefore) {
  create(store(), "p1");
  for (int i = 1; i < 200; ++i) {
    put(store(), transaction("p1", {ReserveSeq{i}}));
    ASSERT_EQ(must(store().plan("p1")).seq_reserved, i);
  }
}

TEST_P(StoreContractGroup, AnswersMayReadTheStore) {
  create(store(), "p1");
  std::promise<std::int64_t> seen;
  store().submit(transaction("p1", {ReserveSeq{8}}),
                 [&](CommitResult) { seen.set_value(must(store().plan("p1")).seq_reserved); });
  EXPECT_EQ(seen.get_future().get(), 8);
}

TEST_P(StoreContractGroup, TwoStoresOnOneDatabaseDoNotLoseWrites) {
  create(store(), "p1");
  auto other = open_or_die(backend().options());
  std::thread thread([&] {
    for (int i = 0; i < 50; ++i) put(*other, transaction("p1", {PutItem{full_item("other", std::to_string(i))}}));
  });
  for (int i = 0; i < 50; ++i) put(store(), transaction("p1", {PutItem{full_item("mine", std::to_string(i))}}));
  thread.join();
  EXPECT_EQ(value_of(store().items("p1", "mine")).size(), 50u);
  EXPECT_EQ(value_of(store().items("p1", "other")).size(), 50u);
}

INSTANTIATE_TEST_SUITE_P(Groups, StoreContractGroup, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
