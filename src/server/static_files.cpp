#include "server/static_files.hpp"

#include <fmt/format.h>

#include "base/embedded.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

namespace planexe::server {
namespace {

namespace fs = std::filesystem;

/// A static export has some hundred files and a few megabytes; all of them stay in memory.
constexpr std::size_t kFilesMax = 5'000;
constexpr std::uint64_t kFileBytesMax = 32 * planexe::limits::kMiB, kTotalBytesMax = 128 * planexe::limits::kMiB;
constexpr std::string_view kSetting = "PLANEXE_UI_DIR";
constexpr std::string_view kImagePolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
constexpr std::string_view kPlainNotFound =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not found</title><p>There is nothing at this "
    "address. <a href=\"/\">Start page</a></p></html>\n";

std::unexpected<Error> refuse(const std::string& reason) {
  return fail(ErrorCode::InvalidConfig, fmt::format("{}: {}", kSetting, reason));
}

bool is_hidden(const fs::path& relative) {
  return std::ranges::any_of(relative, [](const fs::path& part) {
    const auto name = part.string();
    return name.starts_with('.') && name != ".well-known";
  });
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] = std::ranges::mismatch(folder, path);
  return end == folder.end();
}

/// Files of a folder by their relative path. Links are followed only to files inside of it.
Result<std::map<std::string, fs::path>> list_files(const fs::path& folder) {
  std::error_code ec;
  const fs::path root = fs::canonical(folder, ec);
  if (ec) return refuse("the folder cannot be read.");
  std::map<std::string, fs::path> found;
  for (auto entry = fs::recursive_directory_iterator(root, ec); !ec && entry != fs::recursive_directory_iterator();
       entry.increment(ec)) {
    const auto relative = entry->path().lexically_relative(root);
    if (is_hidden(relative)) {
      if (entry->is_directory(ec)) entry.disable_recursion_pending();
      continue;
    }
    const auto real = fs::canonical(entry->path(), ec);
    if (ec || !is_below(real, root)) {
      log_warn("a file of the web UI is left out: a link leads out of the folder",
               {{"file", relative.generic_string()}});
      ec.clear();
      continue;
    }
    if (!fs::is_regular_file(real, ec)) continue;
    if (found.size() == kFilesMax) return refuse(fmt::format("the folder has more than {} files.", kFilesMax));
    found.emplace(relative.generic_string(), real);
  }
  if (ec) return refuse("the folder cannot be read.");
  return found;
}

/// Percent-encoding of a path for a Location header.
std::string encoded(std::string_view path) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string result;
  for (const char c : path)
    result += kPlain.find(c) != std::string_view::npos ? std::string(1, c)
                                                       : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return result;
}

}  // namespace

StaticFiles StaticFiles::embedded() {
  StaticFiles files;
  for (const auto& file : planexe::embedded::files("ui")) files.add(std::string(file.path), file.bytes, nullptr);
  files.attach_compressed();
  return files;
}

Result<StaticFiles> StaticFiles::load(const fs::path& folder) {
  PLANEXE_TRY_ASSIGN(const auto paths, list_files(folder));
  if (!paths.contains("index.html")) return refuse("the folder has no index.html.");
  StaticFiles files;
  std::uint64_t total = 0;
  for (const auto& [name, path] : paths) {
    auto bytes = read_file(path, kFileBytesMax);
    if (!bytes)
      return refuse(
          fmt::format("{} cannot be read or is larger than {} MiB.", name, kFileBytesMax / planexe::limits::kMiB));
    total += bytes->size();
    if (total > kTotalBytesMax)
      return refuse(fmt::format("the files have more than {} MiB.", kTotalBytesMax / planexe::limits::kMiB));
    const auto owner = std::make_shared<const std::string>(std::move(*bytes));
    files.add(name, *owner, owner);
  }
  files.attach_compressed();
  return files;
}

void StaticFiles::add(std::string path, std::string_view bytes, std::shared_ptr<const std::string> owner) {
  File file;
  file.bytes = bytes;
  file.owner = std::move(owner);
  file.media_type = static_media_type(path);
  file.immutable = is_hashed_name(path);
  file.tag = '"' + sha256_hex(bytes).substr(0, 32) + '"';
  if (file.media_type.starts_with("text/html")) {
    file.security_policy = page_security_policy(bytes);
    file.immutable = false;
  } else if (file.media_type == "image/svg+xml") {
    file.security_policy = kImagePolicy;
  }
  files_.insert_or_assign(std::move(path), std::move(file));
}

void StaticFiles::attach_compressed() {
  for (auto it = files_.begin(); it != files_.end();) {
    const auto& [path, packed] = *it;
    const auto plain = path.ends_with(".gz") ? files_.find(path.substr(0, path.size() - 3)) : files_.end();
    if (plain == files_.end()) {
      ++it;
      continue;
    }
    plain->second.compressed = packed.bytes;
    plain->second.compressed_owner = packed.owner;
    plain->second.compressed_tag = packed.tag;
    it = files_.erase(it);
  }
}

const StaticFiles::File* StaticFiles::find(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : &found->second;
}

Response StaticFiles::answer(const Request& request) const {
  if (request.method != "GET" && request.method != "HEAD") {
    return error_response(Error(ErrorCode::MethodNotAllowed, "Files can only be read."), request.id)
        .with("Allow", "GET, HEAD, OPTIONS");
  }
  const auto decoded = percent_decoded(request.path, false);
  if (!decoded || !decoded->starts_with('/')) return not_found(request);
  const std::string path = decoded->substr(1);
  if (path.empty() || path.ends_with('/')) {
    const auto* file = find(path + "index.html");
    return file == nullptr ? not_found(request) : serve(request, *file, 200);
  }
  if (const auto* file = find(path)) return serve(request, *file, 200);
  if (find(path + "/index.html") == nullptr) return not_found(request);
  // The target is made from the name of a file that exists, so it cannot lead to another host.
  std::string target = "/" + encoded(path) + "/";
  if (const auto query = request.target.find('?'); query != std::string::npos) target += request.target.substr(query);
  return empty_response(308).with("Location", std::move(target)).with("Cache-Control", "no-cache");
}

Response StaticFiles::serve(const Request& request, const File& file, int status) const {
  Response response;
  response.status = status;
  response.content_type = file.media_type;
  const bool compress = !file.compressed.empty() && accepts_gzip(request.header("accept-encoding"));
  response.body = compress ? file.compressed : file.bytes;
  if (!file.compressed.empty()) response.with("Vary", "Accept-Encoding");
  if (compress) response.with("Content-Encoding", "gzip");
  if (!file.security_policy.empty()) response.with("Content-Security-Policy", file.security_policy);
  if (status != 200) return response.with("Cache-Control", "no-cache");
  response.with("Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.with("ETag", compress ? file.compressed_tag : file.tag);
  response.tagged = true;
  return response;
}

Response StaticFiles::not_found(const Request& request) const {
  if (const auto* page = find("404.html")) return serve(request, *page, 404);
  Response response;
  response.status = 404;
  response.content_type = static_media_type(".html");
  response.body = kPlainNotFound;
  return response.with("Cache-Control", "no-cache").with("Content-Security-Policy", page_security_policy(""));
}

}  // namespace planexe::server
