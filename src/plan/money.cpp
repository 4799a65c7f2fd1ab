#include "plan/money.hpp"

#include <cstdlib>
#include <map>

#include <re2/re2.h>

#include "base/text.hpp"

namespace planexe::plan {
namespace {

std::string code_of(const std::string& sign) {
  static const std::map<std::string, std::string> codes = {{"€", "EUR"}, {"£", "GBP"}, {"$", "USD"}, {"¥", "JPY"}};
  const auto found = codes.find(sign);
  return found == codes.end() ? sign : found->second;
}

double scale_of(std::string_view word) {
  const std::string folded = normalize_name(word);
  if (folded.empty()) return 1;
  if (folded == "k" || folded == "thousand") return 1e3;
  if (folded == "m" || folded == "million" || folded == "millions" || folded == "mio" || folded == "mn") return 1e6;
  return 1e9;
}

// "80 000", "80,000.50", "1.5", "80.000": a separator with three digits behind it groups, another one is decimal.
double number_of(std::string text) {
  static const RE2 grouping(R"([ ,.\x{00A0}\x{202F}'’](\d{3})(?:\b))");
  for (int i = 0; i < 5; ++i)
    if (!RE2::Replace(&text, grouping, "\\1")) break;
  return std::strtod(replace_all(text, ",", ".").c_str(), nullptr);
}

}  // namespace

std::vector<Money> money_in(std::string_view text) {
  static const RE2 pattern(
      R"((?:\b([A-Z]{3})\s?|([€£$¥])\s?)?(\d{1,3}(?:[ ,.\x{00A0}\x{202F}'’]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?)\s?((?i:k|m|mn|mio|bn|thousand|millions?|billions?)\b)?(?:\s?(?:([A-Z]{3})\b|([€£$¥])))?)");
  std::vector<Money> sums;
  re2::StringPiece rest(text.data(), text.size());
  std::string before_code, before_sign, digits, scale, after_code, after_sign;
  while (RE2::FindAndConsume(&rest, pattern, &before_code, &before_sign, &digits, &scale, &after_code, &after_sign)) {
    for (const std::string& currency : {before_code, before_sign, after_code, after_sign}) {
      if (currency.empty()) continue;
      sums.push_back({number_of(digits) * scale_of(scale), code_of(currency)});
      break;
    }
  }
  return sums;
}

std::optional<Money> money_of(std::string_view text) {
  const std::vector<Money> sums = money_in(text);
  return sums.empty() ? std::nullopt : std::optional(sums.front());
}

}  // namespace planexe::plan
