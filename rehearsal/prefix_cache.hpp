#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <vector>

namespace planexe::rehearsal {

/// Which prefixes of earlier requests a provider's prompt cache would still hold: exact prefixes from 1024 tokens, counted in steps
/// of 128 (llm.md section 4). Prefixes are remembered at the ends of message parts, so the figure is a lower bound.
class PrefixCache {
 public:
  /// Remembers the request and gives the tokens of it that were known. `head` stands for what goes before the parts (model, schema, cache key).
  std::int64_t ask(const std::string& head, const std::vector<std::string>& parts);

 private:
  void remember(std::uint64_t prefix);

  std::unordered_set<std::uint64_t> known_;
  std::deque<std::uint64_t> order_;
};

}  // namespace planexe::rehearsal
