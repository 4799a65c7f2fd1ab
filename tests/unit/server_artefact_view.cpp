#include <fstream>

#include "server/artefact_view.hpp"
#include "server/plan_files.hpp"
#include "server/run_log.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::real_recipe;
using test::ServerPlan;

store::ContentRow file(const std::string& name) {
  store::ContentRow row;
  row.filename = name;
  row.version = 1;
  row.created_at = ServerPlan::kNow;
  return row;
}

std::vector<std::string> names_of(const std::vector<store::ContentRow>& files) {
  std::vector<std::string> names;
  for (const auto& row : files) names.push_back(row.filename);
  return names;
}

json::object entry(const std::string& name) {
  return file_entry(listed_file(file(name), real_recipe()), real_recipe());
}

TEST(ServerArtefactView, NamesThatCannotBeAskedForAreNotListed) {
  for (const auto* good : {"a", "029-report.html", "A_b-c.1", "0"}) EXPECT_TRUE(is_listed_name(good)) << good;
  for (const auto* bad : {"", ".env", "a/b", "../x", "a..b", "-a", "a b", "a\\b", "\xc3\xa4.txt", "a\n"})
    EXPECT_FALSE(is_listed_name(bad)) << bad;
  EXPECT_TRUE(is_listed_name(std::string(255, 'a')));
  EXPECT_FALSE(is_listed_name(std::string(256, 'a')));
}

TEST(ServerArtefactView, FilesAreSortedByTheirNumbers) {
  const auto files = listed_files(
      {file("log.txt"), file("002-10-x.md"), file("a/b.txt"), file("002-2-x.md"), file("001-1-x.txt")}, real_recipe());
  EXPECT_EQ(names_of(files), (std::vector<std::string>{"001-1-x.txt", "002-2-x.md", "002-10-x.md", "log.txt"}));
}

TEST(ServerArtefactView, EntriesTellWhereAFileComesFrom) {
  const auto swot = entry("014-2-swot_analysis.md");
  EXPECT_FITS(swot, "FileEntry");
  EXPECT_EQ(swot.at("task_key"), "swot_analysis");
  EXPECT_EQ(swot.at("stage"), "resource_planning");
  EXPECT_EQ(swot.at("task_name"), json::value(real_recipe().task("swot_analysis")->title));
  EXPECT_EQ(swot.at("order"), 14'002'000);
  EXPECT_EQ(swot.at("content_type"), "markdown");
  EXPECT_EQ(swot.at("description"), swot.at("task_name"));
  EXPECT_EQ(entry("016-1-12-expert_criticism_raw.json").at("task_key"), "expert_review");
  EXPECT_EQ(entry("026-3-schedule_gantt_machai.csv").at("description"), "Schedule (csv)");
  EXPECT_EQ(entry("log.txt").at("description"), "Log");
  const auto other = entry("033-1-some_notes.txt");
  EXPECT_FITS(other, "FileEntry");
  EXPECT_TRUE(other.at("task_key").is_null());
  EXPECT_TRUE(other.at("stage").is_null());
  EXPECT_EQ(other.at("description"), "Some notes");
}

TEST(ServerArtefactView, NumberedNamesNeedANumber) {
  EXPECT_EQ(file_origin(real_recipe(), "016-1-12-expert_criticism_raw.json").number, 12);
  for (const auto* name :
       {"016-1-{n}-expert_criticism_raw.json", "016-1--expert_criticism_raw.json", "016-1-x-expert_criticism_raw.json",
        "016-1-0-expert_criticism_raw.json", "016-1-99999999999999-expert_criticism_raw.json"})
    EXPECT_EQ(file_origin(real_recipe(), name).task, nullptr) << name;
}

TEST(ServerArtefactView, RowsOfOlderVersionsGetPhaseAndTask) {
  auto row = file("014-2-swot_analysis.md");
  row.stage = "SWOTAnalysisTask";
  row.content_type = "text/markdown";
  row = listed_file(row, real_recipe());
  EXPECT_EQ(row.stage, "resource_planning");
  EXPECT_EQ(row.task_key, "swot_analysis");
  EXPECT_EQ(row.content_type, "markdown");
}

TEST(ServerArtefactView, PagesJoinToTheWholeListWhateverComesBetween) {
  std::vector<store::ContentRow> all;
  for (const auto* name : {"001-1-a.md", "001-1-b.md", "002-2-a.md", "log.txt", "x.txt"}) all.push_back(file(name));
  std::vector<std::string> seen;
  std::string cursor;
  do {
    const auto page = file_page(all, 2, cursor);
    ASSERT_TRUE(page);
    for (const auto& name : names_of(page->files)) seen.push_back(name);
    cursor = page->next_cursor;
  } while (!cursor.empty());
  EXPECT_EQ(seen, names_of(all));
  EXPECT_EQ(file_page(all, std::nullopt, "")->files.size(), 5u);
  EXPECT_EQ(file_page(all, 5, "")->next_cursor, "");

  // A file that comes before the place of the cursor is not seen twice, one behind it is seen.
  cursor = file_page(all, 2, "")->next_cursor;
  all.insert(all.begin(), file("000-1-new.md"));
  all.insert(all.begin() + 3, file("002-1-new.md"));
  EXPECT_EQ(names_of(file_page(all, 2, cursor)->files), (std::vector<std::string>{"002-1-new.md", "002-2-a.md"}));
  // The file of the cursor itself is gone: the next ones are seen.
  std::erase_if(all, [](const auto& row) { return row.filename == "001-1-b.md"; });
  EXPECT_EQ(names_of(file_page(all, 1, cursor)->files), (std::vector<std::string>{"002-1-new.md"}));
  for (const auto* bad : {"x", "f.1.2.00000000", "i.5.abc"}) {
    const auto page = file_page(all, 2, bad);
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::CursorInvalid);
  }
}

TEST(ServerArtefactView, MediaTypesAreTold) {
  EXPECT_EQ(media_type("json", false), "application/json; charset=utf-8");
  EXPECT_EQ(media_type("html", false), "text/html; charset=utf-8");
  EXPECT_EQ(media_type("unknown", false), "application/octet-stream");
  EXPECT_EQ(media_type("txt", true), "application/octet-stream");
}

TEST(ServerArtefactView, NamesCannotBreakOutOfTheirHeader) {
  EXPECT_EQ(content_disposition("inline", "012-2-swot.md"),
            "inline; filename=\"012-2-swot.md\"; filename*=UTF-8''012-2-swot.md");
  EXPECT_EQ(content_disposition("attachment", "a\"\r\nX: y\xc3\xa4"),
            "attachment; filename=\"a___X_ y__\"; filename*=UTF-8''a%22%0D%0AX%3A%20y%C3%A4");
}

TEST(ServerPlanFiles, TheDatabaseGoesBeforeLogEventsAndDisk) {
  ServerPlan plan;
  const auto folder = plan.folder() / "run";
  std::filesystem::create_directory(folder);
  const auto write = [&](const std::string& name, const std::string& text) { std::ofstream(folder / name) << text; };
  write("loose.txt", "from disk");
  write("014-2-swot_analysis.md", "old copy");
  write("half.md.part", "x");
  write(".hidden", "x");
  std::filesystem::create_symlink("/etc/passwd", folder / "link.txt");
  std::filesystem::create_directory(folder / "sub.txt");
  plan.put_output("014-2-swot_analysis.md", "from database");
  plan.log(5, "Running task SwotAnalysisTask");
  const PlanFiles files(plan.store(), ServerPlan::kId, folder);

  const auto list = files.list(real_recipe());
  ASSERT_TRUE(list);
  EXPECT_EQ(names_of(*list), (std::vector<std::string>{"014-2-swot_analysis.md", "log.txt", "loose.txt"}));
  for (const auto& row : *list) EXPECT_FITS(file_entry(row, real_recipe()), "FileEntry");
  EXPECT_TRUE(file_entry(list->at(1), real_recipe()).at("sha256").is_null());

  const auto text_of = [&](const std::string& name, int version = 0) {
    const auto found = files.load(name, version);
    return found && *found ? (*found)->content : std::string("(none)");
  };
  EXPECT_EQ(text_of("014-2-swot_analysis.md"), "from database");
  EXPECT_EQ(text_of("loose.txt"), "from disk");
  EXPECT_EQ(text_of("loose.txt", 1), "from disk");
  EXPECT_EQ(text_of("loose.txt", 2), "(none)");
  EXPECT_EQ(text_of("log.txt"), "2026-01-01T09:00:05.000Z INFO Running task SwotAnalysisTask\n");
  for (const auto* name : {"link.txt", "sub.txt", "half.md.part", ".hidden", "../plans.db", "missing.txt"})
    EXPECT_EQ(text_of(name), "(none)") << name;
  EXPECT_EQ(PlanFiles(plan.store(), ServerPlan::kId, {}).list(real_recipe())->size(), 2u);
}

TEST(ServerPlanFiles, OlderVersionsStay) {
  ServerPlan plan;
  plan.put_output("014-2-swot_analysis.md", "one");
  plan.put_output("014-2-swot_analysis.md", "two");
  const PlanFiles files(plan.store(), ServerPlan::kId, {});
  EXPECT_EQ((*files.load("014-2-swot_analysis.md"))->content, "two");
  EXPECT_EQ((*files.load("014-2-swot_analysis.md", 1))->content, "one");
  EXPECT_FALSE(*files.load("014-2-swot_analysis.md", 3));
}

TEST(ServerRunLog, LinesCannotBeForged) {
  store::EventRow event;
  event.created_at = ServerPlan::kNow;
  event.payload = json::object{{"message", "one\n2026-01-01 ERROR two\x1b[31m"}, {"level", "warning"}};
  EXPECT_EQ(log_line(event), "2026-01-01T09:00:00.000Z WARNING one 2026-01-01 ERROR two");
}

TEST(ServerRunLog, TheTailBeginsWithAWholeLine) {
  const std::string text = "first\nsecond\nthird\n";
  EXPECT_EQ(log_tail(text, 100), text);
  EXPECT_EQ(log_tail(text, 6), "third\n");
  EXPECT_EQ(log_tail(text, 8), "third\n");
  EXPECT_EQ(log_tail("\xc3\xa4\xc3\xa4", 3), "\xc3\xa4");
  EXPECT_EQ(log_tail("abcdef\n", 3), "ef\n");
}

}  // namespace
}  // namespace planexe::server
