#include "plan/report.hpp"
#include "plan/report_sections.hpp"
#include "server/artefact_view.hpp"
#include "server/assembled_document.hpp"
#include "server/fallback_report.hpp"
#include "server/report_view.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::real_recipe;
using test::ServerPlan;

constexpr const char* kOtherHash = "sha256-2pLwD0vO0ZTn5mYp1xq0o1sJr0vM3y4mWcZ2f7oKx8E=";

TEST(ServerReportForm, TheAcceptHeaderIsObeyed) {
  using enum ReportForm;
  const auto form = [](std::string_view accept) { return report_form("", accept); };
  EXPECT_EQ(form(""), html);
  EXPECT_EQ(form("*/*"), html);
  EXPECT_EQ(form("application/json"), json);
  EXPECT_EQ(form("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), html);
  EXPECT_EQ(form("application/json, text/plain, */*"), html) << "both are as welcome";
  EXPECT_EQ(form("text/html;q=0.4, application/json;q=0.5"), json);
  EXPECT_EQ(form("text/*;q=0.9, application/*"), json);
  EXPECT_EQ(form("APPLICATION/JSON ; Q=1.0"), json);
  EXPECT_EQ(form("text/html;q=0, */*"), json);
  EXPECT_EQ(form("application/json;q=0, */*;q=0.1"), html);
  EXPECT_EQ(form("application/json;charset=utf-8;q=0.9, text/html;q=0.1"), json);
  for (const auto* neither : {"image/png", "text/plain", "text/html;q=0", "*/*;q=0", "rubbish", "text/html;q=x"})
    EXPECT_EQ(form(neither), std::nullopt) << neither;
}

TEST(ServerReportForm, TheParameterGoesBeforeTheHeader) {
  EXPECT_EQ(report_form("json", "text/html"), ReportForm::json);
  EXPECT_EQ(report_form("html", "application/json"), ReportForm::html);
}

TEST(ServerReportPolicy, TheScriptOfTheStoredReportIsAllowedAndNoOther) {
  const auto report = plan::make_report({});
  const auto policy = report_policy(report.html);
  EXPECT_EQ(policy, "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src '" +
                        plan::report_script_hash() + "'; img-src data:");
  // An earlier version had another script.
  EXPECT_NE(report_policy(replace_all(report.html, plan::report_script_hash(), kOtherHash)).find(kOtherHash),
            std::string::npos);
}

TEST(ServerReportPolicy, WhatAPageOfAnotherOriginDeclaresIsNotBelieved) {
  const auto ours = report_policy("");
  const auto report = plan::make_report({}).html;
  for (const auto& page :
       {std::string("<html><meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'unsafe-inline'\">"),
        replace_all(report, plan::report_script_hash(), "unsafe-inline"),
        replace_all(report, plan::report_script_hash(), "sha256-x'; connect-src *; script-src 'unsafe-inline"),
        replace_all(replace_all(report, "<!DOCTYPE", "<!doctype"), plan::report_script_hash(), kOtherHash)})
    EXPECT_EQ(report_policy(page), ours);
  EXPECT_EQ(ours.find("script-src 'unsafe-inline'"), std::string::npos);
}

class ServerReports : public testing::Test {
 protected:
  LoadText load() {
    return [this](const std::string& name) -> Result<std::optional<std::string>> {
      PLANEXE_TRY_ASSIGN(auto row, plan_.store().content(ServerPlan::kId, name));
      if (!row) return std::nullopt;
      return row->content;
    };
  }
  std::optional<json::object> structured() {
    const auto source = report_source(plan_.plan(), plan_.board(), load());
    return structured_report(plan_.plan(), plan_.board(), *source);
  }
  json::object fallback() {
    std::vector<store::ContentRow> found;
    for (const auto& file : expected_files(plan_.board(), real_recipe()))
      if (auto row = *plan_.store().content(ServerPlan::kId, file.filename))
        found.push_back(listed_file(*row, real_recipe()));
    return fallback_report(plan_.plan(), plan_.board(), real_recipe(), found);
  }
  json::object document() {
    auto files = document_files(listed_files(*plan_.store().contents(ServerPlan::kId), real_recipe()));
    for (auto& file : files) file.content = (*plan_.store().content(ServerPlan::kId, file.filename))->content;
    return assembled_document(plan_.plan(), files, real_recipe());
  }
  /// Why a file is missing.
  std::string reason(std::string_view filename) {
    for (const auto& missing : fallback().at("missing_sections").as_array())
      if (missing.at("filename") == json::value(filename)) return std::string(missing.at("reason").as_string());
    return {};
  }

  ServerPlan plan_;
};

TEST_F(ServerReports, NoSectionIsNoReport) {
  EXPECT_FALSE(structured());
  plan_.put_output("001-2-plan.txt", plan_.plan().prompt);
  const auto report = structured();
  ASSERT_TRUE(report);
  EXPECT_FITS(*report, "StructuredReport");
  EXPECT_EQ(report->at("sections").as_array().size(), 1u);
  EXPECT_FALSE(report->at("complete").as_bool());
}

TEST_F(ServerReports, AFinishedPlanHasAllSectionsInTheirOrder) {
  plan_.complete();
  const auto report = structured();
  ASSERT_TRUE(report);
  EXPECT_FITS(*report, "StructuredReport");
  EXPECT_TRUE(report->at("complete").as_bool());
  EXPECT_FALSE(report->at("stale").as_bool());
  const auto& sections = report->at("sections").as_array();
  const auto specs = plan::section_specs();
  ASSERT_EQ(sections.size(), specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) EXPECT_EQ(sections[i].at("id"), json::value(specs[i].id));
  EXPECT_EQ(*report, *structured()) << "the tag must stay the same while nothing changes";
  plan_.write({store::MarkStale{"report"}});
  EXPECT_TRUE(structured()->at("stale").as_bool());
}

TEST_F(ServerReports, AFinishedPlanMissesNothing) {
  plan_.complete();
  const auto report = fallback();
  EXPECT_FITS(report, "FallbackReport");
  EXPECT_EQ(report.at("completion_percentage"), 100.0);
  EXPECT_TRUE(report.at("missing_sections").as_array().empty());
  EXPECT_GT(report.at("sections").as_array().size(), 80u);
  for (const auto& section : report.at("sections").as_array()) {
    EXPECT_NE(section.at("filename"), "029-report.html");
    EXPECT_NE(section.at("filename"), "999-pipeline_complete.txt");
  }
}

TEST_F(ServerReports, WhatIsMissingSaysTheStateOfItsTask) {
  plan_.put_output("014-2-swot_analysis.md", "# SWOT\n\n<script>alert(1)</script> text");
  plan_.set_task("premortem", [](auto& row) {
    row.state = "failed";
    row.error_message = "The model\nrefused.";
  });
  plan_.set_task("expert_review", [](auto& row) {
    row.state = "running";
    row.units_total = 8;
    row.units_done = 3;
  });
  plan_.set_task("create_schedule", [](auto& row) { row.state = "blocked"; });
  plan_.set_task("team_markdown", [](auto& row) { row.state = "cancelled"; });
  const auto report = fallback();
  EXPECT_FITS(report, "FallbackReport");
  EXPECT_EQ(reason("028-2-premortem.md"), "The task failed: The model refused.");
  EXPECT_EQ(reason("016-2-expert_criticism.md"), "The task is still running: 3 of 8 parts are done.");
  EXPECT_EQ(reason("026-4-schedule.json"), "The task could not start because an input failed.");
  EXPECT_EQ(reason("013-team.md"), "The task was cancelled.");
  EXPECT_EQ(reason("024-2-review_plan.md"), "The task waits for its inputs.");
  EXPECT_EQ(reason("029-report.html"), "");
  const auto expected = expected_files(plan_.board(), real_recipe()).size();
  EXPECT_EQ(report.at("sections").as_array().size() + report.at("missing_sections").as_array().size(), expected);
  EXPECT_DOUBLE_EQ(report.at("completion_percentage").as_double(),
                   std::round(10'000.0 / static_cast<double>(expected)) / 100.0);
}

TEST_F(ServerReports, AFileThatAFinishedTaskDidNotNeedIsNotExpected) {
  const auto before = expected_files(plan_.board(), real_recipe()).size();
  plan_.set_task("setup", [](auto& row) { row.state = "completed"; });
  plan_.put_output("001-2-plan.txt", "prompt");
  EXPECT_EQ(expected_files(plan_.board(), real_recipe()).size(), before - 1) << "no intake form was given";
}

TEST_F(ServerReports, ThePageHoldsNothingThatRuns) {
  const std::string evil = "<script>alert(1)</script><img src=x onerror=alert(2)>";
  plan_.put_output("014-2-swot_analysis.md", evil + "\n\n[x](javascript:alert(3))");
  plan_.put_output("001-2-plan.txt", evil);
  plan_.put_output("026-1-schedule_gantt_mermaid.html", evil);
  plan_.put_output("003-10-consolidate_assumptions_full.md", std::string("\xff\xfe") + evil);
  plan_.change_plan([&](auto& row) { row.title = evil; });
  plan_.set_task("premortem", [&](auto& row) {
    row.state = "failed";
    row.error_message = evil;
  });
  const auto report = fallback();
  EXPECT_FITS(report, "FallbackReport");
  const std::string html(report.at("assembled_html").as_string());
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find("javascript:"), std::string::npos);
  EXPECT_NE(html.find("script-src 'none'"), std::string::npos);
}

TEST_F(ServerReports, TheDocumentIsEmptyAtFirst) {
  const auto empty = document();
  EXPECT_FITS(empty, "AssembledDocument");
  EXPECT_EQ(empty.at("section_count"), 0);
  EXPECT_EQ(empty.at("markdown"), "");
  EXPECT_TRUE(empty.at("last_updated").is_null());
}

TEST_F(ServerReports, TheDocumentFollowsTheReport) {
  plan_.put_output("002-2-redline_gate.md", "Allowed.");
  plan_.put_output("014-2-swot_analysis.md", "# SWOT analysis");
  plan_.put_output("025-2-executive_summary.md", "## Focus\n\nOpen the shop.");
  plan_.put_output("014-1-swot_analysis_raw.json", "{}");
  plan_.write({store::MarkStale{"swot_analysis"}});
  const auto made = document();
  EXPECT_FITS(made, "AssembledDocument");
  const auto& sections = made.at("sections").as_array();
  ASSERT_EQ(sections.size(), 3u);
  EXPECT_EQ(sections[0].at("id"), "executive-summary");
  EXPECT_EQ(sections[1].at("id"), "swot-analysis");
  EXPECT_FALSE(sections[1].at("is_final").as_bool());
  EXPECT_EQ(sections[2].at("id"), "redline-gate");
  EXPECT_TRUE(sections[2].at("is_final").as_bool());
  EXPECT_EQ(made.at("word_count"), (2 + 1 + 3) + 2 + (2 + 1)) << "titles count, marks do not";
  const std::string markdown(made.at("markdown").as_string());
  EXPECT_TRUE(markdown.starts_with("# Executive summary\n\n## Focus")) << markdown;
  const auto heading = markdown.find("# SWOT analysis");
  ASSERT_NE(heading, std::string::npos);
  EXPECT_EQ(markdown.find("# SWOT analysis", heading + 1), std::string::npos) << "it has a title of its own";
}

TEST_F(ServerReports, TheDocumentOfAFinishedPlanFits) {
  plan_.complete();
  EXPECT_FITS(document(), "AssembledDocument");
}

}  // namespace
}  // namespace planexe::server
