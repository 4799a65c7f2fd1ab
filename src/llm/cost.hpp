#pragma once

#include <cstdint>
#include <optional>

#include "llm/catalogue.hpp"
#include "llm/types.hpp"

namespace planexe::llm {

/// Micro-dollars, rounded up (llm.md 3.11): prices are micro-dollars per million tokens, cached and cache-write tokens
/// are part of the input, reasoning tokens part of the output. Limited to 10^15.
std::int64_t cost_micros(const Usage& usage, const Price& price, double tier_factor = 1.0);

/// The entry's own price, else the table's; nothing when unknown (never 0).
std::optional<Price> price_of(const ModelEntry& model, const PriceTable& prices, TimePoint at);

/// An upper bound for a request before it is sent: no token cached, the whole output budget used.
std::int64_t cost_bound_micros(std::int64_t input_tokens_max, std::int64_t output_tokens_max, const Price& price);

}  // namespace planexe::llm
