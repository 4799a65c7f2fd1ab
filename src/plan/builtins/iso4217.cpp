#include "plan/builtins/iso4217.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace planexe::plan {
namespace {

constexpr auto kCodes = std::to_array<std::string_view>({
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC",
    "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS",
    "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD",
    "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL",
    "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD",
    "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD",
    "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VES",
    "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
});

// Signs that several currencies share (yen and yuan, the Scandinavian "kr", the rupee's "Rs") are left out on purpose:
// guessing would change sums.
constexpr auto kSymbols = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"€", "EUR"},   {"US$", "USD"}, {"A$", "AUD"}, {"C$", "CAD"}, {"R$", "BRL"}, {"HK$", "HKD"},
    {"NZ$", "NZD"}, {"S$", "SGD"},  {"$", "USD"},  {"£", "GBP"},  {"₹", "INR"},  {"₽", "RUB"},
    {"₩", "KRW"},   {"₺", "TRY"},   {"₴", "UAH"},  {"₪", "ILS"},  {"₫", "VND"},  {"₦", "NGN"},
    {"₱", "PHP"},   {"฿", "THB"},   {"zł", "PLN"}, {"Kč", "CZK"}, {"Ft", "HUF"},
});

constexpr auto kNames = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"euro", "EUR"},
    {"euros", "EUR"},
    {"dollar", "USD"},
    {"dollars", "USD"},
    {"us dollar", "USD"},
    {"us dollars", "USD"},
    {"canadian dollars", "CAD"},
    {"canadian dollar", "CAD"},
    {"australian dollars", "AUD"},
    {"australian dollar", "AUD"},
    {"pound", "GBP"},
    {"pounds", "GBP"},
    {"pound sterling", "GBP"},
    {"pounds sterling", "GBP"},
    {"yen", "JPY"},
    {"japanese yen", "JPY"},
    {"yuan", "CNY"},
    {"chinese yuan", "CNY"},
    {"renminbi", "CNY"},
    {"rmb", "CNY"},
    {"indian rupees", "INR"},
    {"indian rupee", "INR"},
    {"danish kroner", "DKK"},
    {"danish krone", "DKK"},
    {"swedish kronor", "SEK"},
    {"swedish krona", "SEK"},
    {"norwegian kroner", "NOK"},
    {"norwegian krone", "NOK"},
    {"swiss francs", "CHF"},
    {"swiss franc", "CHF"},
    {"zloty", "PLN"},
    {"złoty", "PLN"},
    {"forint", "HUF"},
    {"czech koruna", "CZK"},
    {"turkish lira", "TRY"},
    {"brazilian real", "BRL"},
    {"rand", "ZAR"},
    {"cedi", "GHS"},
    {"naira", "NGN"},
});

std::string upper_ascii(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return result;
}

// The only code that stands as a word of its own in the text, else "".
std::string only_code_inside(std::string_view text) {
  std::string found;
  std::string word;
  const auto finish_word = [&] {
    if (is_currency_code(word)) found = found.empty() || found == word ? word : "-";
    word.clear();
  };
  for (const char c : text) {
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
      word += c;
    else
      finish_word();
  }
  finish_word();
  return found == "-" ? std::string{} : found;
}

}  // namespace

std::span<const std::string_view> currency_codes() { return kCodes; }

bool is_currency_code(std::string_view code) { return std::ranges::binary_search(kCodes, code); }

std::string_view currency_of_symbol(std::string_view symbol) {
  const auto entry = std::ranges::find(kSymbols, symbol, &std::pair<std::string_view, std::string_view>::first);
  return entry == kSymbols.end() ? std::string_view{} : entry->second;
}

std::string currency_code_from(std::string_view text) {
  const std::string value = trim(text);
  if (const std::string code = upper_ascii(value); is_currency_code(code)) return code;
  if (const std::string_view code = currency_of_symbol(value); !code.empty()) return std::string(code);
  const std::string name = normalize_name(value);
  const auto entry =
      std::ranges::find(kNames, std::string_view(name), &std::pair<std::string_view, std::string_view>::first);
  if (entry != kNames.end()) return std::string(entry->second);
  return only_code_inside(value);
}

}  // namespace planexe::plan
