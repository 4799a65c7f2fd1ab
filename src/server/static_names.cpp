#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <vector>

#include "base/text.hpp"
#include "plan/html.hpp"
#include "server/static_files.hpp"

namespace planexe::server {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 26> kMediaTypes{{
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/markdown; charset=utf-8"},
    {".csv", "text/csv; charset=utf-8"},
    {".xml", "application/xml"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/x-icon"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".ttf", "font/ttf"},
    {".otf", "font/otf"},
    {".wasm", "application/wasm"},
    {".pdf", "application/pdf"},
    {".webmanifest", "application/manifest+json"},
    {".gz", "application/gzip"},
}};

/// A page has a dozen inline scripts; a header with more hashes than this would not pass every proxy.
constexpr std::size_t kScriptsMax = 100;
constexpr std::size_t kHashDigitsMin = 8;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

bool is_hash(std::string_view part) {
  return part.size() >= kHashDigitsMin && part.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         part.find_first_of("0123456789") != std::string_view::npos;
}

/// The end of a tag that begins at `at`; a '>' inside a quoted attribute does not end it.
std::size_t tag_end(std::string_view html, std::size_t at) {
  char quote = 0;
  for (; at < html.size(); ++at) {
    const char c = html[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return at;
    }
  }
  return std::string_view::npos;
}

/// Texts of the script elements as a parser sees them: with one kind of line end.
std::vector<std::string> inline_scripts(std::string_view html) {
  const std::string names = lower(html);
  std::vector<std::string> scripts;
  for (std::size_t at = names.find("<script"); at != std::string::npos; at = names.find("<script", at)) {
    const auto end = tag_end(html, at);
    if (end == std::string_view::npos) break;
    const auto close = names.find("</script", end);
    if (close == std::string::npos) break;
    auto text = replace_all(html.substr(end + 1, close - end - 1), "\r\n", "\n");
    if (!text.empty()) scripts.push_back(replace_all(text, "\r", "\n"));
    at = close;
  }
  return scripts;
}

}  // namespace

std::string_view static_media_type(std::string_view name) {
  const std::string text = lower(name);
  for (const auto& [ending, type] : kMediaTypes)
    if (text.ends_with(ending)) return type;
  return "application/octet-stream";
}

bool is_hashed_name(std::string_view path) {
  if (path.starts_with("_next/static/")) return true;
  auto name = path.substr(path.rfind('/') + 1);
  const auto ending = name.rfind('.');
  if (ending == std::string_view::npos) return false;
  name = name.substr(0, ending);
  const auto part = name.find_last_of(".-_");
  return part != std::string_view::npos && is_hash(name.substr(part + 1));
}

std::string page_security_policy(std::string_view html) {
  std::set<std::string> hashes;
  for (const auto& script : inline_scripts(html)) {
    if (hashes.size() == kScriptsMax) break;
    hashes.insert(plan::csp_hash(script));
  }
  std::string sources = "'self'";
  for (const auto& hash : hashes) sources += " '" + hash + "'";
  return "default-src 'none'; script-src " + sources +
         "; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
         "frame-src 'self' blob:; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
         "frame-ancestors 'none'";
}

bool accepts_gzip(std::string_view accept_encoding) {
  const std::string text = lower(accept_encoding);
  bool any = false;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    const std::string part = trim(std::string_view(text).substr(at, end - at));
    at = end + 1;
    const auto semicolon = part.find(';');
    const std::string coding = trim(std::string_view(part).substr(0, semicolon));
    if (coding != "gzip" && coding != "x-gzip" && coding != "*") continue;
    double quality = 1;
    if (const auto q = part.find("q="); q != std::string::npos)
      std::from_chars(part.data() + q + 2, part.data() + part.size(), quality);
    // gzip itself goes before the wildcard.
    if (coding != "*") return quality > 0;
    any = quality > 0;
  }
  return any;
}

}  // namespace planexe::server
