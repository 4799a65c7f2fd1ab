#include "llm/cost.hpp"

#include <algorithm>
#include <cmath>

namespace planexe::llm {

namespace {

constexpr std::int64_t kTokensMax = 1'000'000'000'000;
constexpr std::int64_t kCostMax = 1'000'000'000'000'000;

// Tokens times price can pass 64 bits long before the figure is absurd.
__extension__ using Wide = unsigned __int128;

Wide part(std::int64_t tokens, std::int64_t price) {
  return static_cast<Wide>(std::clamp<std::int64_t>(tokens, 0, kTokensMax)) *
         static_cast<Wide>(std::max<std::int64_t>(price, 0));
}

}  // namespace

std::int64_t cost_micros(const Usage& usage, const Price& price, double tier_factor) {
  constexpr Wide kMillion = 1'000'000;
  const std::int64_t uncached = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens;
  const std::int64_t write_price = price.cache_write < 0 ? price.input : price.cache_write;
  const Wide total = part(uncached, price.input) + part(usage.cached_input_tokens, price.cached_input) +
                     part(usage.cache_write_tokens, write_price) + part(usage.output_tokens, price.output);
  const Wide cost = (total + kMillion - 1) / kMillion;
  const std::int64_t limited = cost > static_cast<Wide>(kCostMax) ? kCostMax : static_cast<std::int64_t>(cost);
  if (tier_factor == 1.0 || !(tier_factor >= 0)) return limited;
  const double scaled = std::ceil(static_cast<double>(limited) * tier_factor);
  return scaled >= static_cast<double>(kCostMax) ? kCostMax : static_cast<std::int64_t>(scaled);
}

std::optional<Price> price_of(const ModelEntry& model, const PriceTable& prices, TimePoint at) {
  return model.price ? model.price : prices.price(model.provider, model.model, at);
}

std::int64_t cost_bound_micros(std::int64_t input_tokens_max, std::int64_t output_tokens_max, const Price& price) {
  Usage usage;
  usage.input_tokens = input_tokens_max;
  // The dearer of plain input and cache writing.
  if (price.cache_write > price.input) usage.cache_write_tokens = input_tokens_max;
  usage.output_tokens = output_tokens_max;
  return cost_micros(usage, price);
}

}  // namespace planexe::llm
