#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"

namespace planexe::plan {

/// Text for HTML content and for attributes in double or single quotes. Control characters that HTML forbids are left
/// out; bytes that are not UTF-8 become U+FFFD.
std::string escape_html(std::string_view text);

/// JSON for a <script type="application/json"> element: no '<', '>' or '&' as such, so no text can end the element.
std::string json_for_script(const json::value& value);

/// "sha256-..." of an inline script, as a content security policy names it.
std::string csp_hash(std::string_view script);

/// An id for a heading: lower-case ASCII letters, digits and '-' of the text, at most 60; "part" when nothing is left.
std::string html_slug(std::string_view text);

/// A self-contained page: no network, one inline script allowed by its hash.
struct HtmlPage {
  std::string title;   ///< plain text
  std::string style;   ///< CSS, ours
  std::string body;    ///< safe HTML
  std::string script;  ///< JavaScript, ours; may be empty
};
std::string render_page(const HtmlPage& page);

/// A packed file of src/plan/assets: "theme.css", "report.js" and so on. A name that does not exist is a bug and
/// aborts.
std::string_view asset(std::string_view name);

}  // namespace planexe::plan
