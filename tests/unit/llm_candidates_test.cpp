#include "llm/candidates.hpp"

#include <gtest/gtest.h>

namespace planexe::llm {
namespace {

struct World {
  Catalogue catalogue;
  std::set<std::string> unconfigured, unavailable, unfit;

  World() {
    for (const char* id : {"a", "b", "c", "d"}) {
      ModelEntry entry;
      entry.id = id;
      entry.priority = static_cast<int>(catalogue.models.size());
      entry.context_window = 1'000 * (1 + entry.priority);
      entry.api_key_env = std::string("KEY_") + id;
      catalogue.models.push_back(entry);
    }
  }
  Candidates candidates(const std::string& wanted = "") {
    return Candidates(catalogue, wanted,
                      {.configured = [this](const ModelEntry& m) { return !unconfigured.contains(m.id); },
                       .fits = [this](const ModelEntry& m) { return !unfit.contains(m.id); },
                       .available = [this](const ModelEntry& m) { return !unavailable.contains(m.id); }});
  }
  static std::string id(const ModelEntry* model) { return model == nullptr ? "-" : model->id; }
  std::string walk(Candidates candidates, MoveReason then = MoveReason::failure) {
    std::string order;
    const ModelEntry* model = candidates.pick(MoveReason::first, nullptr);
    while (model != nullptr) {
      order += model->id;
      model = candidates.pick(then, model);
    }
    return order;
  }
};

TEST(LlmCandidates, AutomaticAndChosenOrder) {
  World world;
  EXPECT_EQ(world.walk(world.candidates()), "abcd");
  EXPECT_EQ(world.walk(world.candidates("c")), "cabd");
  world.catalogue.models[2].strict_model = true;
  EXPECT_EQ(world.walk(world.candidates("c")), "c");
  EXPECT_EQ(world.walk(world.candidates()), "abcd");
}

TEST(LlmCandidates, UnusableModelsAreLeftOut) {
  World world;
  world.unconfigured = {"a"};
  world.unfit = {"b"};
  world.catalogue.models[3].capabilities_list = {"image_generation"};
  EXPECT_EQ(world.walk(world.candidates()), "c");
}

TEST(LlmCandidates, OpenBreakersAreWaitedForOnlyAtFirst) {
  World world;
  world.unavailable = {"a", "b", "c", "d"};
  EXPECT_EQ(world.walk(world.candidates()), "a");
  world.unavailable = {"a"};
  EXPECT_EQ(world.walk(world.candidates()), "bcd");
}

TEST(LlmCandidates, NamedFallbacks) {
  World world;
  world.catalogue.models[0].fallback = {"d", "b"};
  world.catalogue.models[0].fallback_context = {"c"};
  world.catalogue.models[0].fallback_policy = {"b"};
  Candidates failure = world.candidates();
  const ModelEntry* a = failure.pick(MoveReason::first, nullptr);
  EXPECT_EQ(World::id(failure.peek(MoveReason::failure, a)), "d");
  EXPECT_EQ(World::id(failure.peek(MoveReason::context, a)), "c");
  EXPECT_EQ(World::id(failure.peek(MoveReason::policy, a)), "b");
}

TEST(LlmCandidates, ContextNeedsALargerWindow) {
  World world;
  Candidates candidates = world.candidates("c");
  const ModelEntry* c = candidates.pick(MoveReason::first, nullptr);
  EXPECT_EQ(World::id(candidates.pick(MoveReason::context, c)), "d");
  EXPECT_EQ(World::id(candidates.pick(MoveReason::context, c)), "-");
}

TEST(LlmCandidates, SaysWhyThereIsNone) {
  World world;
  EXPECT_EQ(world.candidates("nobody").why_none().code, ErrorCode::ModelUnavailable);
  world.unfit = {"a", "b", "c", "d"};
  EXPECT_EQ(world.candidates().why_none().code, ErrorCode::ContextTooLong);
  world.unconfigured = world.unfit;
  const Error error = world.candidates().why_none();
  EXPECT_EQ(error.code, ErrorCode::ProviderAuth);
  EXPECT_NE(error.message.find("KEY_a"), std::string::npos);
}

}  // namespace
}  // namespace planexe::llm
