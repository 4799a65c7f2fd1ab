#include "base/hash.hpp"
#include "base/zip.hpp"
#include "server/artefact_view.hpp"
#include "server/bundle.hpp"
#include "server/plan_files.hpp"
#include "server/plan_view.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::ServerPlan;

class ServerBundle : public testing::Test {
 protected:
  Result<std::string> make(bool raw = true, TimePoint now = ServerPlan::kNow) {
    BundleSource source;
    source.plan = *plan_response(plan_.store(), plan_.plan());
    source.files = *files_.list(test::real_recipe());
    source.load = [this](const std::string& name) { return files_.load(name); };
    source.raw = raw;
    source.now = now;
    return make_bundle(source);
  }
  static std::map<std::string, std::string> read(const std::string& archive) {
    std::map<std::string, std::string> entries;
    auto unpacked = read_zip_bytes(archive);
    EXPECT_TRUE(unpacked) << to_string(unpacked.error());
    if (unpacked)
      for (auto& entry : *unpacked) entries[entry.name] = entry.bytes;
    return entries;
  }

  ServerPlan plan_;
  PlanFiles files_{plan_.store(), ServerPlan::kId, {}};
};

TEST_F(ServerBundle, HasAllFilesAndAManifestThatFits) {
  plan_.put_output("014-2-swot_analysis.md", "swot");
  plan_.put_output("014-1-swot_analysis_raw.json", "{}");
  plan_.put_file("a/b.txt", "attached", "", "txt", "completion");
  plan_.log(3, "hello");
  const auto archive = make();
  ASSERT_TRUE(archive);
  const auto entries = read(*archive);
  EXPECT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries.at("014-2-swot_analysis.md"), "swot");
  EXPECT_TRUE(entries.contains("log.txt"));
  const auto manifest = *parse_json(entries.at("manifest.json"));
  EXPECT_FITS(manifest, "BundleManifest");
  EXPECT_EQ(manifest.at("generated_at"), "2026-01-01T09:00:00.000Z");
  for (const auto& file : manifest.at("files").as_array()) {
    const auto& bytes = entries.at(std::string(file.at("filename").as_string()));
    EXPECT_EQ(file.at("size_bytes"), bytes.size());
    EXPECT_EQ(file.at("sha256"), json::value(sha256_hex(bytes)));
  }
}

TEST_F(ServerBundle, EntriesAreSortedAndBytesRepeat) {
  for (const auto* name : {"002-10-b.txt", "002-2-a.txt", "001-1-start_time.json"}) plan_.put_output(name, "text");
  const auto one = make(), two = make();
  EXPECT_EQ(*one, *two);
  // In the archive itself, not only after reading, which sorts.
  EXPECT_LT(one->find("001-1-start_time.json"), one->find("002-10-b.txt"));
  EXPECT_LT(one->find("002-10-b.txt"), one->find("002-2-a.txt"));
  EXPECT_LT(one->find("002-2-a.txt"), one->find("manifest.json"));
  auto later = read(*make(true, ServerPlan::kNow + std::chrono::hours(1)));
  auto first = read(*one);
  EXPECT_NE(later.at("manifest.json"), first.at("manifest.json"));
  later.erase("manifest.json");
  first.erase("manifest.json");
  EXPECT_EQ(later, first);
}

TEST_F(ServerBundle, RawAnswersCanBeLeftOut) {
  plan_.put_output("014-1-swot_analysis_raw.json", "{}");
  plan_.put_output("014-2-swot_analysis.md", "swot");
  EXPECT_EQ(read(*make(false)).size(), 2u);
  EXPECT_FALSE(read(*make(false)).contains("014-1-swot_analysis_raw.json"));
}

TEST_F(ServerBundle, NothingIsNoArchive) {
  const auto none = make();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::ContentNotFound);
  plan_.put_output("014-1-swot_analysis_raw.json", "{}");
  EXPECT_FALSE(make(false));
}

TEST_F(ServerBundle, AStoredManifestDoesNotReplaceOurs) {
  plan_.put_file("manifest.json", "evil", "", "json", "completion");
  plan_.put_output("014-2-swot_analysis.md", "swot");
  const auto entries = read(*make());
  EXPECT_EQ(entries.size(), 2u);
  EXPECT_TRUE(parse_json(entries.at("manifest.json")));
}

}  // namespace
}  // namespace planexe::server
