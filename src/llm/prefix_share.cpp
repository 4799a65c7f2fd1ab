#include "llm/prefix_share.hpp"

#include <algorithm>

#include "llm/transcript.hpp"

namespace planexe::llm {
namespace {

// What providers document of their caches: the shortest prefix that is kept, and the step of its length.
constexpr std::int64_t kShortestPrefix = 1024;
constexpr std::int64_t kPrefixStep = 128;

std::string request_text(const CallSpec& call) {
  std::string text;
  if (call.parent)
    for (const auto& message : call.parent->transcript)
      for (const auto& part : message.parts) text += part;
  for (const auto& message : call.messages)
    for (const auto& part : message.parts) text += part;
  return text;
}

std::size_t common_prefix(const std::string& left, const std::string& right) {
  const auto [end, other] = std::ranges::mismatch(left, right);
  return static_cast<std::size_t>(end - left.begin());
}

std::int64_t cacheable(std::int64_t tokens) {
  return tokens < kShortestPrefix ? 0 : tokens - tokens % kPrefixStep;
}

}  // namespace

std::map<std::string, PrefixShare> prefix_shares(const std::vector<const CallSpec*>& calls) {
  std::map<std::string, PrefixShare> shares;
  std::map<std::string, std::vector<std::string>> sent;
  for (const auto* call : calls) {
    auto& share = shares[call->cache_group];
    auto& earlier = sent[call->cache_group];
    auto text = request_text(*call);
    ++share.calls;
    share.input_tokens += estimate_tokens(text);
    std::size_t longest = 0;
    for (const auto& other : earlier) longest = std::max(longest, common_prefix(text, other));
    share.cached_tokens += cacheable(estimate_tokens(std::string_view(text).substr(0, longest)));
    if (!earlier.empty()) {
      const auto common = static_cast<double>(common_prefix(text, earlier.back()));
      const auto smaller = static_cast<double>(std::max<std::size_t>(1, std::min(text.size(), earlier.back().size())));
      share.smallest_common = std::min(share.smallest_common, common / smaller);
    }
    earlier.push_back(std::move(text));
  }
  return shares;
}

}  // namespace planexe::llm
