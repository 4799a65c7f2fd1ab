#include "plan/strong_components.hpp"

#include <algorithm>
#include <limits>

namespace planexe::plan {
namespace {

constexpr std::size_t kUnseen = std::numeric_limits<std::size_t>::max();

class Tarjan {
 public:
  Tarjan(std::size_t nodes, std::span<const Edge> edges)
      : targets_(nodes), index_(nodes, kUnseen), low_(nodes), on_stack_(nodes), component_(nodes) {
    for (const Edge& edge : edges) targets_[edge.from].push_back(edge.to);
  }

  std::vector<std::size_t> run() {
    for (std::size_t node = 0; node < targets_.size(); ++node)
      if (index_[node] == kUnseen) explore(node);
    return component_;
  }

 private:
  struct Frame {
    std::size_t node;
    std::size_t next = 0;  // edge to follow
  };

  void enter(std::size_t node) {
    index_[node] = low_[node] = counter_++;
    stack_.push_back(node);
    on_stack_[node] = true;
    calls_.push_back({node});
  }

  void leave(std::size_t node) {
    calls_.pop_back();
    if (!calls_.empty()) low_[calls_.back().node] = std::min(low_[calls_.back().node], low_[node]);
    if (low_[node] != index_[node]) return;
    for (std::size_t member = kUnseen; member != node;) {
      member = stack_.back();
      stack_.pop_back();
      on_stack_[member] = false;
      component_[member] = node;
    }
  }

  void explore(std::size_t root) {
    enter(root);
    while (!calls_.empty()) {
      Frame& frame = calls_.back();
      const std::size_t node = frame.node;
      if (frame.next == targets_[node].size()) {
        leave(node);
        continue;
      }
      const std::size_t target = targets_[node][frame.next++];
      if (index_[target] == kUnseen) {
        enter(target);
      } else if (on_stack_[target]) {
        low_[node] = std::min(low_[node], index_[target]);
      }
    }
  }

  std::vector<std::vector<std::size_t>> targets_;
  std::vector<std::size_t> index_;
  std::vector<std::size_t> low_;
  std::vector<bool> on_stack_;
  std::vector<std::size_t> component_;
  std::vector<std::size_t> stack_;
  std::vector<Frame> calls_;
  std::size_t counter_ = 0;
};

}  // namespace

std::vector<std::size_t> strong_components(std::size_t nodes, std::span<const Edge> edges) {
  return Tarjan(nodes, edges).run();
}

}  // namespace planexe::plan
