#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "plan/builtins/common.hpp"
#include "plan/html.hpp"
#include "plan/report.hpp"
#include "plan_schedule_support.hpp"

namespace planexe::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

json::value parse(std::string_view text) { return parse_json(text).value(); }

// A small plan with every section.
ReportSource complete_source() {
  ReportSource source;
  source.plan = json::object{{"prompt", "Open a bicycle repair shop in Lyon </script><b>"},
                             {"start_date", "2026-01-05"},
                             {"created_at", "2026-01-02T10:00:00.000Z"}};
  for (const ReportArtefact& artefact : report_artefacts()) {
    if (artefact.filename.ends_with(".md"))
      source.reads[artefact.reference] = "# Heading\n\nText of " + std::string(artefact.reference) + " in Lyon.\n";
  }
  const Wbs wbs = tree({2, 1}, 2);
  const Schedule schedule = scheduled(wbs, durations({{"1.1", 1, 2, 3}, {"1.2", 1, 2, 3}, {"2.1", 1, 5, 9}}),
                                      links({{"1.1", "2.1", "FS", 0}}),
                                      parse(R"([{"kind":"horizon","quote":"within 9 months","value":"9 months"}])"));
  source.reads["create_schedule.schedule"] = schedule_to_json(schedule);
  source.reads["wbs_project_level1_and_level2_and_level3.tree"] = wbs_to_json(wbs);
  source.reads["questions_and_answers.raw"] = parse(
      R"({"question_answer_pairs":[{"question":"Why <Lyon>?","answer":"Because **of** it.","rationale":"It helps."}],"summary":"Short."})");
  source.reads["redline_gate.answer"] = parse(R"({"verdict":"ALLOW","rationale_short":"Harmless."})");
  source.reads["identify_purpose.raw"] = parse(
      R"({"stated_limits":[{"kind":"horizon","quote":"within 9 months","value":"9 months"},{"kind":"place","quote":"Lyon","value":"Lyon"}]})");
  source.reads["pre_project_assessment.clean"] = parse(
      R"({"go_no_go":"proceed_with_caution","go_no_go_recommendation":"Go, if the lease is signed by week 14."})");
  source.reads["create_wbs_level1.title"] = "Lyon bicycle repair shop";
  return source;
}

TEST(PlanReport, HasTwentySectionsInOrder) {
  std::vector<std::string> titles;
  for (const ReportSection& section : report_sections(complete_source())) {
    titles.push_back(section.title);
    EXPECT_TRUE(section.present) << section.gap;
  }
  EXPECT_THAT(titles, ElementsAre("Executive Summary", "Gantt Overview", "Gantt Interactive", "Pitch", "Project Plan",
                                  "Strategic Decisions", "Scenarios", "Assumptions", "Governance", "Related Resources",
                                  "Data Collection", "Documents to Create and Find", "SWOT Analysis", "Team",
                                  "Expert Criticism", "Work Breakdown Structure", "Review Plan", "Questions & Answers",
                                  "Premortem", "Initial Prompt Vetted"));
}

TEST(PlanReport, IsCompleteWithAllSections) {
  const Report report = make_report(complete_source());
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.title, "Lyon bicycle repair shop");
  EXPECT_THAT(report.html, HasSubstr("Go with caution"));
  EXPECT_THAT(report.html, HasSubstr("All 20 sections are there."));
  EXPECT_THAT(report.html, Not(HasSubstr("rehearsal.</strong>")));
}

TEST(PlanReport, LoadsNothingAndAllowsOneScript) {
  const Report report = make_report(complete_source());
  for (const char* forbidden :
       {"<script src", "<link", "<img", "@import", "url(http", "<iframe", "unsafe-inline'; script", "fetch("})
    EXPECT_THAT(report.html, Not(HasSubstr(forbidden)));
  std::string script;
  std::string hash;
  ASSERT_TRUE(RE2::PartialMatch(report.html, "(?s)<script>(.*?)</script>", &script));
  ASSERT_TRUE(RE2::PartialMatch(report.html, "script-src '(sha256-[^']+)'", &hash));
  EXPECT_EQ(csp_hash(script), hash);
  EXPECT_EQ(report_script_hash(), hash);
  EXPECT_THAT(report.html, Not(HasSubstr("</script><b>")));
}

TEST(PlanReport, IdsAreUniqueAndLinksLead) {
  const std::string html = make_report(complete_source()).html;
  std::set<std::string> ids;
  re2::StringPiece rest(html);
  std::string id;
  while (RE2::FindAndConsume(&rest, R"re(\sid="([^"]+)")re", &id)) EXPECT_TRUE(ids.insert(id).second) << id;
  rest = html;
  while (RE2::FindAndConsume(&rest, R"re(href="#([^"]+)")re", &id)) EXPECT_TRUE(ids.contains(id)) << id;
}

TEST(PlanReport, EveryGapIsMarkedWithItsReason) {
  ReportSource source = complete_source();
  source.reads.erase("swot_analysis.markdown");
  source.reads["team_markdown.markdown"] = nullptr;
  source.reads["create_schedule.schedule"] = json::object{{"activities", 3}};
  source.statuses["swot_analysis"] = json::object{{"status", "failed"}, {"reason", "SCHEMA_REPAIR_EXHAUSTED <b>"}};
  source.statuses["team_markdown"] = json::object{{"status", "blocked"}};
  const Report report = make_report(source);
  EXPECT_FALSE(report.complete);
  EXPECT_THAT(report.html,
              HasSubstr("SWOT Analysis is missing: its task failed. Reason: SCHEMA_REPAIR_EXHAUSTED &lt;b&gt;"));
  EXPECT_THAT(report.html, HasSubstr("Team is missing: a task that it needs has failed."));
  EXPECT_THAT(report.html, HasSubstr("Gantt Overview cannot be shown"));
  EXPECT_THAT(report.html, HasSubstr("4 sections missing"));
}

TEST(PlanReport, NothingAtAllIsStillAReport) {
  const Report report = make_report({});
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.title, "Plan");
  EXPECT_THAT(report.html, HasSubstr("19 sections missing"));
  EXPECT_THAT(report.html, HasSubstr("its task has not run"));
}

TEST(PlanReport, TitleFallsBackToThePrompt) {
  ReportSource source;
  source.plan["prompt"] =
      "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months, with a small workshop\nand more";
  EXPECT_EQ(report_title(source), "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within …");
  source.plan["title"] = "Shop";
  EXPECT_EQ(report_title(source), "Shop");
}

TEST(PlanReport, BannerSaysWhatMatters) {
  ReportSource source = complete_source();
  source.plan["rehearsal"] = true;
  source.reads["redline_gate.answer"] = parse(R"({"verdict":"REFUSE","rationale_short":"Harms people."})");
  source.reads["pre_project_assessment.clean"] =
      parse(R"({"go_no_go":"do_not_execute","go_no_go_recommendation":"Do not start."})");
  source.statuses["expert_review"] = json::object{{"status", "completed"}, {"missing", 2}};
  const std::string html = make_report(source).html;
  EXPECT_THAT(html, HasSubstr("This is a rehearsal."));
  EXPECT_THAT(html, HasSubstr("Refused"));
  EXPECT_THAT(html, HasSubstr("Do not start"));
  EXPECT_THAT(html, HasSubstr("Expert Criticism</a> (2 left out)"));
}

TEST(PlanReport, FilesFindTheirReference) {
  ReportSource source;
  EXPECT_TRUE(source.add_file("013-team.md", "# Roles"));
  EXPECT_TRUE(source.add_file("018-3-wbs_level1_project_title.json", "Shop"));
  EXPECT_TRUE(source.add_file("027-1-questions_and_answers_raw.json", "{}"));
  EXPECT_FALSE(source.add_file("027-1-questions_and_answers_raw.json", "{"));
  EXPECT_FALSE(source.add_file("029-report.html", ""));
  EXPECT_EQ(report_title(source), "Shop");
}

TEST(PlanReport, SectionsAsDataLeaveGapsOut) {
  ReportSource source = complete_source();
  source.reads.erase("premortem.markdown");
  const json::array data = report_sections_json(report_sections(source));
  EXPECT_EQ(data.size(), 19u);
  EXPECT_EQ(text(data[0], "id"), "executive-summary");
  EXPECT_EQ(text(data[0], "filename"), "025-2-executive_summary.md");
  EXPECT_EQ(text(data[1], "content_type"), "json");
  EXPECT_EQ(text(data[3], "stage"), "reporting");
}

TEST(PlanReport, QuestionsAndTreeAreEscaped) {
  const std::string html = make_report(complete_source()).html;
  EXPECT_THAT(html, HasSubstr("1. Why &lt;Lyon&gt;?"));
  EXPECT_THAT(html, HasSubstr("Because <strong>of</strong> it."));
  EXPECT_THAT(html, HasSubstr("<span class=\"ref\">1.1.2</span> Title s1.1.2"));
}

TEST(PlanReport, SameSourceGivesTheSameBytes) {
  EXPECT_EQ(make_report(complete_source()).html, make_report(complete_source()).html);
}

}  // namespace
}  // namespace planexe::plan
