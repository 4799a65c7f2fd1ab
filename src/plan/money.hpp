#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace planexe::plan {

/// A sum with its currency as ISO 4217 writes it ("EUR"); the signs € £ $ ¥ stand for EUR GBP USD JPY.
struct Money {
  double amount = 0;
  std::string currency;
};

/// The sums in a text, in order: "80 000 EUR", "EUR 80,000", "DKK 120M", "€1.5 million". Codes are any three capital
/// letters beside a number.
std::vector<Money> money_in(std::string_view text);

/// The first sum of a text.
std::optional<Money> money_of(std::string_view text);

}  // namespace planexe::plan
