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
  Result<std::shared_ptr<BundleBody>> open(bool raw = true, TimePoint now = ServerPlan::kNow) {
    std::vector<plan::BundleFile> listed;
    for (const auto& file : *files_.list(test::real_recipe())) listed.push_back({file.filename, file.task_key, file.size_bytes});
    const auto load = [this](const std::string& name) -> Result<std::optional<plan::BundleContent>> {
      if (broken_) return fail(ErrorCode::DatabaseUnavailable, "broken");
      ++loads_;
      PLANEXE_TRY_ASSIGN(auto file, files_.load(name));
      if (!file) return std::nullopt;
      return plan::BundleContent{file->content, file->version, file->stale};
    };
    PLANEXE_TRY_ASSIGN(auto bundle, plan::Bundle::make(*plan_response(plan_.store(), plan_.plan()), std::move(listed), load, {raw, now}));
    return BundleBody::open(std::move(bundle));
  }
  Result<std::string> make(bool raw = true, TimePoint now = ServerPlan::kNow) {
    PLANEXE_TRY_ASSIGN(const auto body, open(raw, now));
    std::string archive;
    for (;;) {
      PLANEXE_TRY_ASSIGN(const auto piece, body->next());
      if (piece.empty()) return archive;
      archive += piece;
    }
  }
  static std::map<std::string, std::string> read(const std::string& archive) {
    std::map<std::string, std::string> entries;
    auto unpacked = read_zip_bytes(archive);
    EXPECT_TRUE(unpacked) << to_string(unpacked.error());
    if (unpacked)
      for (auto& entry : *unpacked) entries[entry.name] = entry.bytes;
    return entries;
  }

  int loads_ = 0;
  bool broken_ = false;
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

TEST_F(ServerBundle, PiecesComeBeforeAllFilesAreRead) {
  // Hashes in a row do not compress to less than their half.
  std::string text;
  for (int i = 0; text.size() < BundleBody::kPieceBytes; ++i) text += sha256_hex(std::to_string(i));
  for (int i = 0; i < 12; ++i) plan_.put_output(fmt::format("{:03}-file.txt", i), text);
  const auto body = open();
  ASSERT_TRUE(body);
  std::vector<std::size_t> sizes;
  std::string archive;
  for (auto piece = (*body)->next(); piece && !piece->empty(); piece = (*body)->next()) {
    if (sizes.empty()) EXPECT_LT(loads_, 4);
    sizes.push_back(piece->size());
    archive += *piece;
  }
  EXPECT_GE(sizes.size(), 4u);
  EXPECT_LT(*std::ranges::max_element(sizes), 2 * BundleBody::kPieceBytes);
  EXPECT_EQ(read(archive).size(), 13u);
  EXPECT_EQ(archive, *make());
}

TEST_F(ServerBundle, AFailureInTheMiddleIsNoEnd) {
  plan_.put_output("002-2-a.txt", "text");
  const auto body = open();
  ASSERT_TRUE(body);
  broken_ = true;
  const auto piece = (*body)->next();
  ASSERT_FALSE(piece);
  EXPECT_EQ(piece.error().code, ErrorCode::DatabaseUnavailable);
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
