// What simple rules find in the words of a person; a stand-in for a model that reads.
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "interviewer.hpp"

namespace planexe::rehearsal {
namespace {

constexpr std::size_t kListMax = 10;
constexpr std::size_t kSentenceChars = 300;

std::string first_match(const std::string& text, const RE2& pattern) {
  std::string found;
  return RE2::PartialMatch(text, pattern, &found) ? trim(found) : "";
}

std::string currency_of(const std::string& amount) {
  struct Sign {
    const char* pattern;
    const char* code;
  };
  constexpr std::array kSigns{Sign{"(?i)EUR|€|euro", "EUR"}, Sign{"(?i)CHF|franc", "CHF"}, Sign{"(?i)GBP|£|pound", "GBP"},
                              Sign{"(?i)USD|\\$|dollar", "USD"}};
  for (const auto& sign : kSigns)
    if (RE2::PartialMatch(amount, sign.pattern)) return sign.code;
  return "";
}

std::vector<std::string> places_of(const std::string& text) {
  static const RE2 kPlace(R"(\b(?:in|near|around|à|aus)\s+(\p{Lu}[\p{L}'-]+(?:\s+\p{Lu}[\p{L}'-]+){0,2}))");
  static const RE2 kTime("(?i)(January|February|March|April|May|June|July|August|September|October|November|December|Januar|Februar|März|"
                         "Juni|Juli|Oktober|Dezember|Spring|Summer|Autumn|Winter)\\b.*");
  std::vector<std::string> places;
  re2::StringPiece rest(text);
  std::string place;
  while (places.size() < kListMax && RE2::FindAndConsume(&rest, kPlace, &place))
    if (!RE2::FullMatch(place, kTime) && std::ranges::find(places, place) == places.end()) places.push_back(place);
  return places;
}

std::vector<std::string> sentences_with(const std::string& text, const RE2& pattern) {
  static const RE2 kSentence(R"(([^.!?\n]+))");
  std::vector<std::string> found;
  re2::StringPiece rest(text);
  std::string sentence;
  while (found.size() < kListMax && RE2::FindAndConsume(&rest, kSentence, &sentence)) {
    auto words = cut_code_points(trim(sentence), kSentenceChars);
    if (RE2::PartialMatch(words, pattern) && std::ranges::find(found, words) == found.end()) found.push_back(std::move(words));
  }
  return found;
}

std::string scale_of(const std::string& text, bool has_places) {
  if (RE2::PartialMatch(text, R"((?i)\b(global|worldwide|international)\b)")) return "global";
  if (RE2::PartialMatch(text, R"((?i)\b(national|nationwide|country)\b)")) return "national";
  if (RE2::PartialMatch(text, R"((?i)\b(region|regional|province)\b)")) return "regional";
  if (RE2::PartialMatch(text, R"((?i)\b(my family|my home|wedding|my garden|private|personal)\b)")) return "personal";
  return has_places ? "local" : "";
}

std::string tolerance_of(const std::string& text) {
  if (RE2::PartialMatch(text, R"((?i)\b(experimental|experiment)\b)")) return "experimental";
  if (RE2::PartialMatch(text, R"((?i)\b(bold|aggressive|high risk|fast growth)\b)")) return "aggressive";
  if (RE2::PartialMatch(text, R"((?i)\b(cautious|careful|conservative|low risk|no risks?)\b)")) return "conservative";
  if (RE2::PartialMatch(text, R"((?i)\b(moderate|balanced|some risk)\b)")) return "moderate";
  return "";
}

/// By the small words that each language is full of.
std::string language_of(const std::string& text) {
  struct Words {
    const char* code;
    const char* pattern;
  };
  constexpr std::array kWords{Words{"de", R"((?i)(\b(?:und|der|die|das|ein|eine|ist|nicht|mit|für)\b))"},
                              Words{"fr", R"((?i)(\b(?:et|le|la|les|un|une|est|pour|avec|dans)\b))"},
                              Words{"es", R"((?i)(\b(?:y|el|los|una|es|para|con|del)\b))"},
                              Words{"en", R"((?i)(\b(?:and|the|an|is|not|with|for|of|to)\b))"}};
  std::string best = "en";
  int most = 0;
  for (const auto& words : kWords) {
    re2::StringPiece rest(text);
    const RE2 pattern(words.pattern);
    std::string word;
    int count = 0;
    while (RE2::FindAndConsume(&rest, pattern, &word)) ++count;
    if (count <= most) continue;
    most = count;
    best = words.code;
  }
  return best;
}

}  // namespace

StatedFacts stated_facts(const std::string& text) {
  static const RE2 kAmount(R"((?i)((?:€|\$|£)\s?\d[\d.,' ]*\d(?:\s?(?:k|million))?|\d[\d.,' ]*\s?(?:k|thousand|million)?\s?)"
                           R"((?:EUR|USD|GBP|CHF|€|\$|£|euros?|dollars?|pounds?|francs?)))");
  static const RE2 kSpan(R"((?i)\b((?:within|in|over|innerhalb von)\s+(?:\d+|an?|one|two|three|four|five|six|nine|twelve|einem|zwei|drei)\s+)"
                         R"((?:days?|weeks?|months?|years?|Tagen?|Wochen?|Monaten?|Jahr(?:en?)?)))");
  static const RE2 kDate(R"((?i)\b((?:by|until|before|bis)\s+(?:the end of\s+)?(?:\p{L}+\s+)?20\d\d))");
  static const RE2 kTeam(R"((?i)\b((?:\d+|one|two|three|four|five|six|ten)\s+(?:people|persons?|employees?|developers?|volunteers?|friends|colleagues))\b)");
  static const RE2 kDigital(R"((?i)\b(app|website|online|software|podcast|newsletter|digital)\b)");
  static const RE2 kLimit(R"((?i)\b(must|never|no more than|at most|without)\b)");
  static const RE2 kSuccess(R"((?i)\b(success|successful|goal|worked|at least)\b)");
  StatedFacts facts;
  facts.amount = first_match(text, kAmount);
  facts.currency = currency_of(facts.amount);
  facts.deadline = first_match(text, kSpan);
  if (facts.deadline.empty()) facts.deadline = first_match(text, kDate);
  facts.team = first_match(text, kTeam);
  if (facts.team.empty() && RE2::PartialMatch(text, R"((?i)\b(alone|on my own|myself)\b)")) facts.team = "one person";
  facts.places = places_of(text);
  facts.limits = sentences_with(text, kLimit);
  facts.successes = sentences_with(text, kSuccess);
  if (!facts.places.empty()) facts.digital = false;
  else if (RE2::PartialMatch(text, kDigital)) facts.digital = true;
  facts.scale = scale_of(text, !facts.places.empty());
  facts.tolerance = tolerance_of(text);
  facts.language = language_of(text);
  return facts;
}

}  // namespace planexe::rehearsal
