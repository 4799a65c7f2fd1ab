#include <set>
#include <thread>

#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

TEST_P(StoreContract, PlanKeepsEveryField) {
  const PlanRow plan = full_plan("p1");
  put(store(), transaction("p1", {CreatePlan{plan, {}, {}}}));
  reopen();
  EXPECT_EQ(must(store().plan("p1")), plan);
  EXPECT_FALSE(value_of(store().plan("p2")));
}

TEST_P(StoreContract, CreatingTwiceIsAConflictAndChangesNothing) {
  create(store(), "p1");
  auto other = small_plan("p1");
  other.prompt = "Another";
  EXPECT_EQ(store().commit(transaction("p1", {CreatePlan{other, {}, {}}})).status, CommitStatus::conflict);
  EXPECT_EQ(must(store().plan("p1")).prompt, "A prompt");
}

TEST_P(StoreContract, PutPlanChangesTheStateAndKeepsIdentityLeaseAndSequence) {
  auto plan = full_plan("p1");
  put(store(), transaction("p1", {CreatePlan{plan, {}, {}}}));
  const auto fencing = lease(store(), "p1", "me");
  auto changed = full_plan("p1");
  changed.prompt = "changed";
  changed.user_id = "bob";
  changed.created_at = at(9999);
  changed.seq_reserved = 5;
  changed.lease_owner = "thief";
  changed.fencing = 99;
  changed.status = "completed";
  changed.progress_percentage = 100;
  changed.error_message = "";
  changed.enriched_intake = nullptr;
  put(store(), transaction("p1", {PutPlan{changed}}, fencing));
  const auto read = must(store().plan("p1"));
  EXPECT_EQ(read.prompt, plan.prompt);
  EXPECT_EQ(read.user_id, "ann");
  EXPECT_EQ(read.created_at, at(1));
  EXPECT_EQ(read.seq_reserved, 1000);
  EXPECT_EQ(read.lease_owner, "me");
  EXPECT_EQ(read.fencing, fencing);
  EXPECT_EQ(read.status, "completed");
  EXPECT_EQ(read.progress_percentage, 100);
  EXPECT_EQ(read.error_message, "");
  EXPECT_TRUE(read.enriched_intake.is_null());
  EXPECT_EQ(count("SELECT actual_duration_minutes FROM plans"), 1);
}

TEST_P(StoreContract, WritesToUnknownPlansAreConflicts) {
  for (const Write& write :
       std::vector<Write>{PutPlan{small_plan("no")}, PutTask{full_task("t")}, PutItem{full_item("t", "i")},
                          PutContent{text_file("a.md", "x")}, MarkStale{"t"}, AppendEvents{{EventRow{.seq = 1}}},
                          ReserveSeq{5}, RequestCancel{at(1)}, DeletePlan{}, ExpectPlan{{"pending"}, {}}}) {
    const auto result = store().commit(transaction("no", {write}));
    EXPECT_EQ(result.status, CommitStatus::conflict) << write.index();
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->code, ErrorCode::PlanNotFound) << write.index();
  }
  EXPECT_EQ(store().commit(transaction("", {ReserveSeq{5}})).status, CommitStatus::failed);
}

TEST_P(StoreContract, ValuesOutsideTheContractFailAndWriteNothing) {
  create(store(), "p1");
  auto plan = small_plan("p1");
  plan.status = "sleeping";
  EXPECT_EQ(store().commit(transaction("p1", {ReserveSeq{9}, PutPlan{plan}})).status, CommitStatus::failed);
  plan = small_plan("p1");
  plan.progress_percentage = 101;
  EXPECT_EQ(store().commit(transaction("p1", {ReserveSeq{9}, PutPlan{plan}})).status, CommitStatus::failed);
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 0);
  EXPECT_EQ(must(store().plan("p1")).status, "pending");
}

TEST_P(StoreContract, OfTwoConcurrentResumesExactlyOneWins) {
  auto plan = small_plan("p1");
  plan.status = "failed";
  plan.run_attempt = 1;
  put(store(), transaction("p1", {CreatePlan{plan, {}, {}}}));
  auto second_process = open_or_die(backend().options());
  for (int round = 0; round < 20; ++round) {
    const int attempt = must(store().plan("p1")).run_attempt;
    auto resumed = must(store().plan("p1"));
    resumed.status = "pending";
    resumed.run_attempt = attempt + 1;
    const auto resume = [&](Store& through) {
      return through.commit(transaction("p1", {ExpectPlan{{"failed", "cancelled"}, attempt}, PutPlan{resumed}})).status;
    };
    CommitStatus one{}, two{};
    std::thread other([&] { two = resume(*second_process); });
    one = resume(store());
    other.join();
    const std::multiset<CommitStatus> both{one, two};
    EXPECT_EQ(both, (std::multiset<CommitStatus>{CommitStatus::committed, CommitStatus::conflict}));
    EXPECT_EQ(must(store().plan("p1")).run_attempt, attempt + 1);
    resumed.status = "failed";
    put(store(), transaction("p1", {PutPlan{resumed}}));
  }
}

TEST_P(StoreContract, CancelOfAPendingPlanEndsIt) {
  create(store(), "p1");
  put(store(), transaction("p1", {RequestCancel{at(8)}}));
  const auto plan = must(store().plan("p1"));
  EXPECT_EQ(plan.status, "cancelled");
  EXPECT_EQ(plan.completed_at, at(8));
  EXPECT_EQ(plan.cancel_requested_at, at(8));
  put(store(), transaction("p1", {RequestCancel{at(9)}}));
  EXPECT_TRUE(value_of(store().cancel_requests()).empty());
}

TEST_P(StoreContract, CancelOfARunningPlanReachesItsRun) {
  auto plan = small_plan("p1");
  plan.status = "running";
  put(store(), transaction("p1", {CreatePlan{plan, {}, {}}}));
  EXPECT_TRUE(value_of(store().cancel_requests()).empty());
  put(store(), transaction("p1", {RequestCancel{at(8)}}));
  EXPECT_EQ(value_of(store().cancel_requests()), std::vector<std::string>{"p1"});
  // The run, which does not know of it yet, writes its progress: the request must survive.
  plan.progress_percentage = 10;
  put(store(), transaction("p1", {PutPlan{plan}}));
  EXPECT_EQ(must(store().plan("p1")).cancel_requested_at, at(8));
  EXPECT_EQ(value_of(store().cancel_requests()).size(), 1u);
  plan.status = "cancelled";
  plan.cancel_requested_at = at(8);
  put(store(), transaction("p1", {PutPlan{plan}}));
  EXPECT_TRUE(value_of(store().cancel_requests()).empty());
  // A resume starts without it.
  plan.status = "pending";
  plan.cancel_requested_at.reset();
  plan.run_attempt += 1;
  put(store(), transaction("p1", {PutPlan{plan}}));
  EXPECT_FALSE(must(store().plan("p1")).cancel_requested_at);
}

TEST_P(StoreContract, EndedPlansCannotBeCancelled) {
  for (const auto* status : {"completed", "failed"}) {
    auto plan = small_plan(status);
    plan.status = status;
    put(store(), transaction(status, {CreatePlan{plan, {}, {}}}));
    const auto result = store().commit(transaction(status, {RequestCancel{at(8)}}));
    EXPECT_EQ(result.status, CommitStatus::conflict);
    EXPECT_EQ(result.error->code, ErrorCode::PlanNotCancellable);
  }
}

TEST_P(StoreContract, SequenceReservationOnlyGrows) {
  create(store(), "p1");
  put(store(), transaction("p1", {ReserveSeq{500}}));
  put(store(), transaction("p1", {ReserveSeq{100}}));
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 500);
}

std::vector<std::string> ids(const PlanPage& page) {
  std::vector<std::string> result;
  for (const auto& plan : page.plans) result.push_back(plan.plan_id);
  return result;
}

TEST_P(StoreContract, PlansAreListedByCreationAndFilteredByStatus) {
  for (int i = 0; i < 5; ++i) {
    auto plan = small_plan("p" + std::to_string(i));
    // Two share a moment: the order of creation decides.
    plan.created_at = at(i / 2);
    plan.status = i % 2 == 0 ? "completed" : "pending";
    put(store(), transaction(plan.plan_id, {CreatePlan{plan, {}, {}}}));
  }
  EXPECT_EQ(ids(value_of(store().plans({}))), (std::vector<std::string>{"p4", "p3", "p2", "p1", "p0"}));
  EXPECT_EQ(ids(value_of(store().plans({.ascending = true}))),
            (std::vector<std::string>{"p0", "p1", "p2", "p3", "p4"}));
  EXPECT_EQ(ids(value_of(store().plans({.statuses = {"pending"}}))), (std::vector<std::string>{"p3", "p1"}));
  EXPECT_EQ(ids(value_of(store().plans({.statuses = {"pending", "completed"}, .limit = 2}))),
            (std::vector<std::string>{"p4", "p3"}));
  EXPECT_TRUE(value_of(store().plans({.statuses = {"failed"}})).plans.empty());
}

TEST_P(StoreContract, PagesNeverRepeatOrHideRowsWhileOthersAreInserted) {
  const auto add = [&](const std::string& id, int second) {
    auto plan = small_plan(id);
    plan.created_at = at(second);
    put(store(), transaction(id, {CreatePlan{plan, {}, {}}}));
  };
  for (int i = 0; i < 9; ++i) add("old" + std::to_string(i), 100 + i / 3);
  for (const bool ascending : {false, true}) {
    PlanQuery query{.ascending = ascending, .limit = 2};
    std::vector<std::string> seen;
    for (int page = 0; page < 20; ++page) {
      const auto rows = value_of(store().plans(query));
      for (const auto& id : ids(rows)) {
        if (id.starts_with("old")) seen.push_back(id);
      }
      // New rows before and after the place where the reader is.
      add(fmt::format("new{}{}", ascending, page), ascending ? 1 : 500);
      if (rows.next_cursor.empty()) break;
      EXPECT_LE(rows.next_cursor.size(), 256u);
      query.cursor = rows.next_cursor;
    }
    EXPECT_EQ(seen.size(), 9u);
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 9u);
  }
}

TEST_P(StoreContract, ForeignCursorsAreRefused) {
  create(store(), "p1");
  create(store(), "p2");
  const auto cursor = value_of(store().plans({.limit = 1})).next_cursor;
  ASSERT_FALSE(cursor.empty());
  for (const auto& bad : {std::string("x"), std::string("pd.1.2"), std::string("pd.1.2.deadbeef"), cursor + "0",
                          std::string(300, 'a'), "' OR 1=1 --" + cursor}) {
    const auto page = store().plans({.cursor = bad});
    ASSERT_FALSE(page) << bad;
    EXPECT_EQ(page.error().code, ErrorCode::CursorInvalid);
  }
  EXPECT_FALSE(store().plans({.ascending = true, .cursor = cursor}));
  EXPECT_FALSE(store().interactions({.plan_id = "p1", .cursor = cursor}));
}

TEST_P(StoreContract, SearchFindsTitleAndPromptWhateverTheCaseAndTakesNothingAsAPattern) {
  auto plan = small_plan("p1");
  plan.prompt = "\xc3\x89picerie 100% bio_";
  plan.title = "Grocery";
  put(store(), transaction("p1", {CreatePlan{plan, {}, {}}}));
  create(store(), "p2");
  const auto found = [&](const std::string& text) { return ids(value_of(store().plans({.text = text}))); };
  const std::vector<std::string> p1{"p1"};
  EXPECT_EQ(found("\xc3\xa9PICERIE"), p1);
  EXPECT_EQ(found("grocery"), p1);
  EXPECT_EQ(found("100%"), p1);
  EXPECT_EQ(found("bio_"), p1);
  EXPECT_TRUE(found("1_0").empty());
  EXPECT_TRUE(found("%p").empty());
  EXPECT_TRUE(found("\\").empty());
  EXPECT_TRUE(found("'; DROP TABLE plans; --").empty());
  EXPECT_EQ(found("").size(), 2u);
  plan.title = "Renamed";
  put(store(), transaction("p1", {PutPlan{plan}}));
  EXPECT_EQ(found("renamed"), p1);
  EXPECT_TRUE(found("grocery").empty());
}

TEST_P(StoreContract, TextWithoutValidUtf8IsStoredAsValidText) {
  auto plan = small_plan("p1");
  plan.progress_message = std::string("a\0b\xff", 4);
  put(store(), transaction("p1", {CreatePlan{plan, {}, {}}}));
  EXPECT_EQ(must(store().plan("p1")).progress_message,
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
}

TEST_P(StoreContract, DeletingAPlanLeavesNoRow) {
  for (const auto* id : {"p1", "p2"}) {
    auto row = full_interaction(value_of(store().reserve_interaction_ids(1)), id);
    put(store(),
        transaction(id, {CreatePlan{full_plan(id), {full_task("a"), full_task("b")}, {{"a", "b", true}}},
                         PutBlocks{{block("context"), block("task"), block(std::string("only ") + id)}},
                         PutInteraction{row}, PutItem{full_item("a", "1")}, PutContent{text_file("a.md", "x")},
                         PutFileRow{"a.md", "markdown", "h", "a", "a.md", 1},
                         PutTaskAttempt{"a", 1, 1, "completed", at(1), at(2), "", ""},
                         AppendEvents{{EventRow{.seq = 1, .type = "log", .created_at = at(1), .payload = "x"}}},
                         PutIdempotencyKey{{id, "k", "b", id, "{}", at(1'000'000'000)}}}));
  }
  put(store(), transaction("p1", {DeletePlan{}}));
  auto db = backend().connect();
  int tables_of_plans = 0;
  for (const auto& table : value_of(db->tables())) {
    const auto columns = value_of(db->columns(table));
    if (std::find(columns.begin(), columns.end(), "plan_id") == columns.end()) continue;
    ++tables_of_plans;
    EXPECT_EQ(value_of(sql::number(*db, "SELECT COUNT(*) FROM " + table + " WHERE plan_id = 'p1'")), 0) << table;
  }
  EXPECT_GE(tables_of_plans, 12);
  // The texts that the other plan uses stay, the others are gone.
  EXPECT_EQ(value_of(sql::number(*db, "SELECT COUNT(*) FROM text_blocks")), 3);
  EXPECT_EQ(must(store().plan("p2")).plan_id, "p2");
  EXPECT_TRUE(value_of(store().check()).empty());
  EXPECT_EQ(store().commit(transaction("p1", {DeletePlan{}})).status, CommitStatus::conflict);
  const auto late = store().commit(transaction("p1", {PutTask{full_task("a")}}, 1));
  EXPECT_EQ(late.status, CommitStatus::conflict);
}

TEST_P(StoreContract, TextsThatAPlanHasPutSurviveTheDeletionOfAnother) {
  create(store(), "p1");
  create(store(), "p2");
  put(store(), transaction("p1", {PutBlocks{{block("shared")}}}));
  put(store(), transaction("p2", {PutBlocks{{block("shared")}}}));
  put(store(), transaction("p1", {DeletePlan{}}));
  auto row = full_interaction(value_of(store().reserve_interaction_ids(1)), "p2");
  row.prompt_blocks = {block("shared").sha256};
  put(store(), transaction("p2", {PutInteraction{row}}));
  EXPECT_EQ(value_of(store().prompt_text(row)), "shared");
}

TEST_P(StoreContract, RunnablePlansComeOldestFirstWithoutThoseInWork) {
  const auto add = [&](const std::string& id, int second, const std::string& status) {
    auto plan = small_plan(id);
    plan.created_at = at(second);
    plan.status = status;
    put(store(), transaction(id, {CreatePlan{plan, {}, {}}}));
  };
  add("late", 9, "pending");
  add("early", 1, "pending");
  add("dead", 3, "running");
  add("alive", 2, "running");
  add("done", 0, "completed");
  lease(store(), "dead", "node-1", 0ms);
  lease(store(), "alive", "node-2", 1h);
  EXPECT_EQ(value_of(store().plan_counts()), (std::map<std::string, std::int64_t>{{"completed", 1}, {"pending", 2}, {"running", 2}}));
  EXPECT_EQ(value_of(store().runnable_plans(10, false)), (std::vector<std::string>{"early", "dead", "late"}));
  EXPECT_EQ(value_of(store().runnable_plans(10, true)), (std::vector<std::string>{"early", "alive", "dead", "late"}));
  EXPECT_EQ(value_of(store().runnable_plans(1, false)), std::vector<std::string>{"early"});
}

TEST_P(StoreContract, RecipesAreKeptOnceUnderTheirHash) {
  create(store(), "p1");
  put(store(), transaction("p1", {PutRecipe{"h1", "recipe text"}}));
  put(store(), transaction("p1", {PutRecipe{"h1", "other text"}}));
  EXPECT_EQ(must(store().recipe("h1")), "recipe text");
  EXPECT_FALSE(value_of(store().recipe("h2")));
}

TEST_P(StoreContract, FactsTellWhereAndWhat) {
  create(store(), "p1");
  const auto facts = value_of(store().facts());
  EXPECT_EQ(facts.backend, GetParam().name);
  EXPECT_EQ(facts.plans, 1);
  EXPECT_GE(facts.schema_version, 1);
  EXPECT_GT(facts.size_bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(Plans, StoreContract, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
