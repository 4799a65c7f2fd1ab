#include <rapidcheck.h>

#include "base/hash.hpp"
#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

class StoreContractRun : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    create(store(), "p1");
  }
};

TEST_P(StoreContractRun, TasksItemsAndEdgesKeepEveryField) {
  put(store(), transaction("p2", {CreatePlan{small_plan("p2"), {full_task("a"), full_task("b")}, {{"a", "b", true}}},
                                  PutItem{full_item("a", "1")}}));
  reopen();
  EXPECT_EQ(value_of(store().tasks("p2")), (std::vector<TaskRow>{full_task("a"), full_task("b")}));
  EXPECT_EQ(value_of(store().items("p2", "a")), std::vector<ItemRow>{full_item("a", "1")});
  EXPECT_TRUE(value_of(store().items("p2", "b")).empty());
  EXPECT_EQ(value_of(store().snapshot("p2")).edges, (std::vector<EdgeRow>{{"a", "b", true}}));
}

TEST_P(StoreContractRun, TasksAndItemsAreReplacedByKey) {
  TaskRow task;
  task.task_key = "a";
  task.phase = "setup";
  put(store(), transaction("p1", {PutTask{full_task("a")}, PutItem{full_item("a", "1")}, PutItem{full_item("a", "2")},
                                  PutItem{full_item("a", "3")}, PutItem{full_item("b", "1")}}));
  ItemRow item;
  item.task_key = "a";
  item.item_key = "1";
  item.position = 9;
  put(store(), transaction("p1", {PutTask{task}, PutItem{item}, DeleteItems{"a", {"2", "unknown"}}}));
  EXPECT_EQ(value_of(store().tasks("p1")), std::vector<TaskRow>{task});
  EXPECT_EQ(value_of(store().items("p1", "a")), (std::vector<ItemRow>{full_item("a", "3"), item}));
  put(store(), transaction("p1", {DeleteItems{"a", {}}}));
  EXPECT_TRUE(value_of(store().items("p1", "a")).empty());
  EXPECT_EQ(value_of(store().items("p1", "b")).size(), 1u);
}

TEST_P(StoreContractRun, ResultsOfEveryShapeComeBackWithTheirOrder) {
  EXPECT_TRUE(rc::check("JSON survives", [&](const std::vector<std::pair<std::string, std::int64_t>>& members,
                                             double number, std::uint8_t shape) {
    json::object object;
    for (const auto& [key, value] : members) {
      std::string name = "k";
      for (const char c : key) name += static_cast<char>('a' + static_cast<unsigned char>(c) % 26);
      object[name] = value;
    }
    ItemRow item = full_item("a", "1");
    switch (shape % 4) {
      case 0: item.result = object; break;
      case 1: item.result = json::array{object, nullptr, number, "quote \" and \n"}; break;
      case 2: item.result = "plain text"; break;
      default: item.result = number; break;
    }
    RC_ASSERT(store().commit(transaction("p1", {PutItem{item}})).ok());
    const auto items = store().items("p1", "a");
    RC_ASSERT(items.has_value());
    RC_ASSERT(to_json(items->at(0).result) == to_json(item.result));
  }));
}

TEST_P(StoreContractRun, AttemptsOfTasksAreKeptBesideTheTask) {
  put(store(), transaction("p1", {PutTaskAttempt{"a", 1, 1, "failed", at(1), at(2), "TASK_FAILED", "no"},
                                  PutTaskAttempt{"a", 1, 2, "running", at(3), {}, "", ""}}));
  put(store(), transaction("p1", {PutTaskAttempt{"a", 1, 2, "completed", at(3), at(4), "", ""}}));
  EXPECT_EQ(count("SELECT COUNT(*) FROM plan_task_attempts"), 2);
  EXPECT_EQ(count("SELECT COUNT(*) FROM plan_task_attempts WHERE state = 'completed' AND attempt = 2"), 1);
}

TEST_P(StoreContractRun, ANewVersionReplacesTheOldOneWhichStays) {
  put(store(), transaction("p1", {PutContent{text_file("a.md", "one", "h1")}}));
  put(store(), transaction("p1", {PutContent{text_file("a.md", "two", "h2")}, PutContent{text_file("b.md", "b")}}));
  reopen();
  const auto current = must(store().content("p1", "a.md"));
  auto expected = text_file("a.md", "two", "h2");
  expected.version = 2;
  expected.size_bytes = 3;
  expected.sha256 = sha256_hex("two");
  EXPECT_EQ(current, expected);
  const auto old = must(store().content("p1", "a.md", 1));
  EXPECT_EQ(old.content, "one");
  EXPECT_FALSE(old.is_current);
  EXPECT_FALSE(value_of(store().content("p1", "a.md", 3)));
  EXPECT_FALSE(value_of(store().content("p1", "c.md")));
  const auto list = value_of(store().contents("p1"));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].filename, "a.md");
  EXPECT_EQ(list[0].content, "");
  EXPECT_EQ(list[0].size_bytes, 3);
}

TEST_P(StoreContractRun, EqualContentOnlyClearsStale) {
  put(store(), transaction("p1", {PutContent{text_file("a.md", "one", "h1")}}));
  put(store(), transaction("p1", {MarkStale{"governance"}}));
  EXPECT_TRUE(must(store().content("p1", "a.md")).stale);
  put(store(), transaction("p1", {PutContent{text_file("a.md", "one", "h1")}}));
  EXPECT_FALSE(must(store().content("p1", "a.md")).stale);
  EXPECT_EQ(must(store().content("p1", "a.md")).version, 1);
  put(store(), transaction("p1", {PutContent{text_file("a.md", "one", "h2")}}));
  EXPECT_EQ(must(store().content("p1", "a.md")).version, 2);
}

TEST_P(StoreContractRun, StaleMarksOnlyTheCurrentFilesOfTheTask) {
  auto other = text_file("b.md", "b");
  other.task_key = "other";
  put(store(), transaction("p1", {PutContent{text_file("a.md", "1")}, PutContent{text_file("a.md", "2")},
                                  PutContent{other}, MarkStale{"governance"}}));
  EXPECT_TRUE(must(store().content("p1", "a.md")).stale);
  EXPECT_FALSE(must(store().content("p1", "a.md", 1)).stale);
  EXPECT_FALSE(must(store().content("p1", "b.md")).stale);
}

TEST_P(StoreContractRun, BytesThatAreNoTextComeBackExactly) {
  auto image = text_file("a.png", std::string("\x89PNG\0\xff\x00", 7));
  image.is_binary = true;
  auto broken = text_file("b.txt", std::string("ok\0\xff", 4));
  auto empty = text_file("c.txt", "");
  put(store(), transaction("p1", {PutContent{image}, PutContent{broken}, PutContent{empty}}));
  EXPECT_EQ(must(store().content("p1", "a.png")).content, image.content);
  EXPECT_TRUE(must(store().content("p1", "a.png")).is_binary);
  EXPECT_EQ(must(store().content("p1", "b.txt")).content, broken.content);
  EXPECT_EQ(must(store().content("p1", "c.txt")).content, "");
  EXPECT_TRUE(value_of(store().check()).empty());
}

TEST_P(StoreContractRun, ContentsUpToTheLimitAreTakenAndNotBeyond) {
  const std::string big(32u << 20, 'x');
  put(store(), transaction("p1", {PutContent{text_file("big.txt", big)}}));
  EXPECT_EQ(must(store().content("p1", "big.txt")).content, big);
  EXPECT_EQ(must(store().content("p1", "big.txt")).size_bytes, 32 << 20);
  const auto result = store().commit(transaction("p1", {PutContent{text_file("more.txt", big + "x")}}));
  EXPECT_EQ(result.status, CommitStatus::failed);
  EXPECT_EQ(result.error->code, ErrorCode::LimitExceeded);
  const auto sum = store().commit(transaction(
      "p1", {PutContent{text_file("1", big)}, PutContent{text_file("2", big)}, PutContent{text_file("3", big)}}));
  EXPECT_EQ(sum.status, CommitStatus::failed);
  EXPECT_FALSE(value_of(store().content("p1", "1")));
}

TEST_P(StoreContractRun, FileRowsCountTheirVersions) {
  const auto row = [](const std::string& hash) {
    return PutFileRow{"a.md", "markdown", hash, "governance", "a.md", 5};
  };
  put(store(), transaction("p1", {row("h1")}));
  put(store(), transaction("p1", {row("h1")}));
  EXPECT_EQ(count("SELECT version FROM plan_files"), 1);
  put(store(), transaction("p1", {row("h2")}));
  EXPECT_EQ(count("SELECT version FROM plan_files"), 2);
  EXPECT_EQ(count("SELECT COUNT(*) FROM plan_files WHERE content_hash = 'h2' AND file_size_bytes = 5"), 1);
}

EventRow event(std::int64_t seq, const std::string& type = "task") {
  return {.seq = seq,
          .type = type,
          .created_at = at(static_cast<int>(seq)),
          .payload = json::object{{"n", seq}},
          .interaction_id = seq * 2};
}

TEST_P(StoreContractRun, EventsComeInOrderFromAnyNumber) {
  put(store(), transaction("p1", {AppendEvents{{event(1), event(5), event(9, "log")}}}));
  put(store(), transaction("p1", {AppendEvents{{event(12), event(13, "log")}}}));
  reopen();
  EXPECT_EQ(value_of(store().events("p1", 0, 100)),
            (std::vector<EventRow>{event(1), event(5), event(9, "log"), event(12), event(13, "log")}));
  EXPECT_EQ(value_of(store().events("p1", 5, 2)), (std::vector<EventRow>{event(9, "log"), event(12)}));
  EXPECT_TRUE(value_of(store().events("p1", 13, 100)).empty());
  EXPECT_TRUE(value_of(store().events("p2", 0, 100)).empty());
  const auto snapshot = value_of(store().snapshot("p1"));
  EXPECT_EQ(snapshot.last_seq, 13);
  EXPECT_EQ(snapshot.log_events, 2);
}

TEST_P(StoreContractRun, EventNumbersNeverFallOrChange) {
  put(store(), transaction("p1", {AppendEvents{{event(5)}}}));
  EXPECT_EQ(store().commit(transaction("p1", {AppendEvents{{event(4)}}})).status, CommitStatus::conflict);
  EXPECT_EQ(store().commit(transaction("p1", {AppendEvents{{event(5, "status")}}})).status, CommitStatus::conflict);
  EXPECT_EQ(store().commit(transaction("p1", {AppendEvents{{event(7), event(6)}}})).status, CommitStatus::conflict);
  EXPECT_EQ(store().commit(transaction("p1", {AppendEvents{{event(0)}}})).status, CommitStatus::conflict);
  // The same transaction again, after its answer was lost.
  put(store(), transaction("p1", {AppendEvents{{event(5), event(6)}}}));
  EXPECT_EQ(value_of(store().events("p1", 0, 10)).size(), 2u);
}

TEST_P(StoreContractRun, SnapshotHasWhatARunNeeds) {
  auto open = full_interaction(value_of(store().reserve_interaction_ids(2)), "p1");
  open.status = "running";
  auto ended = full_interaction(open.id + 1, "p1");
  ended.attempt = 3;
  put(store(),
      transaction("p1", {PutTask{full_task("a")}, PutItem{full_item("a", "1")},
                         PutBlocks{{block("context"), block("task")}}, PutInteraction{open}, PutInteraction{ended},
                         PutContent{text_file("a.md", "old")}, PutContent{text_file("a.md", "new")}}));
  const auto snapshot = value_of(store().snapshot("p1"));
  EXPECT_EQ(snapshot.plan.plan_id, "p1");
  EXPECT_EQ(snapshot.tasks.size(), 1u);
  EXPECT_EQ(snapshot.items.size(), 1u);
  ASSERT_EQ(snapshot.contents.size(), 1u);
  EXPECT_EQ(snapshot.contents[0].content, "new");
  EXPECT_EQ(snapshot.open_interactions, std::vector<InteractionRow>{open});
  const auto missing = store().snapshot("p2");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::PlanNotFound);
}

TEST_P(StoreContractRun, MetricsTakeKnownColumnsAndLeaveTheLedgerAlone) {
  put(store(), transaction("p1", {PutMetrics{{{"wall_ms", 1234},
                                              {"peak_memory_mb", 12.5},
                                              {"user_feedback", "good"},
                                              {"user_rating", nullptr},
                                              {"total_tokens_used", 999}}}}));
  EXPECT_EQ(count("SELECT wall_ms FROM plan_metrics WHERE user_feedback = 'good' AND user_rating IS NULL"), 1234);
  EXPECT_EQ(count("SELECT total_tokens_used FROM plan_metrics"), 0);
  for (const json::object& bad : {json::object{{"nonsense", 1}}, json::object{{"wall_ms = 1 --", 1}},
                                  json::object{{"wall_ms", "soon"}}, json::object{{"user_feedback", 5}}}) {
    EXPECT_EQ(store().commit(transaction("p1", {PutMetrics{bad}})).status, CommitStatus::failed) << bad;
  }
}

INSTANTIATE_TEST_SUITE_P(Runs, StoreContractRun, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
