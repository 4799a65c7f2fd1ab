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

// "AR/VR" and "blockchain-based" hold their parts; a word without such marks is its only part.
std::vector<std::string> parts_of(const std::string& word) {
  std::vector<std::string> parts{word};
  std::string part;
  for (const char c : word + "/") {
    if (c != '/' && c != '-') {
      part += c;
    } else {
      if (part.size() < word.size()) parts.push_back(part);
      part.clear();
    }
  }
  return parts;
}

bool has_part(const std::string& word, const std::string& banned) {
  return std::ranges::any_of(parts_of(word), [&](const std::string& part) {
    return same_word(part, banned) || same_word(part, banned + 's');
  });
}

bool denies(const std::string& word) {
  static const std::set<std::string, std::less<>> words = {
      "no",        "not",      "non",         "nor",          "never",    "without",   "avoid",      "avoids",
      "avoiding",  "avoided",  "avoidance",   "ban",          "bans",     "banned",    "banning",    "exclude",
      "excludes",  "excluded", "excluding",   "exclusion",    "prohibit", "prohibits", "prohibited", "prohibition",
      "forbid",    "forbids",  "forbidden",   "free",         "instead",  "rather",    "cannot",     "don't",
      "doesn't",   "neither",  "restriction", "restrictions", "absence",  "lack",      "sans",       "pas",
      "interdit",  "ohne",     "kein",        "keine",        "keinen",   "nicht",     "verboten",   "sin",
      "prohibido", "senza",    "vietato",     "uden",         "ikke",     "inte",      "utan",       "geen",
      "niet",      "zonder",   "sem",         "não",          "不",       "无",        "禁"};
  return words.contains(normalize_name(word));
}

// A ban stands close to what it bans: "avoiding technologies such as VR", "VR is not used".
constexpr std::size_t kWordsBefore = 6;
constexpr std::size_t kWordsBehind = 3;

bool denied_at(const std::vector<std::string>& words, std::size_t at) {
  const std::size_t from = at >= kWordsBefore ? at - kWordsBefore : 0;
  const std::size_t to = std::min(at + kWordsBehind, words.size() - 1);
  for (std::size_t i = from; i <= to; ++i)
    if (denies(words[i])) return true;
  return false;
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
      const bool known =
          std::ranges::any_of(words, [&](const std::string& w) { return normalize_name(w) == normalize_name(word); });
      if (!word.empty() && !known) words.push_back(word);
      part.clear();
    }
  }
  return words;
}

std::vector<BannedHit> banned_hits(std::string_view sentence, const std::vector<std::string>& banned,
                                   const std::vector<std::string>& statements) {
  if (banned.empty()) return {};
  const std::vector<std::string> words = words_of(sentence);
  const bool quoted = quotes_one(sentence, statements);
  std::vector<BannedHit> hits;
  for (const std::string& word : banned) {
    if (words_of(word).size() == 1) {
      for (std::size_t at = 0; at < words.size(); ++at)
        if (has_part(words[at], word)) hits.push_back({word, std::string(sentence), quoted || denied_at(words, at)});
    } else if (normalize_name(sentence).find(normalize_name(word)) != std::string::npos) {
      hits.push_back({word, std::string(sentence), quoted || std::ranges::any_of(words, denies)});
    }
  }
  return hits;
}

}  // namespace planexe::plan
