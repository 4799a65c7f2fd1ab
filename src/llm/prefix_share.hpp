#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "llm/types.hpp"

namespace planexe::llm {

/// What a provider's prefix cache could serve of the requests of one group. Only calls of one group can share a prefix,
/// because the answer's schema comes before the messages and every step has its own.
struct PrefixShare {
  int calls = 0;
  std::int64_t input_tokens = 0;      ///< of all requests of the group, estimated from their text
  std::int64_t cached_tokens = 0;     ///< found in an earlier request: at least 1024 tokens long, in steps of 128
  double smallest_common = 1;         ///< over the pairs of neighbours: common characters / those of the smaller request
};

/// By cache group, in the order in which the calls are sent.
std::map<std::string, PrefixShare> prefix_shares(const std::vector<const CallSpec*>& calls);

}  // namespace planexe::llm
