#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "recipe/recipe.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::small_files;

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) /
            ("recipe_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "tasks" / "a");
    write("recipe.toml", "name = \"x\"");
    write("tasks/a/task.toml", "title = \"a\"");
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) { std::ofstream(root_ / path) << text; }
  fs::path root_;
};

TEST_F(Folder, IsReadSortedWithoutLitter) {
  write("tasks/a/.hidden", "x");
  write("tasks/a/prompt.md~", "x");
  const auto files = read_recipe_folder(root_.string());
  ASSERT_TRUE(files.has_value()) << files.error().message;
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[0].path, "recipe.toml");
  EXPECT_EQ((*files)[1].path, "tasks/a/task.toml");
  EXPECT_EQ((*files)[1].bytes, "title = \"a\"");
}

TEST_F(Folder, RefusesLinksAndLargeFiles) {
  fs::create_symlink("/etc/passwd", root_ / "tasks" / "a" / "prompt.md");
  EXPECT_THAT(read_recipe_folder(root_.string()).error().message, HasSubstr("symbolic links are not followed"));
  fs::remove(root_ / "tasks" / "a" / "prompt.md");
  fs::create_directory_symlink("/etc", root_ / "tasks" / "b");
  EXPECT_FALSE(read_recipe_folder(root_.string()).has_value());
  fs::remove(root_ / "tasks" / "b");
  write("tasks/a/big.md", std::string(1024 * 1024 + 1, 'x'));
  EXPECT_FALSE(read_recipe_folder(root_.string()).has_value());
}

TEST_F(Folder, MustExist) {
  EXPECT_THAT(read_recipe_folder((root_ / "nothing").string()).error().message, HasSubstr("does not exist"));
}

TEST(Pack, GivesTheFilesBack) {
  std::vector<RecipeFile> files = small_files();
  files.push_back({"tasks/gate/odd.md", "quote \" backslash \\ line\n\ttab ü"});
  const auto back = unpack_recipe(pack_recipe(files));
  ASSERT_TRUE(back.has_value());
  ASSERT_EQ(back->size(), files.size());
  EXPECT_EQ(pack_recipe(*back), pack_recipe(files));
  EXPECT_EQ(load_recipe(*unpack_recipe(pack_recipe(small_files())))->hash, load_recipe(small_files())->hash);
}

TEST(Pack, RefusesWhatIsNoPackedRecipe) {
  EXPECT_FALSE(unpack_recipe("{").has_value());
  EXPECT_FALSE(unpack_recipe("{}").has_value());
  EXPECT_FALSE(unpack_recipe(R"({"format": "planexe-recipe/2", "files": {}})").has_value());
  for (const char* path : {"../x", "/etc/passwd", "a/../b", "", "a\\\\b", "a\\nb"})
    EXPECT_FALSE(
        unpack_recipe(R"({"format": "planexe-recipe/1", "files": {")" + std::string(path) + R"(": "x"}})").has_value())
        << path;
}

std::string bytes_of(const std::vector<RecipeFile>& files, std::string_view path) {
  for (const RecipeFile& file : files)
    if (file.path == path) return file.bytes;
  return "(absent)";
}

TEST(Overlay, ReplacesWholeTaskFolders) {
  const std::vector<RecipeFile> base = {{"recipe.toml", "r"},       {"fragments/a.md", "a"},
                                        {"fragments/b.md", "b"},    {"tasks/x/task.toml", "old"},
                                        {"tasks/x/view.md", "old"}, {"tasks/xy/view.md", "keep"}};
  const auto laid =
      overlay_files(base, {{"tasks/x/task.toml", "new"}, {"fragments/b.md", "B"}, {"tasks/z/task.toml", "z"}});
  EXPECT_EQ(bytes_of(laid, "tasks/x/task.toml"), "new");
  EXPECT_EQ(bytes_of(laid, "tasks/x/view.md"), "(absent)");
  EXPECT_EQ(bytes_of(laid, "tasks/xy/view.md"), "keep");
  EXPECT_EQ(bytes_of(laid, "fragments/a.md"), "a");
  EXPECT_EQ(bytes_of(laid, "fragments/b.md"), "B");
  EXPECT_EQ(bytes_of(laid, "tasks/z/task.toml"), "z");
  EXPECT_EQ(bytes_of(laid, "recipe.toml"), "r");
}

}  // namespace
}  // namespace planexe::recipe
