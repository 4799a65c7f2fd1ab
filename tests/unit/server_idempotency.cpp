#include <gtest/gtest.h>

#include "server/idempotency.hpp"
#include "server/limits.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::ServerPlan;

Request request(std::optional<std::string> key, std::string_view body = R"({"prompt":"x"})",
                std::string identity = "") {
  Request made;
  if (key) made.headers["idempotency-key"] = *std::move(key);
  made.json = *parse_json(body);
  made.identity = std::move(identity);
  return made;
}

IdempotentRequest read(std::optional<std::string> key, std::string_view body = R"({"prompt":"x"})",
                       std::string identity = "") {
  auto found = read_idempotency(request(std::move(key), body, std::move(identity)));
  EXPECT_TRUE(found);
  return found ? *std::move(found) : IdempotentRequest{};
}

TEST(ServerIdempotency, WithoutAKeyThereIsNothingToRemember) {
  const auto none = read(std::nullopt);
  EXPECT_EQ(none.key, "");
  EXPECT_FALSE(idempotency_row(none, "plan", "{}", ServerPlan::kNow));
}

TEST(ServerIdempotency, KeysArePrintableAndShort) {
  for (const std::string& good : {std::string("a"), std::string(255, 'k'),
                                  std::string("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ 09azAZ"), std::string("a, b")})
    EXPECT_EQ(read(good).key, good);
  for (const std::string& bad : {std::string(), std::string(256, 'k'), std::string("a\tb"), std::string("a\nb"),
                                 std::string("ä"), std::string("\x7f"), std::string("a\0b", 3), std::string("\xff")}) {
    const auto result = read_idempotency(request(bad));
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, ErrorCode::ValidationFailed);
  }
}

TEST(ServerIdempotency, TheSameValuesAreTheSameBody) {
  const auto hash = [](std::string_view body) { return read("k", body).body_hash; };
  EXPECT_EQ(hash(R"({"a":1,"b":[1,2],"c":"\u00e4"})"), hash(R"({ "c":"ä", "b":[1,2], "a":1 })"))
      << "neither order nor the way it is written";
  EXPECT_NE(hash(R"({"a":1})"), hash(R"({"a":2})"));
  EXPECT_NE(hash(R"({"a":1})"), hash(R"({"a":"1"})"));
  EXPECT_NE(hash(R"({"a":[1,2]})"), hash(R"({"a":[2,1]})"));
  EXPECT_NE(hash(R"({"a":null})"), hash("{}"));
}

class ServerIdempotencyStore : public testing::Test {
 protected:
  void remember(const IdempotentRequest& first, TimePoint now = ServerPlan::kNow) {
    auto row = idempotency_row(first, ServerPlan::kId, R"({"reply":1})", now);
    ASSERT_TRUE(row);
    plan_.write({store::PutIdempotencyKey{*std::move(row)}});
  }

  ServerPlan plan_;
};

TEST_F(ServerIdempotencyStore, ARepeatFindsTheFirstReply) {
  EXPECT_EQ(*find_reply(plan_.store(), read("k"), ServerPlan::kNow), std::nullopt);
  remember(read("k"));
  const auto found = find_reply(plan_.store(), read("k"), ServerPlan::kNow);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->reply, R"({"reply":1})");
  EXPECT_EQ((*found)->plan_id, ServerPlan::kId);
  EXPECT_EQ(*find_reply(plan_.store(), read("K"), ServerPlan::kNow), std::nullopt) << "keys are compared byte by byte";
  EXPECT_EQ(*find_reply(plan_.store(), read(std::nullopt), ServerPlan::kNow), std::nullopt);
}

TEST_F(ServerIdempotencyStore, AnotherBodyIsRefused) {
  remember(read("k"));
  const auto other = find_reply(plan_.store(), read("k", R"({"prompt":"y"})"), ServerPlan::kNow);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::IdempotencyKeyReused);
}

TEST_F(ServerIdempotencyStore, EveryoneHasKeysOfTheirOwn) {
  remember(read("k", R"({"prompt":"x"})", "alice"));
  EXPECT_EQ(*find_reply(plan_.store(), read("k", R"({"prompt":"x"})", "bob"), ServerPlan::kNow), std::nullopt);
  EXPECT_EQ(*find_reply(plan_.store(), read("k"), ServerPlan::kNow), std::nullopt);
  EXPECT_TRUE(*find_reply(plan_.store(), read("k", R"({"prompt":"x"})", "alice"), ServerPlan::kNow));
}

TEST_F(ServerIdempotencyStore, AfterADayAKeyIsForgotten) {
  remember(read("k"));
  const auto end = ServerPlan::kNow + limits::kIdempotencyLife;
  EXPECT_TRUE(*find_reply(plan_.store(), read("k"), end - std::chrono::milliseconds(1)));
  EXPECT_EQ(*find_reply(plan_.store(), read("k"), end), std::nullopt);
  EXPECT_EQ(*find_reply(plan_.store(), read("k", R"({"prompt":"y"})"), end), std::nullopt)
      << "it may be used for something else";
  remember(read("k", R"({"prompt":"y"})"), end);
  const auto again = find_reply(plan_.store(), read("k", R"({"prompt":"y"})"), end);
  EXPECT_TRUE(again && *again);
}

TEST(ServerIdempotencyGate, OneAtATimePerKeyAndIdentity) {
  IdempotencyGate gate;
  {
    const IdempotencyGate::Pass first(gate, read("k"));
    EXPECT_TRUE(first.granted());
    EXPECT_FALSE(IdempotencyGate::Pass(gate, read("k")).granted());
    EXPECT_FALSE(IdempotencyGate::Pass(gate, read("k", R"({"prompt":"y"})")).granted())
        << "the body cannot be compared yet";
    EXPECT_TRUE(IdempotencyGate::Pass(gate, read("other")).granted());
    EXPECT_TRUE(IdempotencyGate::Pass(gate, read("k", "{}", "alice")).granted());
    EXPECT_FALSE(IdempotencyGate::Pass(gate, read("k")).granted()) << "a refused one frees nothing";
  }
  EXPECT_TRUE(IdempotencyGate::Pass(gate, read("k")).granted()) << "after it the key is free again";
}

TEST(ServerIdempotencyGate, WithoutAKeyNobodyWaits) {
  IdempotencyGate gate;
  const IdempotencyGate::Pass first(gate, read(std::nullopt));
  const IdempotencyGate::Pass second(gate, read(std::nullopt));
  EXPECT_TRUE(first.granted() && second.granted());
}

}  // namespace
}  // namespace planexe::server
