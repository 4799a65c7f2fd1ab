#include "plan/limit_words.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "plan/sentences.hpp"

namespace planexe::plan {
namespace {

bool is_upper(std::string_view word) {
  return std::ranges::all_of(word, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

bool same_word(std::string_view found, std::string_view banned) {
  // "AI" in a text is the banned one; "ai" is part of another language.
  if (banned.size() <= 3 && is_upper(banned)) return found == banned;
  return normalize_name(found) == normalize_name(banned);
}

std::size_t count_word(std::string_view sentence, const std::string& banned) {
  if (banned.find(' ') != std::string::npos || words_of(banned).size() != 1) {
    const std::string text = normalize_name(sentence);
    return text.find(normalize_name(banned)) == std::string::npos ? 0 : 1;
  }
  std::size_t count = 0;
  for (const std::string& word : words_of(sentence)) {
    if (same_word(word, banned)) {
      ++count;
      continue;
    }
    // "AR/VR", "blockchain-based"
    std::string part;
    for (const char c : word + "/") {
      if (c != '/' && c != '-') {
        part += c;
        continue;
      }
      if (part.size() < word.size() && same_word(part, banned)) ++count;
      part.clear();
    }
  }
  return count;
}

bool denies(std::string_view sentence) {
  static const std::set<std::string, std::less<>> words = {
      "no",      "not",     "non",     "nor",      "never",    "without",   "avoid",    "avoids",   "avoiding",  "avoided",  "avoidance",
      "ban",     "bans",    "banned",  "banning",  "exclude",  "excludes",  "excluded", "excluding", "exclusion", "prohibit", "prohibits", "prohibited",
      "prohibition", "forbid", "forbids", "forbidden", "free", "instead", "rather", "cannot", "don't", "doesn't", "neither", "restriction", "restrictions",
      "sans",    "pas",     "interdit", "ohne",    "kein",     "keine",     "keinen",   "nicht",    "verboten",  "sin",      "prohibido",
      "senza",   "vietato", "uden",    "ikke",     "inte",     "utan",      "geen",     "niet",     "zonder",    "sem",      "não",       "不", "无", "禁"};
  return std::ranges::any_of(words_of(sentence), [](const std::string& word) { return words.contains(normalize_name(word)); });
}

bool quotes_one(std::string_view sentence, const std::vector<std::string>& statements) {
  const std::string text = normalize_name(sentence);
  return std::ranges::any_of(statements, [&](const std::string& statement) {
    const std::string quote = normalize_name(statement);
    return words_of(quote).size() >= 3 && text.find(quote) != std::string::npos;
  });
}

}  // namespace

std::vector<std::string> banned_words(const std::vector<std::string>& statements) {
  std::vector<std::string> words;
  for (const std::string& statement : statements) {
    std::string part;
    for (const char c : statement + ",") {
      if (c != ',' && c != ';' && c != '/' && c != '|') {
        part += c;
        continue;
      }
      const std::string word = trim(part);
      const bool known = std::ranges::any_of(words, [&](const std::string& w) { return normalize_name(w) == normalize_name(word); });
      if (!word.empty() && !known) words.push_back(word);
      part.clear();
    }
  }
  return words;
}

std::vector<BannedHit> banned_hits(std::string_view sentence, const std::vector<std::string>& words,
                                   const std::vector<std::string>& statements) {
  std::vector<BannedHit> hits;
  std::size_t different = 0;
  for (const std::string& word : words) {
    const std::size_t count = count_word(sentence, word);
    different += count > 0 ? 1 : 0;
    for (std::size_t i = 0; i < count; ++i) hits.push_back({word, std::string(sentence), false});
  }
  const bool mention = !hits.empty() && (different >= 2 || denies(sentence) || quotes_one(sentence, statements));
  for (BannedHit& hit : hits) hit.mention = mention;
  return hits;
}

}  // namespace planexe::plan
