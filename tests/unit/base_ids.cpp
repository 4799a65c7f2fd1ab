#include <gtest/gtest.h>

#include <set>

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"

namespace planexe {
namespace {

TEST(BaseRandom, TheSameSeedGivesTheSameNumbers) {
  Random a(1);
  Random b(1);
  Random c(2);
  const auto first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  // The first output of mt19937_64 for seed 1, so that a seed keeps its meaning for ever.
  EXPECT_EQ(first, std::mt19937_64(1)());
}

TEST(BaseRandom, UniformAndBelowStayInRange) {
  Random random(3);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const double u = random.uniform();
    EXPECT_GE(u, 0.0);
    EXPECT_LT(u, 1.0);
    seen.insert(random.below(7));
  }
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(random.below(1), 0u);
}

TEST(BaseRandom, TheSystemsRandomnessDiffersEachTime) {
  SystemRandom a;
  SystemRandom b;
  EXPECT_NE(a.next(), b.next());
}

TEST(BaseIds, RandomUuidsHaveVersionAndVariant) {
  Random random(4);
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const std::string id = uuid4(random);
    ASSERT_TRUE(valid_uuid(id)) << id;
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(BaseIds, NamedUuidsAreThoseOfTheStandard) {
  // RFC 9562, appendix A.4.
  EXPECT_EQ(uuid5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  EXPECT_TRUE(valid_uuid(kIdNamespace));
  EXPECT_NE(uuid5(kIdNamespace, "a"), uuid5(kIdNamespace, "b"));
}

TEST(BaseIds, PlanIdsAreValidInPaths) {
  Random random(5);
  const std::string id = new_plan_id(random);
  EXPECT_TRUE(id.starts_with("PlanExe_"));
  EXPECT_TRUE(valid_id(id));
  EXPECT_TRUE(valid_uuid(id.substr(8)));
}

TEST(BaseIds, ValidIdIsExact) {
  EXPECT_TRUE(valid_id("a-B_9"));
  EXPECT_TRUE(valid_id(std::string(128, 'a')));
  EXPECT_FALSE(valid_id(std::string(129, 'a')));
  for (const char* id : {"", "a b", "a/b", "../x", "ä", "a.b", "a%20"}) EXPECT_FALSE(valid_id(id)) << id;
}

TEST(BaseHash, KnownDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(BaseHash, PiecesGiveTheSameDigest) {
  Sha256 hash;
  hash.update("a").update("").update("bc");
  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
}

TEST(BaseHash, ConstantTimeEqualComparesAllBytes) {
  EXPECT_TRUE(constant_time_equal("secret", "secret"));
  EXPECT_FALSE(constant_time_equal("secret", "secreT"));
  EXPECT_FALSE(constant_time_equal("secret", "secre"));
  EXPECT_TRUE(constant_time_equal("", ""));
}

}  // namespace
}  // namespace planexe
