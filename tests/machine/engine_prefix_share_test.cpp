#include <gtest/gtest.h>

#include "base/file.hpp"
#include "engine/example_plan.hpp"
#include "llm/prefix_share.hpp"
#include "recipe/recipe.hpp"

namespace planexe {
namespace {

llm::CallSpec call(const std::string& group, const std::string& shared, const std::string& own) {
  llm::CallSpec spec;
  spec.cache_group = group;
  spec.messages = {{llm::Message::Role::developer, {shared}}, {llm::Message::Role::user, {own}}};
  return spec;
}

TEST(PrefixShare, OnlyLongPrefixesOfTheSameGroupCount) {
  const std::string document(7000, 'a');
  const auto first = call("g", document, "one");
  const auto second = call("g", document, "two");
  const auto other = call("h", document, "one");
  const auto brief = call("i", "short", "one");
  const auto brief_again = call("i", "short", "two");
  const auto shares = llm::prefix_shares({&first, &second, &other, &brief, &brief_again});
  EXPECT_EQ(shares.at("g").cached_tokens, 1920);  // 7000 characters are 2000 tokens, of which 15 steps of 128 are kept
  EXPECT_EQ(shares.at("h").cached_tokens, 0);
  EXPECT_EQ(shares.at("i").cached_tokens, 0);
  EXPECT_GT(shares.at("g").smallest_common, 0.99);
}

TEST(PrefixShare, TheCallsOfAFanOutShareMostOfTheirInput) {
  constexpr double kLeast = 0.8;
  // Each of its calls shortens another document, and a document is nearly all that such a call reads.
  const std::string own_input_each = "consolidate_assumptions_markdown/shorten";
  const auto recipe = recipe::load_recipe(*recipe::read_recipe_folder(std::string(PLANEXE_SOURCE_DIR) + "/recipe"));
  ASSERT_TRUE(recipe);
  const auto run = engine::run_example(*recipe, {});
  std::vector<const llm::CallSpec*> calls;
  for (const auto& unit : run.order) calls.push_back(&run.calls.at(unit));
  for (const auto& [group, share] : llm::prefix_shares(calls)) {
    if (share.calls < 2 || group.ends_with(own_input_each)) continue;
    EXPECT_GE(share.smallest_common, kLeast) << group << ": " << share.calls << " calls";
  }
}

TEST(ExampleRun, TheSimulatedClockEndsWithTheLongestChain) {
  const auto recipe = recipe::load_recipe(*recipe::read_recipe_folder(std::string(PLANEXE_SOURCE_DIR) + "/recipe"));
  engine::ExampleOptions options;
  options.latency = [](const llm::CallSpec&) { return std::chrono::milliseconds(1000); };
  const auto run = engine::run_example(*recipe, options);
  EXPECT_EQ(run.status, "completed") << run.error;
  EXPECT_GE(run.elapsed, std::chrono::seconds(20));
  EXPECT_LE(run.elapsed, std::chrono::seconds(28));  // the rounds that lint promises, with the gate
  EXPECT_GT(run.most_in_flight, 5U);
}

}  // namespace
}  // namespace planexe
