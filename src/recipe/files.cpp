#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/file.hpp"
#include "base/text.hpp"
#include "recipe/recipe.hpp"

namespace planexe::recipe {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 5000;                   // the real recipe has some 500
constexpr std::uint64_t kFileBytesMax = 1024 * 1024;      // written by hand; a larger one is no recipe file
constexpr std::size_t kTotalBytesMax = 32 * 1024 * 1024;  // a packed recipe is one database value
constexpr std::string_view kPackFormat = "planexe-recipe/1";

/// Editors and systems leave these behind.
bool is_litter(const std::string& name) {
  return name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp");
}

bool safe_path(std::string_view path) {
  if (path.empty() || path.size() > 255 || path.starts_with('/') || path.contains('\\')) return false;
  if (std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) return false;
  const fs::path parts(path);
  return std::ranges::none_of(parts, [](const fs::path& part) { return part == ".." || part == "." || part.empty(); });
}

/// "tasks/KEY/" or "fragments/": what an overlay replaces as a whole, or "" for a file by itself.
std::string unit_of(const std::string& path) {
  if (!path.starts_with("tasks/")) return {};
  const std::size_t slash = path.find('/', 6);
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

std::unexpected<Error> bad_folder(const fs::path& path, const std::string& why) {
  return fail(ErrorCode::RecipeInvalid, fmt::format("recipe folder {}: {}", path.string(), why));
}

Result<void> add_entry(const fs::directory_entry& entry, const fs::path& root, std::vector<RecipeFile>& files,
                       std::size_t& total) {
  std::error_code error;
  if (entry.is_symlink(error))
    return bad_folder(entry.path(), "symbolic links are not followed; put the file itself there");
  if (entry.is_directory(error)) return {};
  if (!entry.is_regular_file(error)) return bad_folder(entry.path(), "is no regular file");
  PLANEXE_TRY_ASSIGN(std::string bytes, read_file(entry.path(), kFileBytesMax));
  total += bytes.size();
  if (files.size() >= kFilesMax || total > kTotalBytesMax)
    return bad_folder(root, fmt::format("more than {} files or {} MiB", kFilesMax, kTotalBytesMax / 1024 / 1024));
  files.push_back({entry.path().lexically_relative(root).generic_string(), std::move(bytes)});
  return {};
}

}  // namespace

std::vector<RecipeFile> overlay_files(std::vector<RecipeFile> base, std::vector<RecipeFile> overlay) {
  std::set<std::string> units;
  std::set<std::string> single;
  for (const RecipeFile& file : overlay) {
    const std::string unit = unit_of(file.path);
    if (unit.empty())
      single.insert(file.path);
    else
      units.insert(unit);
  }
  std::erase_if(
      base, [&](const RecipeFile& file) { return single.contains(file.path) || units.contains(unit_of(file.path)); });
  std::ranges::move(overlay, std::back_inserter(base));
  std::ranges::sort(base, {}, &RecipeFile::path);
  return base;
}

std::string pack_recipe(const std::vector<RecipeFile>& files) {
  std::vector<const RecipeFile*> sorted;
  for (const RecipeFile& file : files) sorted.push_back(&file);
  std::ranges::sort(sorted, {}, &RecipeFile::path);
  json::object contents;
  for (const RecipeFile* file : sorted) contents[file->path] = file->bytes;
  return to_json(json::object{{"format", std::string(kPackFormat)}, {"files", std::move(contents)}});
}

Result<std::vector<RecipeFile>> unpack_recipe(std::string_view packed) {
  PLANEXE_TRY_ASSIGN(const json::value document, parse_json(packed));
  const json::object* contents = get_object(document, "files");
  if (!contents || get_string(document, "format") != kPackFormat)
    return fail(ErrorCode::RecipeInvalid, "the stored recipe is no packed recipe of this format");
  std::vector<RecipeFile> files;
  for (const auto& member : *contents) {
    const std::string path(member.key());
    if (!member.value().is_string() || !safe_path(path))
      return fail(ErrorCode::RecipeInvalid,
                  fmt::format("the stored recipe has a bad file: {}", cut_code_points(path, 80)));
    files.push_back({path, std::string(member.value().get_string())});
  }
  return files;
}

Result<std::vector<RecipeFile>> read_recipe_folder(const std::string& folder) {
  const fs::path root(folder);
  std::error_code error;
  if (!fs::is_directory(root, error)) return bad_folder(root, "does not exist or is no folder");
  std::vector<RecipeFile> files;
  std::size_t total = 0;
  fs::recursive_directory_iterator walk(root, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (is_litter(walk->path().filename().string())) {
      walk.disable_recursion_pending();
      continue;
    }
    PLANEXE_TRY(add_entry(*walk, root, files, total));
  }
  if (error) return bad_folder(root, error.message());
  std::ranges::sort(files, {}, &RecipeFile::path);
  return files;
}

}  // namespace planexe::recipe
