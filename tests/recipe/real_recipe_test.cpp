#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/file.hpp"
#include "recipe/answer.hpp"
#include "recipe/cases.hpp"
#include "recipe/docs.hpp"
#include "recipe/lint.hpp"
#include "recipe/prompt.hpp"
#include "recipe/references.hpp"

namespace planexe::recipe {
namespace {

/// The recipe of this repository.
class RealRecipe : public ::testing::Test {
 protected:
  static const Inspection& inspection() {
    static const Inspection inspected =
        inspect_recipe(*read_recipe_folder(std::string(PLANEXE_SOURCE_DIR) + "/recipe"));
    return inspected;
  }
  static const Recipe& recipe() { return inspection().recipe; }
};

TEST_F(RealRecipe, EveryCasePasses) {
  for (const Task& task : recipe().tasks)
    for (const CaseResult& result : run_cases(recipe(), task.key))
      EXPECT_TRUE(result.passed) << task.key << "/cases/" << result.name << ": " << result.message;
}

TEST_F(RealRecipe, EveryTaskHasItsDocumentationPage) {
  EXPECT_EQ(docs_pages(recipe()).size(), recipe().tasks.size() + 1);
}

TEST_F(RealRecipe, SchemasAreStrict) {
  for (const Task& task : recipe().tasks)
    for (const Step& step : task.steps)
      if (!step.schema.is_null())
        for (const AnswerProblem& problem : check_strict_subset(step.schema))
          ADD_FAILURE() << task.key << "/" << step.name << " " << problem.pointer << ": " << problem.message;
}

TEST_F(RealRecipe, NoQuestionCanSeeAnotherPlansIds) {
  // Volatile parts of stored answers would change the key that decides reuse.
  for (const Task& task : recipe().tasks)
    for (const Step& step : task.steps)
      for (const Reference& reference : step_references(recipe(), task, step))
        for (const Path::Step& part : reference.path.steps)
          EXPECT_FALSE(part.name == "metadata" || part.name == "system_prompt" || part.name == "user_prompt")
              << task.key << ": " << reference.path.text;
}

TEST_F(RealRecipe, LintFindsNoError) {
  for (const LintMessage& problem : inspection().problems)
    if (problem.is_error) ADD_FAILURE() << problem.place << ": " << problem.message;
  for (const LintMessage& problem : lint(recipe(), {}))
    if (problem.is_error) ADD_FAILURE() << problem.place << ": " << problem.message;
}

TEST_F(RealRecipe, OptionalTasksAreThoseThatNothingElseNeeds) {
  const std::set<std::string> expected = {"premise_attack",
                                          "governance_phase1_audit",
                                          "governance_phase2_bodies",
                                          "governance_phase3_impl_plan",
                                          "governance_phase4_decision_escalation_matrix",
                                          "governance_phase5_monitoring_progress",
                                          "governance_phase6_extra",
                                          "consolidate_governance",
                                          "identify_documents",
                                          "filter_documents_to_find",
                                          "filter_documents_to_create",
                                          "draft_documents_to_find",
                                          "draft_documents_to_create",
                                          "markdown_with_documents_to_create_and_find",
                                          "executive_summary",
                                          "questions_and_answers",
                                          "premortem"};
  std::set<std::string> found;
  for (const Task& task : recipe().tasks)
    if (!task.required) found.insert(task.key);
  EXPECT_EQ(found, expected);
}

TEST_F(RealRecipe, TheLongestChainMeetsItsTarget) {
  const GraphFacts all = graph_facts(recipe(), Speed::all);
  EXPECT_LE(all.longest_by_rounds.rounds, 27);
  EXPECT_LE(all.rounds_with_gate, 28);
  EXPECT_EQ(all.calls_serial, 150);
  EXPECT_EQ(graph_facts(recipe(), Speed::fast).calls_serial, 65);
}

TEST_F(RealRecipe, HasAllTasks) {
  EXPECT_EQ(recipe().tasks.size(), 61U);
  const GraphFacts facts = graph_facts(recipe(), Speed::all);
  EXPECT_EQ(facts.llm_tasks, 49U);
}

}  // namespace
}  // namespace planexe::recipe
