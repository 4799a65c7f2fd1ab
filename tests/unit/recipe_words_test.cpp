#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/names.hpp"
#include "recipe/words.hpp"

namespace planexe::recipe {
namespace {

using ::testing::ElementsAre;

TEST(Words, AreCountedInAnyScript) {
  EXPECT_EQ(word_count(""), 0U);
  EXPECT_EQ(word_count("  one\ttwo\nthree  "), 3U);
  EXPECT_EQ(word_count("well-known it's 3.5"), 3U);
  EXPECT_EQ(word_count("one — two"), 2U);
  EXPECT_EQ(word_count("開店計画"), 2U);
  EXPECT_EQ(word_count("東京で open"), 3U);
  EXPECT_EQ(word_count("Über die Straße"), 3U);
  EXPECT_EQ(word_count("\xFF\xFE broken"), 2U);
}

TEST(Words, SetsIgnoreCaseAndPunctuation) {
  EXPECT_THAT(word_set("The shop, the SHOP!"), ElementsAre("shop", "the"));
  EXPECT_THAT(word_set("新店 open"), ElementsAre("open", "店", "新"));
  EXPECT_TRUE(word_set("… — !").empty());
}

TEST(Words, OverlapIsTheJaccardIndex) {
  EXPECT_DOUBLE_EQ(overlap(word_set("a b c"), word_set("b c d")), 0.5);
  EXPECT_DOUBLE_EQ(overlap(word_set(""), word_set("")), 0);
  EXPECT_DOUBLE_EQ(overlap(word_set("a"), word_set("A")), 1);
}

TEST(Words, SpacesOfAllKindsGo) { EXPECT_EQ(without_spaces(" 80\u00A0000\u202FEUR\n"), "80000EUR"); }

TEST(Names, NearestForgivesSlips) {
  const std::vector<std::string> known = {"min_rounds", "rounds", "effort", "title"};
  EXPECT_EQ(nearest_name("min_round", known), "min_rounds");
  EXPECT_EQ(nearest_name("tilte", known), "title");
  EXPECT_EQ(nearest_name("roudns", known), "rounds");
  EXPECT_EQ(nearest_name("something_else", known), "");
  EXPECT_EQ(nearest_name("", known), "");
  EXPECT_EQ(did_you_mean("efort", known), "; did you mean 'effort'?");
}

}  // namespace
}  // namespace planexe::recipe
