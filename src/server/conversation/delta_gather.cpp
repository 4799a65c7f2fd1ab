#include "server/conversation/delta_gather.hpp"

#include <utility>

#include "base/text.hpp"

namespace planexe::server {
namespace {

/// Length without a UTF-8 sequence at the end that has not come completely.
std::size_t whole_characters(std::string_view text) {
  std::size_t continuation = 0;
  while (continuation < text.size() && continuation < 4) {
    const auto byte = static_cast<unsigned char>(text[text.size() - 1 - continuation]);
    if ((byte & 0xC0U) == 0x80U) {
      ++continuation;
      continue;
    }
    const std::size_t wanted = byte >= 0xF0U ? 3 : byte >= 0xE0U ? 2 : byte >= 0xC0U ? 1 : 0;
    return wanted > continuation ? text.size() - 1 - continuation : text.size();
  }
  return text.size();
}

}  // namespace

void DeltaGather::add(TextKind kind, std::string_view delta) { waiting(kind) += delta; }

std::optional<DeltaGather::Piece> DeltaGather::take(Steady now) {
  if (last_ && now < *last_ + interval_) return std::nullopt;
  for (const auto kind : {TextKind::reasoning, TextKind::text}) {
    auto& text = waiting(kind);
    const auto length = whole_characters(text);
    if (length == 0) continue;
    Piece piece{kind, to_valid_utf8(std::string_view(text).substr(0, length))};
    text.erase(0, length);
    last_ = now;
    return piece;
  }
  return std::nullopt;
}

std::vector<DeltaGather::Piece> DeltaGather::take_all(Steady now) {
  std::vector<Piece> pieces;
  for (const auto kind : {TextKind::reasoning, TextKind::text}) {
    auto text = std::exchange(waiting(kind), {});
    if (!text.empty()) pieces.push_back({kind, to_valid_utf8(text)});
  }
  if (!pieces.empty()) last_ = now;
  return pieces;
}

std::optional<DeltaGather::Steady> DeltaGather::due() const {
  if (whole_characters(text_) == 0 && whole_characters(reasoning_) == 0) return std::nullopt;
  return last_ ? *last_ + interval_ : Steady{};
}

void DeltaGather::clear() {
  text_.clear();
  reasoning_.clear();
}

}  // namespace planexe::server
