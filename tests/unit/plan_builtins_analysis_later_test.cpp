#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/text.hpp"
#include "base/zip.hpp"
#include "plan/builtins/iso4217.hpp"
#include "plan/builtins/text_checks.hpp"
#include "unit/plan_builtins_analysis_support.hpp"

namespace planexe::plan {
namespace {

using namespace analysis_test;

// --- comparing texts

TEST(TextChecks, NumbersInOneSpelling) {
  using Numbers = std::vector<std::string>;
  EXPECT_EQ(numbers_in("18 000, 18.000, 18,000, 18\u00A0000 and 1'234'567 EUR"),
            (Numbers{"18000", "18000", "18000", "18000", "1234567"}));
  EXPECT_EQ(numbers_in("2,5 or 2.5; 19:00; 3-6-9; 007; 0.5; 2024 300"),
            (Numbers{"2.5", "2.5", "19", "0", "3", "6", "9", "7", "0.5", "2024", "300"}));
  EXPECT_EQ(numbers_in("none here"), Numbers{});
  EXPECT_EQ(numbers_in("ends with 7."), Numbers{"7"});
}

TEST(TextChecks, AmountsNeedACurrencyBesideThem) {
  const auto amounts = amounts_in("80 000 EUR, € 500, 12 months, $3.50, NOK 7, 5 CAPS, ¥188");
  ASSERT_EQ(amounts.size(), 4U);
  EXPECT_EQ(amounts[0].currency, "EUR");
  EXPECT_EQ(amounts[0].value, 80000);
  EXPECT_EQ(amounts[1].currency, "EUR");
  EXPECT_EQ(amounts[2].value, 3.5);
  EXPECT_EQ(amounts[3].currency, "NOK");
}

TEST(TextChecks, OccursAndOverlap) {
  EXPECT_TRUE(occurs_in("9\n months", "within 9 months"));
  EXPECT_FALSE(occurs_in("", "anything"));
  EXPECT_DOUBLE_EQ(word_overlap("rent and street", "Street AND rent"), 1.0);
  EXPECT_DOUBLE_EQ(word_overlap("rent", ""), 0.0);
  EXPECT_DOUBLE_EQ(word_overlap("a b c", "b c d"), 0.5);
}

RC_GTEST_PROP(TextChecksProperty, AnyBytesAreRead, (const std::string& bytes)) {
  for (const auto& number : numbers_in(bytes)) RC_ASSERT(!number.empty());
  RC_ASSERT(amounts_in(bytes).size() <= numbers_in(bytes).size());
}

TEST(Iso4217, CodesSymbolsAndNames) {
  const auto codes = currency_codes();
  EXPECT_TRUE(std::ranges::is_sorted(codes)) << "found by binary search";
  EXPECT_EQ(std::ranges::adjacent_find(codes), codes.end());
  EXPECT_EQ(currency_code_from("eur"), "EUR");
  EXPECT_EQ(currency_code_from(" € "), "EUR");
  EXPECT_EQ(currency_code_from("Swiss Francs"), "CHF");
  EXPECT_EQ(currency_code_from("Danish crowns (DKK)"), "DKK");
  EXPECT_EQ(currency_code_from("EUR or USD"), "") << "two are named";
  EXPECT_EQ(currency_code_from("¥"), "") << "yen and yuan share the sign";
  EXPECT_EQ(currency_code_from("shells"), "");
}

// --- scenarios

TEST(CandidateScenarios, WritesOptionTextsForNumbers) {
  const auto clean = example_scenarios();
  const auto& scenarios = list(clean, "scenarios");
  ASSERT_EQ(scenarios.size(), 3U);
  EXPECT_EQ(refs(scenarios), "S1 S2 S3");
  EXPECT_EQ(text(scenarios[2], "posture"), "consolidator");
  const auto* mapping = find(scenarios[1], "lever_settings");
  ASSERT_TRUE(mapping->is_object());
  EXPECT_EQ(text(*mapping, "Rent level and street"), text(list(scenarios[1], "settings")[0], "option"));
}

TEST(CandidateScenarios, HolesAndWrongNumbersGetTheMiddleOption) {
  auto in = input("candidate_scenarios");
  in.reads["focus_on_vital_few_levers.raw.levers"] = *find(example_focus(), "levers");
  set_answer(in, parsed(R"({"analysis_title":"t","core_tension":"c","scenarios":[
      {"scenario_name":"A","strategic_logic":"l","lever_settings":[{"lever_id":"L1","option_number":7},{"lever_id":"L99","option_number":1}]},
      {"scenario_name":"B","strategic_logic":"l","lever_settings":[]}]})"));
  const auto result = run("candidate_scenarios", in).value();
  EXPECT_TRUE(has_finding(result, "no_setting"));
  EXPECT_TRUE(has_finding(result, "same_settings"));
  for (const auto& setting : list(list(result.outputs.at("clean"), "scenarios")[0], "settings"))
    EXPECT_EQ(get_int(setting, "option_number"), 2);
}

BuiltinInput choice(const json::value& answer) {
  auto in = input("select_scenario");
  in.reads["candidate_scenarios.clean.scenarios"] = *find(example_scenarios(), "scenarios");
  set_answer(in, answer);
  return in;
}

TEST(SelectScenario, WritesScoresAndTheChosenScenario) {
  const auto result = run("select_scenario", choice(example("select_scenario"))).value();
  EXPECT_TRUE(result.findings.empty()) << rules_of(result);
  const auto& clean = result.outputs.at("clean");
  EXPECT_EQ(get_int(list(clean, "scenario_assessments")[1], "fit_score"), 8);
  EXPECT_EQ(text(*find(clean, "final_choice"), "chosen_scenario_name"), "Guillotiere workshop with two anchor fleets");
  EXPECT_EQ(list(*find(clean, "chosen"), "settings").size(), 5U);
}

TEST(SelectScenario, ABetterRivalIsReportedAndAnUnknownChoiceFails) {
  auto answer = example("select_scenario");
  answer.as_object()["final_choice"].as_object()["chosen_scenario_id"] = "courtyard ATELIER, one bench";
  const auto result = run("select_scenario", choice(answer)).value();
  EXPECT_TRUE(has_finding(result, "better_class"));
  EXPECT_EQ(text(*find(result.outputs.at("clean"), "chosen"), "ref"), "S3") << "a name instead of the id is understood";
  answer.as_object()["final_choice"].as_object()["chosen_scenario_id"] = "S9";
  EXPECT_EQ(run("select_scenario", choice(answer)).error().code, ErrorCode::TaskFailed);
}

TEST(ScenariosDocument, AnUnknownChoiceLosesNothing) {
  auto in = input("scenarios_markdown");
  auto clean = run("select_scenario", choice(example("select_scenario"))).value().outputs.at("clean");
  in.reads["candidate_scenarios.clean"] = example_scenarios();
  in.reads["select_scenario.clean"] = clean;
  auto result = run("scenarios_document", in).value();
  EXPECT_EQ(text(*find(result.view, "chosen"), "scenario_name"), "Guillotiere workshop with two anchor fleets");
  EXPECT_EQ(list(result.view, "alternatives").size(), 2U);
  EXPECT_NE(text(result.view, "justification").find("\n\n"), std::string::npos) << "lines become paragraphs";
  clean.as_object()["final_choice"].as_object()["chosen_scenario_name"] = "Something else";
  in.reads["select_scenario.clean"] = clean;
  result = run("scenarios_document", in).value();
  EXPECT_TRUE(find(result.view, "chosen")->is_null());
  EXPECT_EQ(list(result.view, "alternatives").size(), 3U);
  EXPECT_TRUE(has_finding(result, "unknown_name"));
  EXPECT_NE(text(result.view, "justification"), "");
}

// --- places and money

BuiltinInput places_input() {
  auto in = input("physical_locations");
  in.reads["plan_type.raw.plan_type"] = "physical";
  in.reads["identify_purpose.raw.stated_limits"] = *find(example("identify_purpose"), "stated_limits");
  set_answer(in, example("physical_locations", "suggest.example.json"), "suggest");
  return in;
}

TEST(PhysicalLocations, TheModelsPlacesAreNumbered) {
  auto in = places_input();
  EXPECT_EQ(text(run("physical_locations_origin", in).value().answer, "source"), "llm");
  const auto result = run("physical_locations", in).value();
  EXPECT_TRUE(result.findings.empty()) << rules_of(result);
  EXPECT_EQ(get_int(list(result.outputs.at("raw"), "physical_locations")[3], "item_index"), 4);
  in.reads["identify_purpose.raw.stated_limits"] = parsed(R"([{"kind":"place","quote":"Brest","value":null}])");
  EXPECT_TRUE(has_finding(run("physical_locations", in).value(), "stated_place"));
}

TEST(PhysicalLocations, InterviewAndDigitalPlansAskNobody) {
  auto in = places_input();
  in.plan["intake"] = parsed(R"({"geography":{"is_digital_only":false,"physical_locations":["  ","Lyon 7e"]}})");
  EXPECT_EQ(text(run("physical_locations_origin", in).value().answer, "source"), "intake");
  auto result = run("physical_locations", in).value();
  EXPECT_EQ(result.skipped_reason, "from_intake");
  ASSERT_EQ(list(result.outputs.at("raw"), "physical_locations").size(), 1U);
  in.reads["plan_type.raw.plan_type"] = "digital";
  result = run("physical_locations", in).value();
  EXPECT_EQ(result.skipped_reason, "digital_plan");
  EXPECT_EQ(text(result.outputs.at("raw"), "source"), "digital");
}

TEST(CurrencyStrategy, StatedCurrenciesEnterTheList) {
  auto in = input("currency_strategy");
  in.reads["identify_purpose.raw.stated_limits"] = parsed(R"([{"kind":"budget","quote":"q","value":"500 CHF"}])");
  set_answer(in, example("currency_strategy", "pick.example.json"), "pick");
  const auto result = run("currency_strategy", in).value();
  EXPECT_EQ(list(result.outputs.at("raw"), "currency_list").size(), 2U);
  EXPECT_TRUE(has_finding(result, "currency_added"));
}

TEST(CurrencyStrategy, TheInterviewsCurrencyIsNormalised) {
  auto in = input("currency_strategy");
  in.plan["intake"] = parsed(R"({"budget":{"currency":" euros ","estimated_total":null}})");
  EXPECT_EQ(text(run("currency_origin", in).value().answer, "source"), "intake");
  const auto result = run("currency_strategy", in).value();
  EXPECT_EQ(text(result.outputs.at("raw"), "primary_currency"), "EUR");
  EXPECT_EQ(result.skipped_reason, "from_intake");
  in.plan["intake"] = parsed(R"({"budget":{"currency":"¥"}})");
  EXPECT_EQ(text(run("currency_origin", in).value().answer, "source"), "llm");
  set_answer(in, example("currency_strategy", "pick.example.json"), "pick");
  EXPECT_TRUE(has_finding(run("currency_strategy", in).value(), "currency_unclear"));
}

// --- risks

TEST(IdentifyRisks, ExampleHasTenAndLeavesNoAreaOpen) {
  auto in = input("identify_risks");
  in.reads["currency_strategy.raw.primary_currency"] = "EUR";
  set_answer(in, example("identify_risks", "sweep.example.json"), "sweep");
  EXPECT_TRUE(list(run("risk_area_gaps", in).value().answer, "missing").empty());
  const auto result = run("identify_risks", in).value();
  EXPECT_TRUE(result.findings.empty()) << rules_of(result);
  const auto& risks = list(result.outputs.at("raw"), "risks");
  ASSERT_EQ(risks.size(), 10U);
  EXPECT_EQ(text(risks[9], "risk_id"), "R10");
  EXPECT_EQ(text(list(result.view, "risks")[0], "likelihood"), "Medium");
}

TEST(IdentifyRisks, FollowUpFillsGapsWithoutDoubles) {
  auto in = input("identify_risks");
  in.reads["currency_strategy.raw.primary_currency"] = "USD";
  auto answer = example("identify_risks", "sweep.example.json");
  answer.as_object()["areas_without_risk"] = json::array{};
  set_answer(in, answer, "sweep");
  EXPECT_EQ(list(run("risk_area_gaps", in).value().answer, "missing").size(), 3U);
  auto more = example("identify_risks", "more.example.json");
  more.as_object()["risks"].as_array().push_back(answer.at("risks").as_array()[0]);
  set_answer(in, more, "more");
  const auto result = run("identify_risks", in).value();
  EXPECT_EQ(list(result.outputs.at("raw"), "risks").size(), 11U);
  EXPECT_TRUE(has_finding(result, "duplicate"));
  EXPECT_TRUE(has_finding(result, "area_open")) << "environment is still unsaid";
  EXPECT_TRUE(has_finding(result, "currency_drift"));
}

TEST(IdentifyRisks, ImportedRisksWithoutTitlesKeepTheirArea) {
  auto in = input("identify_risks");
  set_answer(
      in,
      parsed(
          R"({"risks":[{"risk_area":"Technical","risk_description":"d","potential_impact":"bad","likelihood":"low","severity":"high","action":"a"},
      {"risk_area":"Technical","risk_description":"e","potential_impact":"2 days","likelihood":"low","severity":"high","action":"a"}],"risk_assessment_summary":"s"})"),
      "sweep");
  const auto result = run("identify_risks", in).value();
  ASSERT_EQ(list(result.view, "risks").size(), 2U);
  EXPECT_EQ(text(list(result.view, "risks")[0], "heading"), "Technical");
  EXPECT_TRUE(has_finding(result, "no_figure"));
}

// --- assumptions

TEST(MakeAssumptions, OrderedByAreaAndHeldAgainstTheLimits) {
  auto in = input("make_assumptions");
  in.reads["identify_purpose.raw.stated_limits"] = *find(example("identify_purpose"), "stated_limits");
  auto answer = example("make_assumptions");
  auto& items = answer.as_object()["question_assumption_list"].as_array();
  std::ranges::reverse(items);
  set_answer(in, answer);
  auto result = run("make_assumptions", in).value();
  EXPECT_TRUE(result.findings.empty()) << rules_of(result);
  const auto& clean = result.outputs.at("clean").as_array();
  EXPECT_EQ(refs(clean), "A1 A2 A3 A4 A5 A6 A7 A8");
  EXPECT_EQ(text(clean[0], "area"), "funding");
  items[6].as_object()["assumptions"] = "It takes 11 months and 95 000 EUR.";
  set_answer(in, answer);
  result = run("make_assumptions", in).value();
  EXPECT_TRUE(has_finding(result, "over_budget"));
  EXPECT_TRUE(has_finding(result, "over_horizon"));
}

TEST(MakeAssumptions, ImportedItemsWithoutAreasKeepTheirOrder) {
  auto in = input("make_assumptions");
  set_answer(in,
             parsed(R"({"question_assumption_list":[{"item_index":1,"question":"b","assumptions":"x","assessments":"y"},
      {"item_index":2,"question":"a","assumptions":"x","assessments":"y"}]})"));
  const auto result = run("make_assumptions", in).value();
  EXPECT_EQ(text(result.outputs.at("clean").as_array()[0], "question"), "b");
  EXPECT_TRUE(has_finding(result, "area_open"));
}

BuiltinInput slip_input() {
  auto in = input("distill_assumptions");
  in.reads["make_assumptions.clean"] = example_assumptions();
  set_answer(in, example("distill_assumptions", "distill.example.json"), "distill");
  return in;
}

TEST(DistillAssumptions, ExampleLosesNoFigure) {
  const auto in = slip_input();
  const auto lost = run("distill_lost", in).value().answer;
  EXPECT_TRUE(list(lost, "items").empty()) << to_json(lost);
  const auto result = run("distill_assumptions", in).value();
  EXPECT_TRUE(result.findings.empty()) << rules_of(result);
  EXPECT_TRUE(list(result.outputs.at("raw"), "assumption_list")[0].is_string()) << "stored as plain sentences";
}

TEST(DistillAssumptions, LostFiguresAreAskedForAndReported) {
  auto in = slip_input();
  auto answer = example("distill_assumptions", "distill.example.json");
  json::array kept;
  for (const auto& entry : list(answer, "assumption_list"))
    if (text(entry, "assumption_id") != "A8" && !text(entry, "sentence").starts_with("Fixed:")) kept.push_back(entry);
  answer.as_object()["assumption_list"] = std::move(kept);
  set_answer(in, answer, "distill");
  const auto items = list(run("distill_lost", in).value().answer, "items");
  EXPECT_EQ(refs(items), "A3 A8");
  EXPECT_EQ(to_json(*find(items[0], "numbers")), R"(["1400","750","2900"])");
  EXPECT_TRUE(list(items[1], "numbers").empty()) << "the whole assumption is missing";
  set_answer(
      in,
      parsed(
          R"({"assumption_list":[{"assumption_id":"A8","sentence":"Till 90 EUR."},{"assumption_id":"B1","sentence":"?"}]})"),
      "again");
  const auto result = run("distill_assumptions", in).value();
  EXPECT_TRUE(has_finding(result, "number_lost"));
  EXPECT_FALSE(has_finding(result, "assumption_lost"));
}

// --- the two assumption documents

constexpr auto kReferences = {"identify_purpose.markdown",    "plan_type.markdown",
                              "physical_locations.markdown",  "currency_strategy.markdown",
                              "identify_risks.markdown",      "make_assumptions.markdown",
                              "distill_assumptions.markdown", "review_assumptions.markdown"};

std::string long_chapter() {
  std::string chapter;
  for (int i = 1; i <= 4; ++i)
    chapter += "## Risk " + std::to_string(i) + "\n**Impact:** " + std::to_string(i * 100) + " EUR. " +
               std::string(500, 'x') + "\n\n";
  return chapter;
}

BuiltinInput documents_input() {
  auto in = input("consolidate_assumptions_markdown");
  for (const char* reference : kReferences) in.reads[reference] = "A short **chapter** with 3 facts.";
  in.reads["identify_risks.markdown"] = long_chapter();
  set_answer(in, run("assumption_sections", in).value().answer, "sections");
  return in;
}

std::string short_document(BuiltinInput in, const json::value& answer, bool& degraded) {
  const auto element = list(*step_answer(in, "sections"), "long")[0];
  set_items(in, {answer}, {element}, "shorten");
  const auto result = run("consolidate_assumptions", in).value();
  degraded = result.degraded;
  EXPECT_NE(text(json::value(result.outputs), "full").find("**chapter**"), std::string::npos);
  return text(json::value(result.outputs), "short");
}

TEST(AssumptionDocuments, OnlyLongChaptersAreShortened) {
  auto in = documents_input();
  EXPECT_EQ(list(*step_answer(in, "sections"), "long").size(), 1U);
  EXPECT_EQ(get_int(list(*step_answer(in, "sections"), "long")[0], "entries"), 4);
  in.plan["speed"] = "fast_but_skip_details";
  EXPECT_TRUE(list(run("assumption_sections", in).value().answer, "long").empty());
}

TEST(AssumptionDocuments, AGoodShortFormIsTidiedAndUsed) {
  bool degraded = true;
  const auto brief =
      short_document(documents_input(),
                     "# Identify Risks\n## Risk 1\n* **100** EUR\n### Risk 2\n- 200 EUR\n## Risk 3\n- 300 EUR\n## Risk "
                     "4\n- 400 EUR, see notes and more of the words that make it long enough to "
                     "count as a short form of the chapter and not as one that broke off somewhere in the middle",
                     degraded);
  EXPECT_FALSE(degraded);
  EXPECT_NE(brief.find("# Identify Risks\n\n## Risk 1\n\n- 100 EUR\n\n## Risk 2\n\n- 200 EUR\n\n## Risk 3"),
            std::string::npos)
      << brief;
  EXPECT_EQ(brief.find("**"), std::string::npos);
  EXPECT_EQ(brief.find("xxx"), std::string::npos);
}

TEST(AssumptionDocuments, ABadShortFormLeavesTheOriginal) {
  const std::string padding(300, 'y');
  const std::pair<std::string, json::value> answers[] = {
      {"missing", json::value(nullptr)},
      {"cut off", json::value("## Risk 1")},
      {"longer", json::value(long_chapter() + long_chapter())},
      {"entry lost", json::value("## Risk 1\n100 200 300 400 4 " + padding)},
      {"figures lost", json::value("## Risk 1\n- a\n## Risk 2\n- b\n## Risk 3\n- c\n## Risk 4\n- d " + padding)},
  };
  for (const auto& [name, answer] : answers) {
    bool degraded = false;
    const auto brief = short_document(documents_input(), answer, degraded);
    EXPECT_TRUE(degraded) << name;
    EXPECT_NE(brief.find("xxx"), std::string::npos) << name << ": nothing may vanish";
  }
}

// --- real plans of the reference

TEST(AnalysisRealRuns, ScenarioAndDecisionDocumentsComeOutTheSame) {
  const char* folder = std::getenv("PLANEXE_REAL_RUNS");
  if (folder == nullptr) GTEST_SKIP() << "PLANEXE_REAL_RUNS is not set; it names the folder with the zipped real plans";
  int plans = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".zip") continue;
    std::map<std::string, std::string> files;
    const auto entries = read_zip(file.path());
    ASSERT_TRUE(entries) << entries.error().message;
    for (const auto& entry : *entries)
      files.emplace(std::filesystem::path(entry.name).filename().string(), entry.bytes);
    ++plans;
    auto in = input("scenarios_markdown");
    in.reads["candidate_scenarios.clean"] = parsed(files.at("002-16-candidate_scenarios.json"));
    in.reads["select_scenario.clean"] = parsed(files.at("002-18-selected_scenario.json"));
    const auto document = run("scenarios_document", in).value();
    ASSERT_TRUE(document.findings.empty()) << rules_of(document);
    const auto& chosen = *find(document.view, "chosen");
    const auto& golden = files.at("002-19-scenarios.md");
    EXPECT_NE(golden.find("### " + text(chosen, "scenario_name") + "\n"), std::string::npos);
    EXPECT_NE(golden.find("**Fit Score:** " + std::to_string(get_int(chosen, "fit_score").value()) + "/10"),
              std::string::npos);
    for (const auto& setting : list(chosen, "settings"))
      EXPECT_NE(golden.find("- **" + text(setting, "lever_name") + ":** " + text(setting, "option")),
                std::string::npos);

    in.reads["enrich_levers.raw.characterized_levers"] =
        *find(parsed(files.at("002-12-enriched_levers_raw.json")), "characterized_levers");
    in.reads["focus_on_vital_few_levers.raw"] = parsed(files.at("002-13-vital_few_levers_raw.json"));
    const auto decisions = run("strategic_decisions", in).value().view;
    const auto& stored = files.at("002-14-strategic_decisions.md");
    for (const char* part : {"primary", "secondary"})
      for (const auto& lever : list(decisions, part))
        EXPECT_NE(stored.find("### Decision " + std::to_string(get_int(lever, "number").value()) + ": " +
                              text(lever, "name") + "\n"),
                  std::string::npos);
  }
  EXPECT_GT(plans, 0) << folder << " holds no zip";
}

}  // namespace
}  // namespace planexe::plan
