#include "store/apply.hpp"

namespace planexe::store {
namespace {

/// A row without its texts: keys, numbers, times, page overhead.
constexpr std::size_t kRow = 256;

std::size_t size_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string: return value.get_string().size() + 3;
    case json::kind::array: {
      std::size_t sum = 2;
      for (const auto& element : value.get_array()) sum += size_of(element);
      return sum;
    }
    case json::kind::object: {
      std::size_t sum = 2;
      for (const auto& member : value.get_object()) sum += member.key().size() + 4 + size_of(member.value());
      return sum;
    }
    default: return 8;
  }
}

struct Weigh {
  std::size_t operator()(const auto&) const { return kRow; }
  std::size_t operator()(const CreatePlan& write) const {
    return (write.tasks.size() + write.edges.size() + 1) * kRow + plan(write.plan);
  }
  std::size_t operator()(const PutPlan& write) const { return kRow + plan(write.plan); }
  std::size_t operator()(const PutItem& write) const {
    return kRow + size_of(write.item.result) + size_of(write.item.meta);
  }
  std::size_t operator()(const PutContent& write) const { return kRow + write.content.content.size(); }
  std::size_t operator()(const PutBlocks& write) const {
    std::size_t sum = 0;
    for (const auto& block : write.blocks) sum += kRow + block.text.size();
    return sum;
  }
  std::size_t operator()(const PutInteraction& write) const { return interaction(write.row); }
  std::size_t operator()(const UpdateInteraction& write) const { return interaction(write.row); }
  std::size_t operator()(const AppendEvents& write) const {
    std::size_t sum = 0;
    for (const auto& event : write.events) sum += kRow + size_of(event.payload);
    return sum;
  }
  std::size_t operator()(const PutRecipe& write) const { return kRow + write.content.size(); }
  std::size_t operator()(const PutIdempotencyKey& write) const { return kRow + write.row.reply.size(); }
  std::size_t operator()(const PutConversation& write) const { return kRow + size_of(write.row.draft_intake); }
  std::size_t operator()(const PutTurn& write) const {
    return kRow + write.row.text.size() + write.row.reasoning.size();
  }

  static std::size_t plan(const PlanRow& row) { return row.prompt.size() + size_of(row.enriched_intake); }
  static std::size_t interaction(const InteractionRow& row) {
    return kRow + row.response_text.size() + row.reasoning_text.size() + row.prompt_blocks.size() * 16 +
           size_of(row.prompt_metadata) + size_of(row.response_metadata);
  }
};

}  // namespace

std::size_t weight(const Transaction& transaction) {
  std::size_t sum = kRow;
  for (const auto& write : transaction.writes) sum += std::visit(Weigh{}, write);
  return sum;
}

}  // namespace planexe::store
