#include "prefix_cache.hpp"

#include <functional>

#include "wire.hpp"

namespace planexe::rehearsal {
namespace {

constexpr std::int64_t kTokensMin = 1024;
constexpr std::int64_t kTokensStep = 128;
/// Prefixes of some thousand requests; a provider forgets within minutes too.
constexpr std::size_t kPrefixesMax = 65'536;

}  // namespace

void PrefixCache::remember(std::uint64_t prefix) {
  if (!known_.insert(prefix).second) return;
  order_.push_back(prefix);
  if (order_.size() <= kPrefixesMax) return;
  known_.erase(order_.front());
  order_.pop_front();
}

std::int64_t PrefixCache::ask(const std::string& head, const std::vector<std::string>& parts) {
  std::uint64_t prefix = std::hash<std::string>{}(head);
  std::int64_t tokens = 0, cached = 0;
  bool hit = true;
  for (const auto& part : parts) {
    prefix = prefix * 0x9E3779B97F4A7C15ULL + std::hash<std::string>{}(part);
    tokens += estimate_tokens(part);
    hit = hit && known_.contains(prefix);
    if (hit) cached = tokens;
    remember(prefix);
  }
  return cached < kTokensMin ? 0 : cached - cached % kTokensStep;
}

}  // namespace planexe::rehearsal
