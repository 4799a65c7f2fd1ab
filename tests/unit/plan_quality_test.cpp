#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/limit_words.hpp"
#include "plan/money.hpp"
#include "plan/quality.hpp"
#include "plan/quality_parts.hpp"
#include "plan/sentences.hpp"
#include "plan_schedule_support.hpp"

namespace planexe::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(PlanSentences, EndsAreNotPoints) {
  EXPECT_THAT(sentences_of("It costs 2.5 EUR. Pay e.g. Mr. Li now! 3. Done?\nLine two"),
              ElementsAre("It costs 2.5 EUR.", "Pay e.g. Mr.", "Li now!", "3. Done?", "Line two"));
  EXPECT_THAT(sentences_of("第一句。第二句。"), ElementsAre("第一句。", "第二句。"));
}

TEST(PlanSentences, FiguresHaveOneForm) {
  const auto values = [](std::string_view text) {
    std::vector<std::string> list;
    for (const Figure& figure : figures_of(text))
      if (figure.quantity) list.push_back(figure.value);
    return list;
  };
  EXPECT_THAT(values("80 000 EUR, 80,000 EUR, EUR 80000"), ElementsAre("80000", "80000", "80000"));
  EXPECT_THAT(values("2.5 km and 2,5 km"), ElementsAre("2.5", "2.5"));
  EXPECT_THAT(values("step 3"), IsEmpty());
}

TEST(PlanSentences, TermsComeFromThePrompt) {
  const PlanTerms terms("Open a bicycle repair shop in Lyon", {});
  EXPECT_TRUE(terms.specific("The bicycle stands there."));
  EXPECT_TRUE(terms.specific("We go to Lyon."));
  EXPECT_TRUE(terms.specific("It takes 3 days."));
  EXPECT_FALSE(terms.specific("Stakeholders must be engaged early."));
}

TEST(PlanMoney, ReadsSumsWithTheirCurrency) {
  const auto first = [](std::string_view text) {
    const auto sum = money_of(text);
    return sum ? fmt::format("{} {}", sum->amount, sum->currency) : std::string();
  };
  EXPECT_EQ(first("80 000 EUR"), "80000 EUR");
  EXPECT_EQ(first("EUR 80,000.50"), "80000.5 EUR");
  EXPECT_EQ(first("DKK 120M"), "120000000 DKK");
  EXPECT_EQ(first("€1.5 million"), "1500000 EUR");
  EXPECT_EQ(first("40000000 USD"), "40000000 USD");
  EXPECT_EQ(first("24 months"), "");
}

bool is_use(std::string_view sentence, const std::vector<std::string>& words = {"blockchain", "DAO", "AR", "VR"}) {
  for (const BannedHit& hit : banned_hits(sentence, words, {}))
    if (!hit.mention) return true;
  return false;
}

TEST(PlanLimitWords, TellsUseFromMention) {
  EXPECT_FALSE(is_use("The plan avoids technologies such as AR/VR and blockchain."));
  EXPECT_FALSE(is_use("Banning specific technologies (blockchain/DAO) may restrict solutions."));
  EXPECT_FALSE(is_use("VR is not used."));
  EXPECT_FALSE(is_use("Nothing of the kind."));
  EXPECT_TRUE(is_use("Integrate blockchain/DAO technologies into the platform."));
  EXPECT_TRUE(is_use("VR Headset for testing (optional)."));
  EXPECT_TRUE(
      is_use("Incorporate augmented reality (AR) elements to enhance the experience, while adhering to the 'no AR' "
             "constraint."));
}

TEST(PlanLimitWords, ShortCapitalsMatchOnlyInCapitals) {
  EXPECT_TRUE(is_use("An AI model", {"AI"}));
  EXPECT_FALSE(is_use("Le café, j'ai faim", {"AI"}));
  EXPECT_THAT(banned_words({"AR/VR/NFT", "blockchain, DAO", "vr"}),
              ElementsAre("AR", "VR", "NFT", "blockchain", "DAO"));
}

TEST(PlanQualityParts, IdsAreDefinedWhereTheyBeginSomething) {
  std::set<std::string> ids;
  collect_defined_ids("## R1: Late lease\n- **L3** Turnaround\n| A2 | x |\n#### FM1 - Title\nSee R9 here\n", ids);
  EXPECT_THAT(ids, ElementsAre("A2", "FM1", "L3", "R1"));
}

TEST(PlanQualityParts, OpenersAndClasses) {
  std::string bullets;
  std::string classes;
  for (int i = 0; i < 8; ++i) {
    bullets += fmt::format("- **Owner:** Ensure that all {} parties agree on it\n", i);
    classes += "**Severity:** High\n\n**Template:** None\n\n**Story** (invented):\n\n";
  }
  EXPECT_EQ(repeated_opener_percent(bullets), 100);
  const auto shares = one_sided_classes(classes);
  ASSERT_EQ(shares.size(), 1u);
  EXPECT_EQ(shares[0].field, "Severity");
  EXPECT_EQ(shares[0].count, 8);
  EXPECT_THAT(one_sided_classes("| Risk | Level |\n|---|---|\n| a | High |\n| b | Low |\n| c | High |\n| d | Low |\n| "
                                "e | High |\n| f | Low |\n"),
              IsEmpty());
}

TEST(PlanQuality, CountsWhatASectionSays) {
  const Wbs wbs = tree({1});
  const Schedule schedule =
      scheduled(wbs, durations({{"1.1", 1, 5, 9}}), links({}),
                parse_json(R"([{"kind":"horizon","quote":"within 2 weeks","value":"2 weeks"}])").value());
  const json::value limits =
      parse_json(
          R"([{"kind":"horizon","quote":"within 2 weeks","value":"2 weeks"},{"kind":"banned_word","quote":"no VR","value":"VR"},
      {"kind":"place","quote":"Lyon","value":"Lyon"},{"kind":"budget","quote":"80 000 EUR","value":"80000 EUR"},{"kind":"must","quote":"be kind","value":null}])")
          .value();
  const std::vector<QualitySection> sections{
      {"executive-summary", "Summary",
       "The shop in Lyon costs 80 000 EUR. It may earn 123 456 EUR by 2027-05-01. A VR headset helps the customers "
       "wait for their bicycles.",
       true, true},
      {"swot", "SWOT",
       "R1 and R2 matter to the shop in the end.\n\n- R1 Late lease of the shop\n\nA VR headset helps the customers "
       "wait for their bicycles.",
       true, true},
      {"team", "Team", "", false, true},
  };
  const QualityReport report = assess_quality(sections, {"Open a shop in Lyon, budget 80 000 EUR", limits, &schedule});
  const SectionQuality& summary = report.sections[0];
  EXPECT_EQ(summary.sentences, 3);
  EXPECT_EQ(summary.figures, 2);
  EXPECT_EQ(summary.figures_with_basis, 1);
  EXPECT_THAT(summary.dates_outside, ElementsAre("2027-05-01"));
  EXPECT_EQ(summary.banned_uses.size(), 1u);
  EXPECT_EQ(report.sections[1].references, 3);
  EXPECT_THAT(report.sections[1].unresolved, ElementsAre("R2"));
  EXPECT_EQ(report.sections[1].duplicates, 1);
  EXPECT_THAT(report.sections[2].attention, ElementsAre("The section is missing."));
  std::vector<std::string> verdicts;
  for (const LimitQuality& limit : report.limits) verdicts.push_back(limit.verdict);
  EXPECT_THAT(verdicts, ElementsAre("kept", "broken", "kept", "not checked", "not checked"));
  EXPECT_THAT(report.limits[3].detail, HasSubstr("larger"));
}

TEST(PlanQuality, OutputIsEscapedAndWhole) {
  const QualityReport report = assess_quality({{"pitch", "<Pitch>", "Text.", true, true}}, {"p", nullptr, nullptr});
  EXPECT_THAT(quality_html(report), HasSubstr("&lt;Pitch&gt;"));
  EXPECT_EQ(quality_to_json(report).at("sections").as_array().size(), 1u);
}

}  // namespace
}  // namespace planexe::plan
