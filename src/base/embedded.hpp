#pragma once

#include <span>
#include <string_view>

/// Folders that are packed into the program by planexe_embed() of cmake/embed.cmake.
namespace planexe::embedded {

/// A file of a packed folder: its path below the folder, with '/', and its bytes. Both live as long as the program.
struct File {
  std::string_view path;
  std::string_view bytes;
};

/// The files of a packed folder, sorted by path; empty when the program has no such folder. Not before main().
std::span<const File> files(std::string_view name);

/// One file, or null.
const File* find(std::string_view name, std::string_view path);

/// Made by the generated files when the program starts; of no other use.
class Registration {
 public:
  Registration(std::string_view name, std::span<const File> files);
};

}  // namespace planexe::embedded
