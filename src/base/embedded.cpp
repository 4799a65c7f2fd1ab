#include "base/embedded.hpp"

#include <algorithm>
#include <map>

namespace planexe::embedded {

namespace {

std::map<std::string_view, std::span<const File>>& registry() {
  static std::map<std::string_view, std::span<const File>> folders;
  return folders;
}

}  // namespace

std::span<const File> files(std::string_view name) {
  const auto found = registry().find(name);
  return found == registry().end() ? std::span<const File>{} : found->second;
}

const File* find(std::string_view name, std::string_view path) {
  const auto all = files(name);
  const auto found = std::ranges::lower_bound(all, path, {}, &File::path);
  return found != all.end() && found->path == path ? &*found : nullptr;
}

Registration::Registration(std::string_view name, std::span<const File> files) { registry().emplace(name, files); }

}  // namespace planexe::embedded
