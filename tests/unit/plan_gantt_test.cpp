#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/file.hpp"
#include "plan/builtins/common.hpp"
#include "plan/csv.hpp"
#include "plan/gantt.hpp"
#include "plan_schedule_support.hpp"

namespace planexe::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// The golden files of tests/golden/plan. PLANEXE_UPDATE_GOLDEN=1 writes them anew; read the difference before keeping
// it.
void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(PLANEXE_SOURCE_DIR) + "/tests/golden/plan/" + name;
  if (std::getenv("PLANEXE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
  const auto golden = read_file(path, 4 * 1024 * 1024);
  ASSERT_TRUE(golden) << path;
  EXPECT_EQ(actual, *golden) << path;
}

Wbs hostile_tree() {
  Wbs wbs = tree({2, 1}, 2);
  wbs.root.title = "Shop </script><b>";
  wbs.root.final_deliverable = "Open: \"shop\"";
  wbs.root.children[0].title = "Found, fund [1]; {x} | 'y'";
  wbs.root.children[0].children[0].title = "Title t1.2";  // the name of the next task
  wbs.root.children[0].children[0].children[0].details = "Line one\nLine <two>";
  wbs.root.children[0].children[0].children[0].resources = {"Desk", "=cmd"};
  return wbs;
}

Schedule sample(const Wbs& wbs) {
  return scheduled(wbs, durations({{"1.1", 2, 4, 6}, {"1.2", 3, 20, 30}, {"2.1", 5, 10, 20}}),
                   links({{"1.1", "1.2", "FS", 0}, {"1.1", "2.1", "SS", 2}}),
                   parse_json(R"([{"kind":"end_date","quote":"by 6 February 2026","value":"2026-02-06"}])").value());
}

TEST(PlanGantt, DataHasTheShapeOfWidgets) {
  const Wbs wbs = hostile_tree();
  const json::value data = gantt_data(sample(wbs), &wbs, {.tooltips = true});
  const json::array& tasks = data.at("tasks").as_array();
  EXPECT_EQ(text(tasks[0], "type"), "project");
  EXPECT_EQ(find(tasks[0], "start_date"), nullptr);
  EXPECT_EQ(text(tasks[2], "start_date"), "2026-01-05");
  EXPECT_EQ(get_int(tasks[2], "duration"), 4);
  EXPECT_EQ(get_int(tasks[5], "duration"), 28);  // calendar days of 20 working days from a Friday on
  EXPECT_EQ(text(tasks[5], "meta"), "t1.1 FS");
  EXPECT_THAT(text(tasks[3], "custom_tooltip"), HasSubstr("Line &lt;two&gt;"));
  const json::array& arrows = data.at("links").as_array();
  ASSERT_EQ(arrows.size(), 2u);
  EXPECT_EQ(text(arrows[0], "type"), "0");
  EXPECT_EQ(text(arrows[1], "type"), "1");
  EXPECT_EQ(get_int(arrows[1], "lag"), 2);
}

TEST(PlanGantt, ChartNeverBreaksOut) {
  const Wbs wbs = hostile_tree();
  const Schedule schedule = sample(wbs);
  const std::string page = gantt_interactive_page(schedule, &wbs, wbs.root.title);
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  EXPECT_THAT(page, Not(HasSubstr("http://")));
  EXPECT_THAT(page, Not(HasSubstr("https://")));
  EXPECT_THAT(page, HasSubstr("id=\"gantt-data\""));
}

TEST(PlanGantt, ChartShowsRowsCriticalPathAndStatedEnd) {
  const Wbs wbs = tree({2, 1}, 2);
  const Schedule schedule = sample(wbs);
  const std::string html = gantt_chart_html(schedule, gantt_data(schedule, &wbs));
  EXPECT_THAT(html, HasSubstr("r k-task crit\" data-i=\"2\""));
  EXPECT_THAT(html, HasSubstr("r k-milestone crit"));
  EXPECT_THAT(html, HasSubstr("Stated end: 2026-02-06"));
  EXPECT_THAT(html, HasSubstr("class=\"slack\""));
  expect_golden("gantt_chart.html", html);
}

TEST(PlanGantt, ScheduleFileIsGolden) {
  expect_golden("schedule.json", to_json_pretty(schedule_to_json(sample(tree({2, 1}, 2)))));
}

TEST(PlanGantt, OverviewIsGolden) {
  expect_golden("gantt_overview.html", gantt_overview_html(sample(tree({2, 1}, 2))));
}

TEST(PlanGantt, MermaidTextEscapesItsMarks) {
  const Wbs wbs = hostile_tree();
  EXPECT_EQ(
      gantt_mermaid_text(sample(wbs)),
      "gantt\n    dateFormat  YYYY-MM-DD\n    axisFormat  %d %b\n    todayMarker off\n"
      "    section Found#44; fund #91;1#93;#59; #123;x#125; #124; #39;y#39;\n    Title t1.2 :2026-01-05, 4d\n    Title "
      "t1.2 :2026-01-09, 28d\n"
      "    section Title p2\n    Title t2.1 :2026-01-07, 14d\n    Open#58; #34;shop#34; :milestone, 2026-02-05, 0d\n");
}

TEST(PlanGantt, CsvHasRealParentsAndUniqueNames) {
  const Wbs wbs = hostile_tree();
  const std::string csv = gantt_csv(sample(wbs), &wbs);
  const auto rows = read_csv(csv, ',');
  EXPECT_THAT(rows[0], ElementsAre("project_key", "project_name", "project_description", "project_start_date",
                                   "project_end_date", "project_progress", "project_parent", "originating_department"));
  EXPECT_THAT(rows[1],
              ElementsAre("root", "Shop </script><b>", "Shop </script><b>\n\nFinal deliverable:\nOpen: \"shop\"",
                          "1/5/2026", "2/6/2026", "0", "", "PlanExe"));
  std::set<std::string> names;
  std::set<std::string> seen{""};
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_TRUE(names.insert(rows[i][1]).second) << rows[i][1];
    EXPECT_TRUE(seen.contains(rows[i][6])) << "a child stands before its parent";
    seen.insert(rows[i][0]);
  }
  EXPECT_TRUE(names.contains("Title t1.2 (1)"));
  expect_golden("gantt_machai.csv", csv);
}

TEST(PlanGantt, ProjectXmlHasItsOwnNumbers) {
  const Wbs wbs = hostile_tree();
  const std::string xml = ms_project_xml(sample(wbs), wbs.root.title);
  EXPECT_THAT(xml, HasSubstr("<Name>Shop &lt;/script&gt;&lt;b&gt;</Name>"));
  EXPECT_THAT(xml, HasSubstr("<Duration>PT32H0M0S</Duration>"));
  EXPECT_THAT(xml, HasSubstr("<Type>3</Type><LinkLag>9600</LinkLag>"));
}

TEST(PlanGantt, LongPlansKeepTheirAxisReadable) {
  const Wbs wbs = tree({1});
  const Schedule schedule = scheduled(wbs, durations({{"1.1", 1, 9000, 9000}}), links({}));
  const std::string html = gantt_chart_html(schedule, gantt_data(schedule, nullptr));
  EXPECT_THAT(html, HasSubstr("Jan 2060"));
  EXPECT_LT(html.size(), 400'000u);
}

}  // namespace
}  // namespace planexe::plan
