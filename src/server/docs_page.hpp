#pragma once

#include <string>

#include "base/json.hpp"

namespace planexe::server {

/// The contract as one page of HTML that loads nothing: style inside, the one script allowed by its hash.
struct DocsPage {
  std::string html;
  std::string security_policy;  ///< for the header Content-Security-Policy
};

/// `contract`: an OpenAPI document, of trusted origin but escaped all the same.
DocsPage make_docs_page(const json::object& contract);

}  // namespace planexe::server
