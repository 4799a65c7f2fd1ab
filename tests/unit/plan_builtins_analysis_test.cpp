#include <rapidcheck/gtest.h>

#include <set>

#include "unit/plan_builtins_analysis_support.hpp"

namespace planexe::plan {
namespace {

using namespace analysis_test;

// --- shared pieces

TEST(BuiltinCommon, IdsAreDeterministicAndDiffer) {
  EXPECT_EQ(mint_id("p", "t", "i"), mint_id("p", "t", "i"));
  EXPECT_NE(mint_id("p", "t", "i"), mint_id("p", "t", "j"));
  EXPECT_NE(mint_id("p", "t", "i"), mint_id("q", "t", "i"));
  EXPECT_EQ(mint_id("p", "t", "i").at(14), '5') << "UUID version";
}

TEST(BuiltinCommon, EqualTitlesGetARunningNumber) {
  IdMint mint("plan", "task");
  const auto first = mint.next("", "Rent level");
  const auto second = mint.next("", "rent  LEVEL");
  EXPECT_NE(first, second);
  EXPECT_NE(first, mint.next("parent", "Rent level"));
  EXPECT_EQ(first, IdMint("plan", "task").next("", " Rent level "));
}

TEST(BuiltinCommon, RefIndexFindsOnlyWhatIsClear) {
  const auto objects =
      parsed(R"([{"ref":"L1","name":"Rent"},{"ref":"L2","name":"Range"},{"ref":"l2","name":"RANGE"},{"name":5}])");
  const RefIndex index(objects.as_array(), "ref", "name");
  EXPECT_EQ(index.find("L1"), 0U);
  EXPECT_EQ(index.find("l1"), 0U);
  EXPECT_EQ(index.find(" rent "), 0U);
  EXPECT_EQ(index.find("L2"), 1U) << "exact before case-insensitive";
  EXPECT_EQ(index.find("l2"), 2U);
  EXPECT_EQ(index.find("range"), std::nullopt) << "two objects are meant";
  EXPECT_EQ(index.find("L9"), std::nullopt);
  EXPECT_EQ(index.find(""), std::nullopt);
}

TEST(BuiltinCommon, AbsentStepsAndReadsAreEmpty) {
  const auto in = input("x");
  EXPECT_EQ(step_answer(in), nullptr);
  EXPECT_TRUE(step_items(in).empty());
  EXPECT_TRUE(read(in, "a.b").is_null());
  EXPECT_EQ(text(json::value(3), "a"), "");
}

// --- gate, critics, purpose, type

TEST(RedlineGate, AllowedRequestsCarryNoViolation) {
  auto in = input("redline_gate");
  auto answer = example("redline_gate");
  answer.as_object()["violation_category"] = "Other";
  answer.as_object()["violation_severity"] = "Low";
  set_answer(in, answer);
  const auto result = run("redline_gate", in).value();
  const auto& raw = result.outputs.at("raw");
  EXPECT_TRUE(find(raw, "violation_category")->is_null());
  EXPECT_EQ(get_bool(raw, "violation_capability_uplift"), false);
  EXPECT_TRUE(list(result.view, "rows").empty());
}

TEST(RedlineGate, RefusalShowsWhatIsKnown) {
  auto in = input("redline_gate");
  set_answer(in, parsed(R"({"rationale_short":"r","violation_category":"Weapons","violation_claim":null,
      "violation_capability_uplift":true,"violation_severity":"High","verdict":"REFUSE"})"));
  const auto result = run("redline_gate", in).value();
  EXPECT_EQ(list(result.view, "rows").size(), 3U);
  EXPECT_EQ(text(result.outputs.at("raw"), "violation_category"), "Weapons");
}

TEST(RedlineGate, WithoutAnswerItIsAnError) {
  EXPECT_EQ(run("redline_gate", input("redline_gate")).error().code, ErrorCode::Internal);
}

json::array lenses() {
  return parsed(R"([{"name":"Integrity","tagline":"t","prefix":true,"reasons":[3,5],"effects":[3,3],"evidence":[0,3]},
                    {"name":"Cascade","tagline":"t","prefix":false,"reasons":[3,5],"effects":[3,6],"evidence":[0,3]}])")
      .as_array();
}

TEST(PremiseAttack, KeepsPositionsOfMissingCritics) {
  auto in = input("premise_attack");
  const auto answers = example("premise_attack").as_array();
  set_items(in, {nullptr, answers[3]}, lenses());
  const auto result = run("premise_attack", in).value();
  EXPECT_TRUE(result.degraded);
  const auto& responses = list(result.outputs.at("raw"), "response_list");
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(text(responses[0], "lens"), "Cascade");
  EXPECT_EQ(get_int(responses[0], "number"), 2);
  ASSERT_EQ(list(result.view, "lenses").size(), 2U);
  EXPECT_NE(text(list(result.view, "lenses")[0], "gap"), "");
  EXPECT_FALSE(has_finding(result, "count")) << rules_of(result);
}

TEST(PremiseAttack, CountsAndPrefixAreChecked) {
  auto in = input("premise_attack");
  auto answer = example("premise_attack").as_array()[0];
  answer.as_object()["core_thesis"] = "No prefix here.";
  answer.as_object()["second_order_effects"] = json::array{"one"};
  set_items(in, {answer}, lenses());
  const auto result = run("premise_attack", in).value();
  EXPECT_TRUE(has_finding(result, "count"));
  EXPECT_TRUE(has_finding(result, "prefix"));
}

TEST(PremiseAttack, NobodyAnsweredIsAFailure) {
  auto in = input("premise_attack");
  set_items(in, {nullptr, nullptr}, lenses());
  EXPECT_EQ(run("premise_attack", in).error().code, ErrorCode::TaskFailed);
}

TEST(IdentifyPurpose, KeepsOnlyLimitsThatTheClientStated) {
  auto in = input("identify_purpose");
  auto answer = example("identify_purpose");
  answer.as_object()["stated_limits"].as_array().push_back(
      parsed(R"({"kind":"must_not","quote":"no credit","value":null})"));
  answer.as_object()["stated_limits"].as_array().push_back(parsed(R"({"kind":"budget","quote":"","value":null})"));
  set_answer(in, answer);
  const auto result = run("identify_purpose", in).value();
  EXPECT_EQ(list(result.outputs.at("raw"), "stated_limits").size(), 3U);
  EXPECT_EQ(result.findings.size(), 2U);
}

TEST(IdentifyPurpose, QuotesMayDifferInWhiteSpaceOnly) {
  auto in = input("identify_purpose");
  set_answer(
      in,
      parsed(
          R"({"stated_limits":[{"kind":"budget","quote":"80 000\n EUR","value":null},{"kind":"budget","quote":"80.000 EUR","value":null}]})"));
  EXPECT_EQ(list(run("identify_purpose", in).value().outputs.at("raw"), "stated_limits").size(), 1U);
}

TEST(PlanType, TheInterviewSettlesIt) {
  auto in = input("plan_type");
  EXPECT_EQ(get_bool(run("plan_type_origin", in).value().answer, "settled"), false);
  in.plan["intake"] = parsed(R"({"geography":{"is_digital_only":true}})");
  EXPECT_EQ(get_bool(run("plan_type_origin", in).value().answer, "settled"), true);
  const auto result = run("plan_type", in).value();
  EXPECT_EQ(text(result.outputs.at("raw"), "plan_type"), "digital");
  EXPECT_EQ(result.skipped_reason, "from_intake");
}

TEST(PlanType, OtherwiseTheAnswerStands) {
  auto in = input("plan_type");
  in.plan["intake"] = parsed(R"({"geography":"somewhere"})");
  set_answer(in, example("plan_type"));
  const auto result = run("plan_type", in).value();
  EXPECT_EQ(text(result.outputs.at("raw"), "plan_type"), "physical");
  EXPECT_EQ(result.skipped_reason, "");
}

// --- levers

TEST(PotentialLevers, ExampleGivesFifteenWithShortIds) {
  const auto levers = example_levers();
  ASSERT_EQ(levers.size(), 15U);
  EXPECT_EQ(text(levers[14], "ref"), "L15");
  std::set<std::string> ids;
  for (const auto& lever : levers) ids.insert(text(lever, "lever_id"));
  EXPECT_EQ(ids.size(), 15U);
  EXPECT_NE(text(levers[0], "review"), "");
}

TEST(PotentialLevers, RepeatedNamesAndSurplusAreLeftOut) {
  auto in = input("potential_levers");
  auto rounds = example("potential_levers").as_array();
  rounds[1].as_object()["levers"].as_array()[0].as_object()["name"] = " RENT level and  street";
  rounds[2].as_object()["levers"].as_array().push_back(rounds[0].at("levers").as_array()[0]);
  set_items(in, rounds);
  const auto result = run("potential_levers", in).value();
  EXPECT_EQ(result.outputs.at("clean").as_array().size(), 14U);
  EXPECT_EQ(text(result.outputs.at("clean").as_array()[13], "ref"), "L14") << "no gap in the numbers";
  EXPECT_TRUE(has_finding(result, "duplicate"));
  EXPECT_EQ(list(result.outputs.at("raw"), "responses").size(), 3U);
}

TEST(PotentialLevers, AMissingRoundDegrades) {
  auto in = input("potential_levers");
  auto rounds = example("potential_levers").as_array();
  rounds[1] = nullptr;
  set_items(in, rounds);
  const auto result = run("potential_levers", in).value();
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(result.outputs.at("clean").as_array().size(), 10U);
  set_items(in, {nullptr});
  EXPECT_EQ(run("potential_levers", in).error().code, ErrorCode::TaskFailed);
}

TEST(PotentialLevers, TemplateNamesAreReportedInAnyLanguage) {
  auto in = input("potential_levers");
  auto round = example("potential_levers").as_array()[0];
  for (auto& lever : round.as_object()["levers"].as_array())
    lever.as_object()["name"] = text(lever, "name") + " стратегия";
  set_items(in, {round});
  EXPECT_TRUE(has_finding(run("potential_levers", in).value(), "template"));
  set_items(in, {example("potential_levers").as_array()[0]});
  EXPECT_FALSE(has_finding(run("potential_levers", in).value(), "template"));
}

TEST(DeduplicateLevers, ExampleKeepsElevenInOrder) {
  const auto kept = example_kept();
  EXPECT_EQ(refs(kept), "L1 L2 L3 L4 L5 L6 L7 L8 L9 L10 L13");
  EXPECT_EQ(text(list(kept[0], "absorbed")[0], "ref"), "L11");
  EXPECT_NE(text(kept[0], "deduplication_justification"), "");
}

BuiltinInput judged(std::size_t levers, const json::array& decisions) {
  auto in = input("deduplicate_levers");
  json::array all;
  for (std::size_t i = 1; i <= levers; ++i)
    all.push_back(json::object{{"ref", "L" + std::to_string(i)},
                               {"lever_id", "id" + std::to_string(i)},
                               {"name", "Name " + std::to_string(i)}});
  in.reads["potential_levers.clean"] = all;
  set_answer(in, json::object{{"decisions", decisions}}, "judge");
  return in;
}

json::object decision(std::string_view id, std::string_view verdict, json::value by = nullptr) {
  return {{"lever_id", id}, {"justification", "j"}, {"classification", verdict}, {"absorbed_by", std::move(by)}};
}

TEST(DeduplicateLevers, CirclesKeepTheirFirstLever) {
  const auto in =
      judged(6, {decision("L1", "absorb", "L2"), decision("L2", "absorb", "L3"), decision("L3", "absorb", "L1")});
  const auto raw = run("deduplicate_levers", in).value().outputs.at("raw");
  EXPECT_EQ(refs(list(raw, "deduplicated_levers")), "L1 L4 L5 L6");
  EXPECT_EQ(list(list(raw, "deduplicated_levers")[0], "absorbed").size(), 2U) << "the chain ends at L1";
}

TEST(DeduplicateLevers, UnknownOwnAndRemovedTargetsKeepTheLever) {
  const auto in =
      judged(6, {decision("L1", "absorb", "L9"), decision("L2", "absorb", "L2"), decision("L3", "absorb", "L4"),
                 decision("L4", "remove"), decision("L77", "remove"), decision("L5", "absorb")});
  const auto result = run("deduplicate_levers", in).value();
  EXPECT_EQ(refs(list(result.outputs.at("raw"), "deduplicated_levers")), "L1 L2 L3 L5 L6");
  EXPECT_TRUE(has_finding(result, "absorbed_by"));
  EXPECT_TRUE(has_finding(result, "no_decision"));
}

TEST(DeduplicateLevers, NeverEndsEmpty) {
  const auto in = judged(3, {decision("L1", "remove"), decision("L2", "remove"), decision("L3", "remove")});
  const auto result = run("deduplicate_levers", in).value();
  EXPECT_EQ(list(result.outputs.at("raw"), "deduplicated_levers").size(), 3U);
  EXPECT_TRUE(has_finding(result, "removed_all"));
}

TEST(DeduplicateLevers, TooFewAsksAgainAndTheSecondJudgementCounts) {
  auto in = judged(6, {decision("L1", "keep"), decision("L2", "absorb", "L1"), decision("L3", "absorb", "L1")});
  const auto count = run("deduplicate_levers_kept", in).value().answer;
  EXPECT_EQ(get_int(count, "kept"), 4);
  EXPECT_EQ(get_bool(count, "too_few"), true);
  set_answer(in, json::object{{"decisions", json::array{decision("L2", "absorb", "L1")}}}, "again");
  EXPECT_EQ(list(run("deduplicate_levers", in).value().outputs.at("raw"), "deduplicated_levers").size(), 5U);
  EXPECT_EQ(get_bool(run("deduplicate_levers_kept", judged(3, {})).value().answer, "too_few"), false)
      << "three of three is all there is";
}

RC_GTEST_PROP(DeduplicateLeversProperty, EveryLeverIsKeptAbsorbedOrRemoved, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 9);
  json::array decisions;
  for (std::size_t i = 1; i <= count; ++i) {
    const auto verdict = *rc::gen::element<std::string>("keep", "absorb", "remove");
    const auto target = "L" + std::to_string(*rc::gen::inRange<std::size_t>(0, count + 2));
    decisions.push_back(decision("L" + std::to_string(i), verdict, json::value(target)));
  }
  const auto raw = run("deduplicate_levers", judged(count, decisions)).value().outputs.at("raw");
  const auto& kept = list(raw, "deduplicated_levers");
  RC_ASSERT(!kept.empty());
  std::set<std::string> seen;
  std::size_t last = 0;
  for (const auto& lever : kept) {
    RC_ASSERT(seen.insert(text(lever, "ref")).second);
    const auto number = std::stoul(text(lever, "ref").substr(1));
    RC_ASSERT(number > last);
    last = number;
    for (const auto& absorbed : list(lever, "absorbed")) RC_ASSERT(seen.insert(text(absorbed, "ref")).second);
  }
  std::size_t removed = 0;
  for (const auto& entry : decisions) removed += text(entry, "classification") == "remove" ? 1U : 0U;
  RC_ASSERT(seen.size() + removed == count || (removed == count && seen.size() == count));
}

TEST(EnrichLevers, ForgottenLeversStayAsIncomplete) {
  auto in = input("enrich_levers");
  in.reads["deduplicate_levers.raw.deduplicated_levers"] = example_kept();
  auto answers = example("enrich_levers").as_array();
  answers[2] = nullptr;
  answers[0].as_object()["characterizations"].as_array().push_back(parsed(R"({"lever_id":"L99","description":"d"})"));
  set_items(in, answers);
  const auto result = run("enrich_levers", in).value();
  const auto& levers = list(result.outputs.at("raw"), "characterized_levers");
  ASSERT_EQ(levers.size(), 11U);
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(get_bool(levers[10], "incomplete"), true);
  EXPECT_TRUE(find(levers[10], "description")->is_null());
}

TEST(EnrichLevers, ExampleNamesOtherLeversEverywhere) {
  auto in = input("enrich_levers");
  in.reads["deduplicate_levers.raw.deduplicated_levers"] = example_kept();
  auto answers = example("enrich_levers").as_array();
  set_items(in, answers);
  auto result = run("enrich_levers", in).value();
  EXPECT_TRUE(result.findings.empty()) << rules_of(result);
  auto& first = answers[0].as_object()["characterizations"].as_array()[0].as_object();
  first["conflict_text"] = first["synergy_text"];
  first["synergy_text"] = "Helps everything that is good.";
  set_items(in, answers);
  EXPECT_TRUE(has_finding(run("enrich_levers", in).value(), "names_no_lever"));
  first["synergy_text"] = first["conflict_text"];
  set_items(in, answers);
  EXPECT_TRUE(has_finding(run("enrich_levers", in).value(), "copied"));
}

TEST(FocusLevers, ExamplePicksFiveByClassThenRanking) {
  const auto raw = example_focus();
  EXPECT_EQ(refs(list(raw, "levers")), "L1 L9 L2 L4 L8");
  EXPECT_EQ(find(list(raw, "levers")[0], "deduplication_justification"), nullptr);
  EXPECT_EQ(list(*find(raw, "response"), "lever_assessments").size(), 11U);
}

TEST(FocusLevers, UnknownAndRepeatedIdsTakeNoPlace) {
  auto in = input("focus_on_vital_few_levers");
  in.reads["enrich_levers.raw.characterized_levers"] = example_enriched();
  set_answer(in, parsed(R"({"lever_assessments":[
      {"lever_id":"L77","lever_name":"x","justification":"j","strategic_importance":"Critical"},
      {"lever_id":"L3","lever_name":"","justification":"j","strategic_importance":"Critical"},
      {"lever_id":"L3","lever_name":"","justification":"j","strategic_importance":"Critical"},
      {"lever_id":"?","lever_name":"Price posture","justification":"j","strategic_importance":"High"}],
      "ranking":["L10","L13",7],"summary":"s"})"),
             "rate");
  const auto result = run("focus_on_vital_few_levers", in).value();
  EXPECT_EQ(refs(list(result.outputs.at("raw"), "levers")), "L3 L7 L10 L13 L1");
  EXPECT_TRUE(has_finding(result, "unknown_id"));
  EXPECT_TRUE(has_finding(result, "unrated"));
}

TEST(FocusLevers, OneClassForAllIsNoticed) {
  auto in = input("focus_on_vital_few_levers");
  auto answer = example("focus_on_vital_few_levers", "rate.example.json");
  set_answer(in, answer, "rate");
  EXPECT_EQ(get_bool(run("focus_levers_spread", in).value().answer, "flat"), false);
  for (auto& entry : answer.as_object()["lever_assessments"].as_array())
    entry.as_object()["strategic_importance"] = "High";
  set_answer(in, answer, "rate");
  const auto spread = run("focus_levers_spread", in).value().answer;
  EXPECT_EQ(get_bool(spread, "flat"), true);
  EXPECT_EQ(text(spread, "only_class"), "High");
}

TEST(StrategicDecisions, SplitsAndNumbersOn) {
  auto in = input("strategic_decisions_markdown");
  in.reads["enrich_levers.raw.characterized_levers"] = example_enriched();
  in.reads["focus_on_vital_few_levers.raw"] = example_focus();
  const auto view = run("strategic_decisions", in).value().view;
  ASSERT_EQ(list(view, "primary").size(), 5U);
  ASSERT_EQ(list(view, "secondary").size(), 6U);
  EXPECT_EQ(get_int(list(view, "secondary")[0], "number"), 6);
  EXPECT_EQ(text(list(view, "primary")[0], "importance"), "Critical");
  in.reads["focus_on_vital_few_levers.raw"] = nullptr;
  EXPECT_EQ(list(run("strategic_decisions", in).value().view, "secondary").size(), 11U);
}

}  // namespace
}  // namespace planexe::plan
