#include "llm/redact.hpp"

#include <algorithm>
#include <array>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace planexe::llm {

namespace {

constexpr std::string_view kMask = "***";
/// A shorter piece of a key is not worth hiding and may be an ordinary word.
constexpr std::size_t kPieceCharsMin = 8;

bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
         c == '*' || c == '+' || c == '=' || c == '~';
}

bool starts_word(std::string_view text, std::size_t at) { return at == 0 || !is_key_char(text[at - 1]); }

/// What follows a mark that only keys begin with is masked to the end of the word.
std::string mask_behind(std::string_view text, std::string_view mark, std::size_t chars_min) {
  std::string result;
  std::size_t done = 0;
  std::size_t at = 0;
  while ((at = text.find(mark, at)) != std::string_view::npos) {
    std::size_t end = at + mark.size();
    while (end < text.size() && is_key_char(text[end])) ++end;
    if (starts_word(text, at) && end - at - mark.size() >= chars_min) {
      result += text.substr(done, at - done);
      result += mark.ends_with(' ') ? std::string(mark) + std::string(kMask) : std::string(kMask);
      done = end;
    }
    at = std::max(end, at + 1);
  }
  result += text.substr(done);
  return result;
}

/// Words that hold the beginning or the end of a known key.
std::string mask_pieces(std::string_view text, std::string_view secret) {
  const std::string_view head = secret.substr(0, kPieceCharsMin);
  const std::string_view tail = secret.substr(secret.size() - kPieceCharsMin);
  std::string result;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && is_key_char(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    if (word.contains(head) || word.contains(tail)) {
      result += kMask;
    } else {
      result += word;
    }
    if (end < text.size()) result += text[end++];
    at = end;
  }
  return result;
}

}  // namespace

void Redactor::add_secret(std::string_view secret) {
  if (secret.size() < limits::kSecretCharsMin || secrets_.size() >= limits::kSecretsMax) return;
  if (std::find(secrets_.begin(), secrets_.end(), secret) != secrets_.end()) return;
  secrets_.emplace_back(secret);
  register_secret(secret);
}

std::string Redactor::operator()(std::string_view text) const {
  std::string result(text);
  for (const std::string& secret : secrets_) {
    result = replace_all(result, secret, kMask);
    if (secret.size() >= 2 * kPieceCharsMin) result = mask_pieces(result, secret);
  }
  constexpr std::array<std::string_view, 4> kMarks{"sk-", "sk_", "AIza", "gsk_"};
  for (const std::string_view mark : kMarks) result = mask_behind(result, mark, 6);
  for (const std::string_view mark : {"Bearer ", "bearer "}) result = mask_behind(result, mark, 6);
  return result;
}

}  // namespace planexe::llm
