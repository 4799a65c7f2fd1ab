#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace planexe::plan {

/// The sentences of plain text (markdown_to_text): a line end ends one, and so does . ! ? with white space behind it,
/// and their Chinese and Japanese forms. "1. " at the start of a line and decimals do not.
std::vector<std::string> sentences_of(std::string_view text);

/// Words: runs of letters, digits and what stands inside them ("80%", "no-remote", "2.5"); each Chinese, Japanese or
/// Korean character counts as a word of its own.
std::vector<std::string> words_of(std::string_view text);

/// The numbers of a text in one form: "80 000", "80,000" and "80000" are "80000"; "2.5" and "2,5" are "2.5".
struct Figure {
  std::string value;
  bool quantity = false;  ///< with a unit behind, a currency or percent sign beside it, or at least three digits
};
std::vector<Figure> figures_of(std::string_view sentence);

/// The text without ISO dates, which are no figures and no ranges.
std::string without_dates(std::string_view text);

/// What makes a sentence belong to this plan and no other: names, numbers and rare words of the user's prompt.
class PlanTerms {
 public:
  PlanTerms(std::string_view prompt, const std::vector<std::string>& quotes);

  /// True when the sentence has a number or one of the terms.
  [[nodiscard]] bool specific(std::string_view sentence) const;

 private:
  void add(std::string_view text);

  std::set<std::string> terms_;
};

}  // namespace planexe::plan
