#include "plan/stated_words.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace planexe::plan {
namespace {

using Words = std::map<std::string, double, std::less<>>;

const std::map<std::string, TimeUnit, std::less<>>& unit_words() {
  static const std::map<std::string, TimeUnit, std::less<>> words = [] {
    const std::pair<TimeUnit, std::vector<const char*>> table[] = {
        {TimeUnit::day,
         {"day", "days", "tag", "tage", "tagen", "jour", "jours", "día", "días", "dia", "dias", "giorno", "giorni",
          "dag", "dagen", "dage", "dagar"}},
        {TimeUnit::week,
         {"week", "weeks", "wk", "wks", "woche", "wochen", "semaine", "semaines", "semana", "semanas", "settimana",
          "settimane", "weken", "uge", "uger", "vecka", "veckor"}},
        {TimeUnit::month,
         {"month", "months", "mo", "mos", "monat", "monate", "monaten", "mois", "mes", "meses", "mês", "mese", "mesi",
          "maand", "maanden", "måned", "måneder", "månad", "månader"}},
        {TimeUnit::quarter,
         {"quarter", "quarters", "quartal", "quartale", "quartalen", "trimestre", "trimestres", "trimestri", "kwartaal",
          "kwartalen", "kvartal", "kvartaler"}},
        {TimeUnit::year, {"year",   "years", "yr",   "yrs", "jahr", "jahre", "jahren", "an",   "ans",   "année",
                          "années", "año",   "años", "ano", "anos", "anno",  "anni",   "jaar", "jaren", "år"}},
    };
    std::map<std::string, TimeUnit, std::less<>> map;
    for (const auto& [unit, names] : table)
      for (const char* name : names) map.emplace(name, unit);
    return map;
  }();
  return words;
}

// Chinese and Japanese write no spaces, so the unit is the beginning of what follows the number.
std::optional<TimeUnit> unit_prefix(std::string_view word) {
  static constexpr std::pair<std::string_view, TimeUnit> kPrefixes[] = {
      {"个月", TimeUnit::month}, {"個月", TimeUnit::month}, {"か月", TimeUnit::month}, {"ヶ月", TimeUnit::month},
      {"カ月", TimeUnit::month}, {"年", TimeUnit::year},    {"周", TimeUnit::week},    {"週", TimeUnit::week},
      {"天", TimeUnit::day},     {"日", TimeUnit::day},
  };
  for (const auto& [prefix, unit] : kPrefixes)
    if (word.starts_with(prefix)) return unit;
  return std::nullopt;
}

const Words& number_words() {
  static const Words words = {
      {"a", 1},        {"an", 1},        {"one", 1},     {"two", 2},     {"three", 3},   {"four", 4},    {"five", 5},
      {"six", 6},      {"seven", 7},     {"eight", 8},   {"nine", 9},    {"ten", 10},    {"eleven", 11}, {"twelve", 12},
      {"fifteen", 15}, {"eighteen", 18}, {"twenty", 20}, {"thirty", 30}, {"sixty", 60},  {"ninety", 90}, {"half", 0.5},
      {"ein", 1},      {"eine", 1},      {"einem", 1},   {"einer", 1},   {"eines", 1},   {"zwei", 2},    {"drei", 3},
      {"vier", 4},     {"fünf", 5},      {"sechs", 6},   {"sieben", 7},  {"acht", 8},    {"neun", 9},    {"zehn", 10},
      {"elf", 11},     {"zwölf", 12},    {"un", 1},      {"une", 1},     {"deux", 2},    {"trois", 3},   {"quatre", 4},
      {"cinq", 5},     {"sept", 7},      {"huit", 8},    {"neuf", 9},    {"dix", 10},    {"douze", 12},  {"una", 1},
      {"uno", 1},      {"dos", 2},       {"tres", 3},    {"cuatro", 4},  {"cinco", 5},   {"seis", 6},    {"siete", 7},
      {"ocho", 8},     {"nueve", 9},     {"diez", 10},   {"doce", 12},   {"due", 2},     {"tre", 3},     {"quattro", 4},
      {"cinque", 5},   {"sei", 6},       {"sette", 7},   {"otto", 8},    {"nove", 9},    {"dieci", 10},  {"dodici", 12},
      {"en", 1},       {"et", 1},        {"to", 2},      {"fire", 4},    {"fem", 5},     {"seks", 6},    {"syv", 7},
      {"ni", 9},       {"ti", 10},       {"tolv", 12},   {"ett", 1},     {"två", 2},     {"sex", 6},     {"sju", 7},
      {"åtta", 8},     {"nio", 9},       {"tio", 10},    {"een", 1},     {"twee", 2},    {"drie", 3},    {"vijf", 5},
      {"zes", 6},      {"zeven", 7},     {"negen", 9},   {"tien", 10},   {"twaalf", 12}, {"um", 1},      {"uma", 1},
      {"dois", 2},     {"três", 3},      {"quatro", 4},  {"sete", 7},    {"oito", 8},    {"dez", 10},    {"doze", 12},
  };
  return words;
}

const Words& month_words() {
  static const Words words = [] {
    static const std::vector<const char*> table[12] = {
        {"january", "jan", "januar", "janvier", "enero", "gennaio", "janeiro", "januari"},
        {"february", "feb", "februar", "février", "fevrier", "febrero", "febbraio", "fevereiro", "februari"},
        {"march", "mar", "märz", "mars", "marzo", "março", "maart", "marts"},
        {"april", "apr", "avril", "abril", "aprile"},
        {"may", "mai", "mayo", "maggio", "maio", "mei", "maj"},
        {"june", "jun", "juni", "juin", "junio", "giugno", "junho"},
        {"july", "jul", "juli", "juillet", "julio", "luglio", "julho"},
        {"august", "aug", "août", "aout", "agosto", "augustus", "augusti"},
        {"september", "sep", "sept", "septembre", "septiembre", "settembre", "setembro"},
        {"october", "oct", "oktober", "octobre", "octubre", "ottobre", "outubro"},
        {"november", "nov", "novembre", "noviembre", "novembro"},
        {"december", "dec", "dezember", "décembre", "decembre", "diciembre", "dicembre", "dezembro"},
    };
    Words map;
    for (int month = 0; month < 12; ++month)
      for (const char* name : table[month]) map.emplace(name, month + 1);
    return map;
  }();
  return words;
}

}  // namespace

std::optional<TimeUnit> time_unit(std::string_view word) {
  const auto found = unit_words().find(word);
  if (found != unit_words().end()) return found->second;
  return unit_prefix(word);
}

std::optional<double> number_word(std::string_view word) {
  const auto found = number_words().find(word);
  return found == number_words().end() ? std::nullopt : std::optional(found->second);
}

std::optional<unsigned> month_number(std::string_view word) {
  const auto found = month_words().find(word);
  return found == month_words().end() ? std::nullopt : std::optional(static_cast<unsigned>(found->second));
}

const std::string& month_pattern() {
  static const std::string pattern = [] {
    std::vector<std::string> names;
    for (const auto& [name, number] : month_words()) names.push_back(name);
    std::ranges::sort(names,
                      [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
    std::string joined;
    for (const std::string& name : names) joined += (joined.empty() ? "" : "|") + name;
    return joined;
  }();
  return pattern;
}

}  // namespace planexe::plan
