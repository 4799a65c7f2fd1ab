// What the rehearsal server answers: ids, quotes, schemas, spoiled answers.
#include <gtest/gtest.h>

#include "rehearsal/answers.hpp"
#include "rehearsal/schema_check.hpp"
#include "rehearsal/spoil.hpp"
#include "rehearsal/start.hpp"
#include "recipe/answer.hpp"

namespace planexe::rehearsal {
namespace {

json::value fitted(const char* answer, const char* prompt) {
  auto value = json::parse(answer);
  fit_ids(value, find_ids(prompt));
  return value;
}

TEST(RehearsalAnswers, FindsIdsAndTheLaterBlockCounts) {
  const auto blocks = find_ids("a\n<ids name=\"lever_id\" use=\"once\">\nL1\nL2\n</ids>\nb <ids name=\"task\" use=\"any\">\nT1\n</ids>"
                               "<ids name=\"lever_id\" use=\"once\">\nL2\n</ids>");
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(blocks[0].field, "task");
  EXPECT_FALSE(blocks[0].once);
  EXPECT_EQ(blocks[1].field, "lever_id");
  EXPECT_EQ(blocks[1].ids, std::vector<std::string>{"L2"});
}

TEST(RehearsalAnswers, UnfinishedBlocksAreNoBlocks) {
  EXPECT_TRUE(find_ids("<ids name=\"x\" use=\"once\">\nL1\n").empty());
  EXPECT_TRUE(find_ids("<ids name=\"x").empty());
}

TEST(RehearsalAnswers, OneElementPerIdInTheOrderOfTheRequest) {
  const auto value = fitted(R"({"decisions":[{"lever_id":"L1","text":"one"},{"lever_id":"L9","text":"nine"}]})",
                            "<ids name=\"lever_id\" use=\"once\">\nL3\nL1\nL2\n</ids>");
  const auto& list = value.at("decisions").as_array();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].at("lever_id"), "L3");
  EXPECT_EQ(list[1].at("lever_id"), "L1");
  EXPECT_EQ(list[1].at("text"), "one");
  EXPECT_EQ(list[2].at("lever_id"), "L2");
}

TEST(RehearsalAnswers, ForeignIdsAreReplacedAndListsStayUnique) {
  const auto value = fitted(R"({"owner":"E7","helpers":["E8","E9","E1"],"none":null})",
                            "<ids name=\"owner\" use=\"any\">\nE1\nE2\n</ids><ids name=\"helpers\" use=\"any\">\nE1\nE2\n</ids>");
  EXPECT_TRUE(value.at("owner") == "E1" || value.at("owner") == "E2");
  const auto& helpers = value.at("helpers").as_array();
  EXPECT_LE(helpers.size(), 2U);
  for (const auto& helper : helpers) EXPECT_TRUE(helper == "E1" || helper == "E2");
}

TEST(RehearsalAnswers, NumericIdsStayNumbers) {
  const auto value = fitted(R"({"list":[{"n":4}]})", "<ids name=\"n\" use=\"once\">\n1\n2\n</ids>");
  EXPECT_EQ(value, json::parse(R"({"list":[{"n":1},{"n":2}]})"));
}

TEST(RehearsalAnswers, AnswersFromASchemaAreValidForIt) {
  const char* schemas[] = {
      R"({"type":"object","properties":{"a":{"type":"string","enum":["x","y"]},"b":{"type":"integer","minimum":3,"maximum":5}},"required":["a","b"],"additionalProperties":false})",
      R"({"type":"object","properties":{"l":{"type":"array","minItems":2,"items":{"type":["string","null"]}}},"required":["l"],"additionalProperties":false})",
      R"({"type":"object","properties":{"n":{"type":"number","exclusiveMinimum":0,"maximum":0.5}},"required":["n"],"additionalProperties":false})",
      R"({"type":"object","properties":{"n":{"type":"integer","multipleOf":7,"minimum":10}},"required":["n"],"additionalProperties":false})",
      R"({"type":"object","properties":{"c":{"const":"only"},"u":{"anyOf":[{"type":"null"},{"type":"boolean"}]}},"required":["c","u"],"additionalProperties":false})",
      R"({"$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["next"],"additionalProperties":false}},
          "type":"object","properties":{"root":{"$ref":"#/$defs/node"}},"required":["root"],"additionalProperties":false})",
      R"({"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}},"required":["children"],"additionalProperties":false})"};
  for (const auto* text : schemas) {
    const auto schema = json::parse(text);
    const auto answer = answer_from_schema(schema);
    const auto problems = recipe::validate_schema(schema, answer);
    EXPECT_TRUE(problems.empty()) << text << "\n" << json::serialize(answer) << "\n" << (problems.empty() ? "" : problems[0].message);
    EXPECT_EQ(answer, answer_from_schema(schema));
  }
}

TEST(RehearsalAnswers, EveryStepOfTheRecipeIsAnsweredInItsSchema) {
  const auto recipe = load_answers_recipe("");
  ASSERT_TRUE(recipe.has_value()) << recipe.error().message << recipe.error().detail;
  const AnswerBook book(*recipe);
  int asked = 0, marked = 0;
  for (const auto& task : (*recipe)->tasks) {
    for (const auto& step : task.steps) {
      if (!step.builtin.empty() || task.kind != recipe::TaskKind::llm) continue;
      Request request;
      request.call = task.key + "/" + step.name + "/1";
      request.item = "1";
      request.schema = step.schema;
      request.schema_name = task.key + "__" + step.name;
      request.parts = {"Rules", "The text of the item."};
      request.user_text = "The text of the item.";
      const auto text = book.answer(request);
      ++asked;
      if (text.find("ehearsal") != std::string::npos) ++marked;
      if (step.text_answer) {
        EXPECT_FALSE(text.empty()) << task.key;
        continue;
      }
      const auto value = parse_json(text);
      ASSERT_TRUE(value.has_value()) << task.key;
      EXPECT_TRUE(recipe::validate_schema(step.schema, *value).empty()) << task.key << "/" << step.name;
      auto by_schema_name = request;
      by_schema_name.call.clear();
      EXPECT_EQ(book.answer(by_schema_name), text) << task.key << ": the schema's name alone finds the step too";
    }
  }
  EXPECT_GT(asked, 40);
  EXPECT_GT(marked, asked / 2) << "answers say that they are a rehearsal";
}

TEST(RehearsalAnswers, QuotesThatTheRequestDoesNotHoldAreLeftOut) {
  const auto recipe = load_answers_recipe("");
  ASSERT_TRUE(recipe.has_value());
  const auto* task = (*recipe)->task("identify_purpose");
  ASSERT_NE(task, nullptr);
  const auto& limits = task->step("main")->example.at("stated_limits").as_array();
  ASSERT_GE(limits.size(), 1U);
  const auto quote = std::string(limits[0].at("quote").as_string());
  const AnswerBook book(*recipe);
  const auto kept = [&](const std::string& prompt) {
    Request request;
    request.call = "identify_purpose/main/1";
    request.user_text = "<client_request>\n" + prompt + "\n</client_request>";
    return parse_json(book.answer(request)).value().at("stated_limits").as_array().size();
  };
  EXPECT_EQ(kept("Something else"), 0U);
  EXPECT_EQ(kept("It must be so: " + quote + "."), 1U);
}

TEST(RehearsalAnswers, CopiedElementsSayWhomTheyAreFor) {
  const auto value = fitted(R"({"list":[{"id":"L1","text":"A sentence that is long enough to count as one."}]})",
                            "<ids name=\"id\" use=\"once\">\nL1\nL2\n</ids>");
  const auto& list = value.at("list").as_array();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_NE(list[0].at("text"), list[1].at("text"));
}

TEST(RehearsalAnswers, AnAnswerThatWasSentBackIsNotRepeated) {
  const auto recipe = load_answers_recipe("");
  ASSERT_TRUE(recipe.has_value());
  std::string own = "The bridge is too long.";
  const AnswerBook book(*recipe, [&](const StoredQuestion& question) -> std::optional<json::value> {
    EXPECT_EQ(question.task, "premise_attack");
    EXPECT_EQ(question.key, "Integrity");
    EXPECT_EQ(question.number, 2);
    return json::object{{"core_thesis", own}};
  });
  Request request;
  request.call = "premise_attack/main/Integrity/1";
  request.item = "2";
  const auto answer = [&](const char* attempt) {
    request.attempt = attempt;
    request.continues = request.attempt != "1";
    return book.answer(request);
  };
  EXPECT_TRUE(answer("1").contains(own));
  EXPECT_FALSE(answer("2").contains(own));
  own = "Write to [address] first.";
  EXPECT_TRUE(answer("1").contains(own));
  EXPECT_TRUE(answer("2").contains("Write to address first."));
  EXPECT_FALSE(answer("3").contains("Write to"));
}

TEST(RehearsalAnswers, SpoiledAnswersAreWrongInTheirWay) {
  Request request;
  request.schema = json::parse(R"({"type":"object"})");
  request.user_text = "<ids name=\"id\" use=\"any\">\nL1\nL2\n</ids>";
  const std::string good = R"({"list":[{"id":"L1","days_min":1,"days_max":2},{"id":"L2","days_min":3,"days_max":4}],"n":5})";
  const auto spoiled = [&](const char* kind) { return spoil(kind, good, request); };
  EXPECT_EQ(spoiled("fenced"), "```json\n" + good + "\n```\n");
  EXPECT_TRUE(spoiled("prose_after").starts_with(good));
  EXPECT_EQ(spoiled("two_objects"), good + "\n" + good);
  EXPECT_EQ(spoiled("truncated").size(), good.size() / 2);
  EXPECT_EQ(spoiled("schema_echo"), R"({"type":"object"})");
  EXPECT_EQ(spoiled("empty"), "");
  EXPECT_EQ(json::parse(spoiled("wrong_count")).at("list").as_array().size(), 1U);
  const auto doubled = json::parse(spoiled("duplicates"));
  EXPECT_EQ(doubled.at("list").at(0), doubled.at("list").at(1));
  EXPECT_EQ(json::parse(spoiled("unknown_ids")).at("list").at(0).at("id"), "X999");
  const auto turned = json::parse(spoiled("min_gt_max")).at("list").at(0);
  EXPECT_GT(turned.at("days_min").as_int64(), turned.at("days_max").as_int64());
  EXPECT_FALSE(json::parse(spoiled("missing_key")).as_object().contains("list"));
  EXPECT_TRUE(json::parse(spoiled("surplus_key")).as_object().contains("surplus"));
  EXPECT_NE(spoiled("placeholders").find("[insert"), std::string::npos);
  EXPECT_EQ(json::parse(spoiled("all_equal")).at("n"), 1);
  EXPECT_TRUE(is_spoiling("wrong_type"));
  EXPECT_FALSE(is_spoiling("unheard_of"));
}

TEST(RehearsalAnswers, StrictSubsetIsChecked) {
  const auto violation = [](const char* text) { return strict_violation(json::parse(text)).value_or(""); };
  EXPECT_EQ(violation(R"({"type":"object","properties":{},"required":[],"additionalProperties":false})"), "");
  EXPECT_NE(violation(R"({"type":"array","items":{"type":"string"}})"), "");
  EXPECT_NE(violation(R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"]})").find("additionalProperties"), std::string::npos);
  EXPECT_NE(violation(R"({"type":"object","properties":{"a":{"type":"string"}},"required":[],"additionalProperties":false})").find("Missing 'a'"), std::string::npos);
  EXPECT_NE(violation(R"({"type":"object","properties":{"a":{"type":"string","maxLength":3}},"required":["a"],"additionalProperties":false})").find("'properties', 'a'"),
            std::string::npos);
  EXPECT_NE(violation(R"({"type":"object","properties":{"a":{"oneOf":[]}},"required":["a"],"additionalProperties":false})").find("oneOf"), std::string::npos);
}

}  // namespace
}  // namespace planexe::rehearsal
