#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/prompt.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

using testing::operator""_json;
using ::testing::ElementsAre;
using testing::small_recipe;
using testing::Values;

Step mapped(MapSpec map) {
  Step step;
  step.name = "review";
  map.over = *parse_path("list");
  map.as = "one";
  step.map = std::move(map);
  return step;
}

std::vector<std::string> keys(const std::vector<Unit>& units) {
  std::vector<std::string> out;
  for (const Unit& unit : units) out.push_back(unit.key + (unit.skipped ? "!" : ""));
  return out;
}

std::vector<Unit> expand(const Step& step, Speed speed, json::value list) {
  const Values values(json::object{{"list", std::move(list)}});
  auto units = expand_units(step, speed, values.scope());
  EXPECT_TRUE(units.has_value());
  return units ? *units : std::vector<Unit>();
}

TEST(Units, OneQuestionIsOneUnit) {
  const Recipe recipe = small_recipe();
  const Scope nothing;
  EXPECT_THAT(keys(*expand_units(recipe.task("gate")->steps[0], Speed::all, nothing)), ElementsAre("main"));
  EXPECT_THAT(keys(*expand_units(recipe.task("ideas")->steps[0], Speed::all, nothing)),
              ElementsAre("main/1", "main/2", "main/3"));
  EXPECT_THAT(keys(*expand_units(recipe.task("ideas")->steps[0], Speed::fast, nothing)),
              ElementsAre("main/1", "main/2"));
}

TEST(Units, ElementsAreNamedByTheirKey) {
  MapSpec map;
  map.key = "ref";
  const auto units = expand(mapped(map), Speed::all,
                            R"([{"ref": "E1"}, {"ref": "a b/ü"}, {"ref": 7}, {"ref": null}, {}, {"ref": ".."}])"_json);
  EXPECT_THAT(keys(units), ElementsAre("review/E1", "review/a-b", "review/7", "review/4", "review/5", "review/6"));
  EXPECT_EQ(units[1].element.at("ref"), "a b/ü");
  EXPECT_EQ(units[2].number, 3);
  EXPECT_EQ(units[2].position, 2);
}

TEST(Units, EqualKeysGetNumbers) {
  MapSpec map;
  map.key = "ref";
  EXPECT_THAT(keys(expand(mapped(map), Speed::all, R"([{"ref": "x"}, {"ref": "x"}, {"ref": "x-2"}])"_json)),
              ElementsAre("review/x", "review/x-2", "review/x-2-2"));
}

TEST(Units, KeysAreShort) {
  MapSpec map;
  map.key = "ref";
  const json::value list =
      json::array{json::object{{"ref", std::string(200, 'x')}}, json::object{{"ref", std::string(200, 'x')}}};
  for (const Unit& unit : expand(mapped(map), Speed::all, list))
    EXPECT_LE(unit.key.size(), std::string("review/").size() + 64);
}

TEST(Units, TheSpeedLeavesElementsOutAsSkipped) {
  MapSpec map;
  map.limit.fast = 2;
  const auto units = expand(mapped(map), Speed::fast, R"(["a", "b", "c"])"_json);
  EXPECT_THAT(keys(units), ElementsAre("review/1", "review/2", "review/3!"));
  EXPECT_EQ(units[2].skip_reason, "speed:fast");
  EXPECT_THAT(keys(expand(mapped(map), Speed::all, R"(["a", "b", "c"])"_json)),
              ElementsAre("review/1", "review/2", "review/3"));
}

TEST(Units, ALimitMayNameKeys) {
  MapSpec map;
  map.key = "n";
  map.limit_keys.balanced = {"1", "3"};
  const auto units = expand(mapped(map), Speed::balanced, R"([{"n": 1}, {"n": 2}, {"n": 3}])"_json);
  EXPECT_THAT(keys(units), ElementsAre("review/1", "review/3", "review/2!"));
}

TEST(Units, BatchesKeepNeighboursTogether) {
  MapSpec map;
  map.batch = {3, 2, 2};
  const auto units = expand(mapped(map), Speed::all, R"([1, 2, 3, 4, 5, 6, 7])"_json);
  EXPECT_THAT(keys(units), ElementsAre("review/1", "review/2", "review/3"));
  EXPECT_EQ(units[0].element, R"([1, 2, 3])"_json);
  EXPECT_EQ(units[2].element, R"([7])"_json);
}

TEST(Units, CallsSpreadTheElementsEvenly) {
  MapSpec map;
  map.calls.fast = 2;
  const auto units = expand(mapped(map), Speed::fast, R"([1, 2, 3, 4, 5])"_json);
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(units[0].element, R"([1, 2, 3])"_json);
  EXPECT_EQ(units[1].element, R"([4, 5])"_json);
  EXPECT_EQ(expand(mapped(map), Speed::fast, R"([1])"_json).size(), 1U);
  // At the other speeds the element is a list too: a prompt has one shape.
  EXPECT_EQ(expand(mapped(map), Speed::all, R"([1, 2])"_json)[1].element, R"([2])"_json);
}

TEST(Units, LiteralItems) {
  MapSpec map;
  map.items = R"([{"name": "A"}, {"name": "B"}])"_json.as_array();
  map.key = "name";
  Step step = mapped(map);
  step.map->over.reset();
  const Scope nothing;
  EXPECT_THAT(keys(*expand_units(step, Speed::all, nothing)), ElementsAre("review/A", "review/B"));
}

TEST(Units, NothingToMapIsNoUnit) {
  EXPECT_TRUE(expand(mapped({}), Speed::all, json::array()).empty());
  Step step = mapped({});
  const Values values(json::object{{"list", nullptr}});
  EXPECT_FALSE(expand_units(step, Speed::all, values.scope()).has_value());
  step.map->over = *parse_path("list?");
  EXPECT_TRUE(expand_units(step, Speed::all, values.scope())->empty());
}

TEST(Units, ThereIsALimit) {
  json::array many(1001, json::value(1));
  const Values values(json::object{{"list", std::move(many)}});
  const auto units = expand_units(mapped({}), Speed::all, values.scope());
  ASSERT_FALSE(units.has_value());
  EXPECT_EQ(units.error().code, ErrorCode::LimitExceeded);
}

TEST(Units, TheUnitValueCountsWhatIsRun) {
  MapSpec map;
  map.limit.fast = 2;
  const auto units = expand(mapped(map), Speed::fast, R"(["a", "b", "c"])"_json);
  EXPECT_EQ(json::value(unit_value(units[1], units)), R"({"number": 2, "total": 2, "key": "2"})"_json);
}

TEST(PlannedCalls, FollowSettingsAndMedians) {
  const Recipe recipe = small_recipe();
  EXPECT_EQ(planned_calls(*recipe.task("gate"), Speed::all), 1);
  EXPECT_EQ(planned_calls(*recipe.task("ideas"), Speed::all), 3);
  EXPECT_EQ(planned_calls(*recipe.task("ideas"), Speed::fast), 2);
  EXPECT_EQ(planned_calls(*recipe.task("summary"), Speed::all), 0);
  Task task;
  MapSpec map;
  map.limit = {0, 4, 2};
  task.steps.push_back(mapped(map));
  task.steps[0].map->over = *parse_path("panel.answer.experts");
  EXPECT_EQ(planned_calls(task, Speed::all), 8);
  EXPECT_EQ(planned_calls(task, Speed::balanced), 4);
  EXPECT_EQ(planned_calls(task, Speed::fast), 2);
  task.steps[0].map->over = *parse_path("something.else");
  task.steps[0].example = json::array{1, 2, 3};
  EXPECT_EQ(planned_calls(task, Speed::all), 3);
}

}  // namespace
}  // namespace planexe::recipe
