#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace planexe::plan {

struct Edge {
  std::size_t from = 0;
  std::size_t to = 0;
};

/// The strongly connected component of each of `nodes` nodes (Tarjan 1972, without recursion). Nodes of one component
/// have the same number; what the numbers are means nothing.
std::vector<std::size_t> strong_components(std::size_t nodes, std::span<const Edge> edges);

}  // namespace planexe::plan
