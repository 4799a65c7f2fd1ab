#include "plan/html.hpp"

#include <fmt/format.h>

#include <array>

#include "base/embedded.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"

namespace planexe::plan {
namespace {

int hex_value(char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; }

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? kAlphabet[group >> (18 - 6 * k) & 63u] : '=';
  }
  return text;
}

bool allowed(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 ? byte != 0x7F : c == '\n' || c == '\t';
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string valid;
  if (!valid_utf8(text)) text = valid = to_valid_utf8(text);
  std::string html;
  html.reserve(text.size() + text.size() / 16);
  for (const char c : text) {
    switch (c) {
      case '&': html += "&amp;"; break;
      case '<': html += "&lt;"; break;
      case '>': html += "&gt;"; break;
      case '"': html += "&quot;"; break;
      case '\'': html += "&#39;"; break;
      default:
        if (allowed(c)) html += c;
    }
  }
  return html;
}

std::string json_for_script(const json::value& value) {
  std::string safe;
  for (const char c : to_json(value)) {
    switch (c) {
      case '<': safe += "\\u003c"; break;
      case '>': safe += "\\u003e"; break;
      case '&': safe += "\\u0026"; break;
      default: safe += c;
    }
  }
  return safe;
}

std::string csp_hash(std::string_view script) {
  const std::string hex = sha256_hex(script);
  std::string digest;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    digest += static_cast<char>(hex_value(hex[i]) << 4 | hex_value(hex[i + 1]));
  return "sha256-" + base64(digest);
}

std::string html_slug(std::string_view text) {
  std::string slug;
  for (const char c : normalize_name(text)) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (word) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
    if (slug.size() >= 60) break;
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "part" : slug;
}

std::string render_page(const HtmlPage& page) {
  const std::string allowed_script = page.script.empty() ? "'none'" : fmt::format("'{}'", csp_hash(page.script));
  std::string html;
  html.reserve(page.style.size() + page.body.size() + page.script.size() + 1024);
  html += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += fmt::format(
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "img-src data:; script-src {}; base-uri 'none'; form-action 'none'\">\n",
      allowed_script);
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n";
  html += fmt::format("<title>{}</title>\n<style>\n", escape_html(page.title));
  html += page.style;
  html += "</style>\n</head>\n<body>\n";
  html += page.body;
  if (!page.script.empty()) html += fmt::format("<script>{}</script>\n", page.script);
  html += "</body>\n</html>\n";
  return html;
}

std::string_view asset(std::string_view name) {
  const embedded::File* file = embedded::find("plan_assets", name);
  PLANEXE_ASSERT(file != nullptr);
  return file->bytes;
}

}  // namespace planexe::plan
