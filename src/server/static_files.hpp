#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "server/message.hpp"

namespace planexe::server {

/// The files of the web UI, all in memory since start, so that no request can name a path of the disk. Any thread.
class StaticFiles {
 public:
  /// The UI that is packed into the program.
  static StaticFiles embedded();

  /// Reads a folder (PLANEXE_UI_DIR) as it is now. Names that begin with a dot are left out, and so are links that lead
  /// out of it. Error: INVALID_CONFIG without an index.html or beyond the limits.
  static Result<StaticFiles> load(const std::filesystem::path& folder);

  /// GET or HEAD of any path that is no route of the contract. `/` is index.html, `/name/` its index.html, `/name`
  /// leads there; what does not exist is the UI's 404.html with status 404. Headers say how long it may be kept.
  [[nodiscard]] Response answer(const Request& request) const;

  [[nodiscard]] std::size_t size() const { return files_.size(); }

 private:
  struct File {
    std::string_view bytes;
    std::shared_ptr<const std::string> owner;  ///< of the bytes; null for packed ones
    std::string_view media_type;
    std::string security_policy;  ///< "" where none is needed
    std::string tag;
    std::string compressed_tag;
    std::string_view compressed;  ///< gzip, "" when there is none
    std::shared_ptr<const std::string> compressed_owner;
    bool immutable = false;
  };

  void add(std::string path, std::string_view bytes, std::shared_ptr<const std::string> owner);
  void attach_compressed();
  [[nodiscard]] const File* find(const std::string& path) const;
  [[nodiscard]] Response serve(const Request& request, const File& file, int status) const;
  [[nodiscard]] Response not_found(const Request& request) const;

  std::map<std::string, File> files_;  ///< by path without a leading slash
};

/// The media type by a name's ending; application/octet-stream for an unknown one.
std::string_view static_media_type(std::string_view name);

/// True for names that change with their content: everything below _next/static/, and names with a part of eight or
/// more hexadecimal digits.
bool is_hashed_name(std::string_view path);

/// The policy for a page of the UI: scripts of this server and the inline ones that the page has, by their hashes.
std::string page_security_policy(std::string_view html);

/// True when Accept-Encoding allows gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace planexe::server
