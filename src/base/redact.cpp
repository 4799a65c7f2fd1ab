#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace planexe {

namespace {

constexpr std::string_view kMask = "***";

/// Longest first: a secret that is part of another must not leave the rest of that one readable.
class Secrets {
 public:
  void add(std::string_view value) {
    const std::unique_lock lock(mutex_);
    if (values_.size() >= limits::kSecretsMax || std::ranges::find(values_, value) != values_.end()) return;
    const auto place = std::ranges::find_if(values_, [&](const auto& other) { return other.size() < value.size(); });
    values_.insert(place, std::string(value));
  }

  std::string mask(std::string_view text) {
    const std::shared_lock lock(mutex_);
    std::string result(text);
    for (const std::string& value : values_) {
      if (result.find(value) != std::string::npos) result = replace_all(result, value, kMask);
    }
    return result;
  }

 private:
  std::shared_mutex mutex_;
  std::vector<std::string> values_;
};

Secrets& secrets() {
  static auto* instance = new Secrets;
  return *instance;
}

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' ||
         c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

std::size_t token_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_token_char(text[at])) ++at;
  return at;
}

/// Masks what follows every `prefix` (and the blanks behind it) when it is a token of at least `chars_min` characters.
std::string mask_after(std::string text, std::string_view prefix, std::size_t chars_min) {
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at)) {
    const bool inside_word = at > 0 && is_token_char(text[at - 1]) && is_token_char(prefix.front()) &&
                             text[at - 1] != '=' && text[at - 1] != '/';
    const std::size_t start = at + prefix.size();
    const std::size_t end = token_end(text, start);
    at = start;
    if (inside_word || end - start < chars_min) continue;
    text.replace(start, end - start, kMask);
    at = start + kMask.size();
  }
  return text;
}

std::string mask_url_passwords(std::string text) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at)) {
    at += 3;
    const std::size_t end = std::min(text.find_first_of("/?# \t\n\"'<>", at), text.size());
    const std::size_t sign = text.rfind('@', end == 0 ? 0 : end - 1);
    const std::size_t colon = text.find(':', at);
    if (sign == std::string::npos || sign < at || colon == std::string::npos || colon >= sign) continue;
    text.replace(colon + 1, sign - colon - 1, kMask);
  }
  return text;
}

}  // namespace

void register_secret(std::string_view value) {
  if (value.size() >= limits::kSecretCharsMin) secrets().add(value);
}

std::string redact(std::string_view text) {
  // 16 characters: keys of all providers are longer, words and ids of other kinds that follow are shorter.
  constexpr std::size_t kKeyCharsMin = 16;
  std::string result = secrets().mask(text);
  for (const std::string_view prefix : {"sk-", "Bearer ", "bearer ", "AIza"}) {
    result = mask_after(std::move(result), prefix, kKeyCharsMin);
  }
  return mask_url_passwords(std::move(result));
}

}  // namespace planexe
