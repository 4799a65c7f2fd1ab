#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "plan/artefact.hpp"
#include "plan/builtins/common.hpp"
#include "plan/export.hpp"
#include "plan/import.hpp"

namespace planexe::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

json::value parse(std::string_view text) { return parse_json(text).value(); }

const json::value kPhasesSchema = parse(
    R"({"type":"object","properties":{"major_phase_details":{"type":"array","items":{"type":"object","properties":{
  "major_phase_title":{"type":"string"}}}}}})");

std::vector<TaskFiles> tasks() {
  return {
      {"start_time", {{"time", "001-1-start_time.json"}}, {}},
      {"setup", {{"prompt", "001-2-plan.txt"}, {"intake", "enriched_intake.json"}}, {}},
      {"candidate_scenarios", {{"clean", "002-16-candidate_scenarios.json"}}, {}},
      {"focus_on_vital_few_levers", {{"raw", "002-13-vital_few_levers_raw.json"}}, {}},
      {"potential_levers", {{"clean", "002-10-potential_levers.json"}}, {}},
      {"create_wbs_level2", {{"raw", "018-4-wbs_level2_raw.json"}}, {{"main", false, kPhasesSchema}}},
      {"expert_review", {{"raw", "016-1-{n}-expert_criticism_raw.json"}}, {}},
  };
}

TEST(PlanImport, SortsFilesAndLeavesLeftoversOut) {
  const auto run =
      import_run({{"run/001-2-plan.txt", "Plan:\nOpen a shop.\n\nToday's date:\n2025-Nov-01\n\nProject start ASAP."},
                  {"run/001-1-start_time.json",
                   R"({"server_iso_utc":"2025-10-31T23:30:00Z","server_iso_local":"2025-11-01T00:30:00+01:00"})"},
                  {"run/.DS_Store", "x"},
                  {"__MACOSX/run/._001-2-plan.txt", "x"},
                  {"run/030-report.html", "<html>"},
                  {"run/029-1-viability_raw.json", "{}"},
                  {"run/log.txt", "x"},
                  {"run/016-1-3-expert_criticism_raw.json", R"({"a":1})"},
                  {"other/001-2-plan.txt", "Plan:\nAnother"}},
                 tasks());
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->plan.at("prompt"), json::value("Open a shop."));
  EXPECT_EQ(run->plan.at("start_date"), json::value("2025-11-01"));
  std::vector<std::string> attached;
  for (const ZipEntry& file : run->attachments) attached.push_back(file.name);
  EXPECT_THAT(attached, ElementsAre("030-report.html", "029-1-viability_raw.json", "other/001-2-plan.txt"));
  EXPECT_EQ(run->ignored.size(), 3u);
  EXPECT_EQ(to_json(run->tasks.at("expert_review").outputs.at("raw")), R"([null,null,{"a":1}])");
  EXPECT_THAT(run->open_tasks,
              ElementsAre("candidate_scenarios", "focus_on_vital_few_levers", "potential_levers", "create_wbs_level2"));
}

TEST(PlanImport, DamagedFilesAreOpenTasks) {
  const auto run = import_run({{"001-2-plan.txt", "Shop"}, {"002-10-potential_levers.json", "{"}}, tasks());
  ASSERT_TRUE(run);
  ASSERT_EQ(run->findings.size(), 1u);
  EXPECT_THAT(run->findings[0].message, HasSubstr("002-10"));
  EXPECT_THAT(run->open_tasks, testing::Contains("potential_levers"));
}

TEST(PlanImport, NothingKnownIsAnError) {
  EXPECT_FALSE(import_run({{"a.txt", "x"}}, tasks()));
  EXPECT_FALSE(import_run({}, tasks()));
}

class PlanImportSettings : public testing::TestWithParam<const char*> {};

TEST_P(PlanImportSettings, BothShapesBecomeOne) {
  const std::string scenarios =
      std::string(R"({"scenarios":[{"scenario_name":"One","lever_settings":)") + GetParam() + "}]}";
  const auto run = import_run(
      {{"002-10-potential_levers.json", R"([{"lever_id":"u1","name":"Rent"},{"lever_id":"u2","name":"Staff"}])"},
       {"002-13-vital_few_levers_raw.json",
        R"({"levers":[{"lever_id":"u2","name":"Staff","options":["none","one now","two"]}]})"},
       {"002-16-candidate_scenarios.json", scenarios}},
      tasks());
  ASSERT_TRUE(run);
  const json::value& scenario = list(run->tasks.at("candidate_scenarios").outputs.at("clean"), "scenarios")[0];
  EXPECT_EQ(text(scenario, "ref"), "S1");
  EXPECT_EQ(to_json(*find(scenario, "lever_settings")), R"({"Staff":"One now"})");
  const json::value& setting = list(scenario, "settings")[0];
  EXPECT_EQ(text(setting, "ref"), "L2");
  EXPECT_EQ(get_int(setting, "option_number"), 2);
}

INSTANTIATE_TEST_SUITE_P(Shapes, PlanImportSettings,
                         testing::Values(R"({"Staff":"One now"})",
                                         R"([{"lever_name":"Staff","selected_option":"One now"}])",
                                         R"([{"lever_name":"Staff","option":"One now"}])"));

TEST(PlanImport, AnswersAreFoundAndShaped) {
  const auto run =
      import_run({{"018-4-wbs_level2_raw.json",
                   R"({"major_phase_details":[{"major_phase_title":"Found","wbs":"1"}],"query":"secret"})"}},
                 tasks());
  ASSERT_TRUE(run);
  const auto answer = answer_for(*run, "create_wbs_level2", "main", 0, "main");
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer_for(*run, "create_wbs_level2", "other", 0, ""));
  EXPECT_FALSE(answer_for(*run, "unknown", "main", 0, ""));
}

const json::value kSchema = parse(R"({"type":"object","properties":{
  "title":{"type":"string"},"kind":{"type":"string","enum":["Low","High"]},"owner":{"type":["string","null"]},
  "tags":{"type":"array","items":{"type":"string"}},
  "parts":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"days":{"type":"integer"}}}}}})");

TEST(PlanMerge, FillsWhatIsMissingFromTheExample) {
  const json::value example = parse(
      R"({"title":"E","kind":"Low","owner":"O","tags":["t"],"parts":[{"name":"e1","days":1},{"name":"e2","days":2}]})");
  EXPECT_EQ(
      to_json(merge_with_example(
          parse(R"({"title":"Mine","kind":"high","parts":[{"name":"a"},{"name":"b"},{"days":9}]})"), example, kSchema)),
      R"({"title":"Mine","kind":"High","owner":"O","tags":["t"],"parts":[{"name":"a","days":1},{"name":"b","days":2},{"name":"e1","days":9}]})");
}

TEST(PlanMerge, UsesEmptyValuesWithoutExample) {
  EXPECT_EQ(to_json(merge_with_example(json::object(), nullptr, kSchema)),
            R"({"title":"","kind":"Low","owner":null,"tags":[],"parts":[]})");
}

TEST(PlanArtefact, OrderIsByNumbers) {
  EXPECT_LT(artefact_order("002-2-redline_gate.md"), artefact_order("002-10-potential_levers.json"));
  EXPECT_LT(artefact_order("017-11-2-x.json"), artefact_order("017-11-10-x.json"));
  EXPECT_LT(artefact_order("013-team.md"), artefact_order("014-1-x.json"));
  EXPECT_EQ(artefact_order("009-team.md"), 9'000'000);
  EXPECT_EQ(artefact_order("log.txt"), 1'000'000'000);
  EXPECT_EQ(artefact_content_type("018-3-wbs_level1_project_title.json"), "txt");
  EXPECT_EQ(artefact_content_type("a.bin"), "unknown");
}

Result<std::string> archive_of(std::vector<BundleFile> files, const BundleLoader& load, const BundleOptions& options = {}) {
  std::string bytes;
  auto writer = ZipWriter::to_sink([&](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  });
  PLANEXE_TRY_ASSIGN(auto bundle, Bundle::make({{"plan_id", "p1"}}, std::move(files), load, options));
  PLANEXE_TRY(write_bundle(*writer, std::move(bundle)));
  return bytes;
}

BundleFile file(std::string name, std::string task_key = "", std::int64_t bytes = 0) { return {std::move(name), std::move(task_key), bytes}; }

Result<std::optional<BundleContent>> named_content(const std::string& name) {
  return BundleContent{"bytes of " + name, name == "013-team.md" ? 2 : 1, name == "013-team.md"};
}

TEST(PlanExport, BundleIsSortedAndDescribed) {
  const auto bundle = [](const BundleOptions& options) {
    return archive_of({file("013-team.md", "team_markdown"), file("002-10-a_raw.json", "a"), file("002-2-b.md"), file("manifest.json")}, named_content, options);
  };
  const auto bytes = bundle({}).value();
  const auto files = read_zip_bytes(bytes).value();
  std::vector<std::string> names;
  for (const ZipEntry& entry : files) names.push_back(entry.name);
  EXPECT_THAT(names, ElementsAre("002-10-a_raw.json", "002-2-b.md", "013-team.md", "manifest.json"));
  // In the archive itself, too: reading sorts.
  EXPECT_LT(bytes.find("002-10-a_raw.json"), bytes.find("002-2-b.md"));
  EXPECT_LT(bytes.find("002-2-b.md"), bytes.find("013-team.md"));
  const json::value manifest = parse(files.back().bytes);
  const auto& listed = list(manifest, "files");
  ASSERT_EQ(listed.size(), 3u);
  EXPECT_EQ(text(listed[0], "filename"), "002-10-a_raw.json");
  EXPECT_EQ(text(listed[0], "sha256"), sha256_hex("bytes of 002-10-a_raw.json"));
  EXPECT_TRUE(listed[1].at("task_key").is_null());
  EXPECT_EQ(get_bool(listed[2], "stale"), true);
  EXPECT_EQ(get_int(listed[2], "version"), 2);
  EXPECT_EQ(text(manifest, "generated_at"), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(bundle({}).value(), bytes);
  EXPECT_EQ(read_zip_bytes(bundle({.raw = false}).value()).value().size(), 3u);
}

TEST(PlanExport, AFileThatIsGoneIsLeftOut) {
  const auto load = [](const std::string& name) -> Result<std::optional<BundleContent>> {
    if (name == "b.md") return std::nullopt;
    return named_content(name);
  };
  const auto files = read_zip_bytes(archive_of({file("a.md"), file("b.md"), file("c.md")}, load).value()).value();
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[1].name, "c.md");
  EXPECT_EQ(list(parse(files[2].bytes), "files").size(), 2u);
  const auto none = archive_of({file("b.md")}, load);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::ContentNotFound);
}

TEST(PlanExport, EmptyBrokenAndHugeBundlesSayWhy) {
  const auto code = [](const Result<std::string>& result) { return result ? ErrorCode::Internal : result.error().code; };
  EXPECT_EQ(code(archive_of({}, named_content)), ErrorCode::ContentNotFound);
  EXPECT_EQ(code(archive_of({file("a_raw.json")}, named_content, {.raw = false})), ErrorCode::ContentNotFound);
  EXPECT_EQ(code(archive_of({file("a.md")}, [](const std::string&) -> Result<std::optional<BundleContent>> { return fail(ErrorCode::DatabaseError, "gone"); })),
            ErrorCode::DatabaseError);
  EXPECT_EQ(code(archive_of({file("a.md", "", 300 << 20), file("b.md", "", 300 << 20)}, named_content)), ErrorCode::LimitExceeded);
  EXPECT_EQ(code(archive_of(std::vector<BundleFile>(20'000), named_content)), ErrorCode::LimitExceeded);
}

}  // namespace
}  // namespace planexe::plan
