#include <fmt/format.h>

#include <cctype>
#include <set>

#include <re2/re2.h>

#include "plan/builtins/common.hpp"
#include "plan/builtins/execution.hpp"

namespace planexe::plan {
namespace {

/// Fewer fully described projects than this are too thin a ground to copy from.
constexpr int kPrimaryMin = 2;

bool host_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 || c == '-';
}

/// The labels of a host name; empty when it is none: no dot, an empty label, other characters, a number at the end.
std::vector<std::string> host_labels(std::string_view host) {
  std::vector<std::string> labels{""};
  for (const char c : host) {
    if (c == '.') {
      labels.emplace_back();
    } else if (host_character(c)) {
      labels.back().push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    } else {
      return {};
    }
  }
  for (const std::string& label : labels)
    if (label.empty() || label.front() == '-' || label.back() == '-') return {};
  const bool word_at_end = labels.back().size() >= 2 && std::isdigit(static_cast<unsigned char>(labels.back()[0])) == 0;
  return labels.size() >= 2 && word_at_end ? labels : std::vector<std::string>{};
}

/// What a browser opens without surprise: a host with a dot, no user or password, an optional port.
std::vector<std::string> labels_of_address(const std::string& address) {
  static const RE2 pattern("(?i)https?://([^/\\s:?#]+)(?::[0-9]{1,5})?(?:[/?#].*)?");
  std::string host;
  return RE2::FullMatch(address, pattern, &host) ? host_labels(host) : std::vector<std::string>{};
}

/// Names that RFC 2606 reserves for documentation and that never lead anywhere.
bool reserved(const std::vector<std::string>& labels) {
  static const std::set<std::string_view> tops{"example", "invalid", "test", "localhost"};
  static const std::set<std::string_view> seconds{"com", "net", "org"};
  return tops.contains(labels.back()) || (labels[labels.size() - 2] == "example" && seconds.contains(labels.back()));
}

void check_addresses(const std::string& entry, const std::string& path, std::vector<Finding>& findings) {
  static const RE2 address_pattern("((?i)https?://[^\\s<>\"]+)");
  re2::StringPiece rest(entry);
  std::string address;
  while (RE2::FindAndConsume(&rest, address_pattern, &address)) {
    // Punctuation of the sentence around it, and the brackets of a Markdown link.
    while (!address.empty() && std::string_view(".,;:)]}'!").contains(address.back())) address.pop_back();
    if (const auto bracket = address.find("]("); bracket != std::string::npos) address.resize(bracket);
    const auto labels = labels_of_address(address);
    if (labels.empty()) {
      findings.push_back({"malformed_address", path, fmt::format("\"{}\" is no usable address.", address)});
    } else if (reserved(labels)) {
      findings.push_back({"placeholder_address", path, fmt::format("\"{}\" is an address for examples.", address)});
    }
  }
}

}  // namespace

Result<BuiltinResult> finish_related_resources(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "related_resources has no answer to finish");
  BuiltinResult result;
  const json::array& suggestions = list(*answer, "suggestion_list");
  int primary = 0;
  bool has_tiers = false;
  for (std::size_t i = 0; i < suggestions.size(); ++i) {
    const std::string tier = text(suggestions[i], "tier");
    has_tiers = has_tiers || !tier.empty();
    primary += tier == "primary" ? 1 : 0;
    const std::string path = fmt::format("suggestion_list[{}].where_to_find_more_information", i);
    for (const json::value& entry : list(suggestions[i], "where_to_find_more_information"))
      if (entry.is_string()) check_addresses(std::string(std::string_view(entry.get_string())), path, result.findings);
  }
  if (has_tiers && primary < kPrimaryMin)
    result.findings.push_back(
        {"few_primary", "suggestion_list",
         fmt::format("{} of the projects is fully described; {} are expected.", primary, kPrimaryMin)});
  return result;
}

}  // namespace planexe::plan
