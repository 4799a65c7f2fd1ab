#pragma once

#include <span>
#include <string>
#include <string_view>

namespace planexe::plan {

/// Current alphabetic codes of national currencies, ISO 4217 list one, without funds, metals and test codes; sorted.
std::span<const std::string_view> currency_codes();

bool is_currency_code(std::string_view code);

/// ISO code meant by a code in any case, a symbol or an English name ("eur", "€", "Swiss francs", "EUR (euro)"); ""
/// when it is none or ambiguous (a yen/yuan sign, "kr").
std::string currency_code_from(std::string_view text);

/// ISO code of a symbol such as "€" or "R$"; "" for ambiguous or unknown ones.
std::string_view currency_of_symbol(std::string_view symbol);

}  // namespace planexe::plan
