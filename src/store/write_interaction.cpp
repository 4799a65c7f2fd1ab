#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "store/apply.hpp"
#include "store/columns.hpp"

namespace planexe::store::writes {
namespace {

/// What an attempt adds to the sums of its plan.
struct Ledger {
  std::int64_t input = 0, cached = 0, output = 0, reasoning = 0, cost = 0;

  static Ledger of(const InteractionRow& row) {
    return {row.input_tokens, row.cached_input_tokens, row.output_tokens, row.reasoning_tokens,
            row.cost_micros.value_or(0)};
  }
  Ledger operator-(const Ledger& other) const {
    return {input - other.input, cached - other.cached, output - other.output, reasoning - other.reasoning,
            cost - other.cost};
  }
  bool operator==(const Ledger&) const = default;
};

struct Calls {
  int calls = 0, retries = 0, repairs = 0;

  static Calls of(const InteractionRow& row) {
    const bool repair = row.attempt_reason == "repair";
    const bool first = row.attempt_reason.empty() || row.attempt_reason == "first";
    return {1, !first && !repair ? 1 : 0, repair ? 1 : 0};
  }
};

/// The sums of the plan move with every attempt, so that they never have to be computed from the whole ledger.
Result<void> add_to_metrics(const Context& context, const std::string& plan_id, const Ledger& sum, const Calls& calls) {
  if (plan_id.empty()) return {};
  return context.db.send(
      "UPDATE plan_metrics SET total_llm_calls = total_llm_calls + ?, retries = retries + ?, repairs = repairs + ?, "
      "total_tokens_used = total_tokens_used + ?, input_tokens = input_tokens + ?, "
      "cached_input_tokens = cached_input_tokens + ?, output_tokens = output_tokens + ?, "
      "reasoning_tokens = reasoning_tokens + ?, total_cost_usd = (total_cost_micros + ?) / 1000000.0, "
      "total_cost_micros = total_cost_micros + ?, updated_at = ? WHERE plan_id = ?",
      {calls.calls, calls.retries, calls.repairs, sum.input + sum.output, sum.input, sum.cached, sum.output,
       sum.reasoning, sum.cost, sum.cost, context.now, plan_id});
}

bool is_open(std::string_view status) { return status == "pending" || status == "running"; }

Error no_interaction(std::int64_t id) {
  return {ErrorCode::InteractionNotFound, fmt::format("There is no interaction {} of this owner.", id)};
}

sql::Expected one_interaction(std::int64_t id) {
  return {1, [id] { return no_interaction(id); }};
}

/// The row as it is stored: its owner is the plan of the transaction unless it names another.
Result<InteractionRow> with_owner(const Context& context, const InteractionRow& given) {
  InteractionRow row = given;
  if (row.plan_id.empty() && row.owner_kind == "plan") row.plan_id = context.plan_id;
  if (row.owner_id.empty()) row.owner_id = row.plan_id;
  if (row.id <= 0 || row.plan_id != context.plan_id || row.owner_id.empty()) {
    return fail(ErrorCode::InvalidArgument, "An interaction needs a reserved id and the plan or owner it belongs to.");
  }
  return row;
}

/// Rows in one statement; each length up to this one is prepared once.
constexpr std::size_t kBlocksPerStatement = 16;

Result<void> link_blocks(const Context& context, std::int64_t interaction, std::size_t first,
                         std::span<const std::string> hashes) {
  std::string wanted;
  std::vector<sql::Param> values{interaction};
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    wanted += i == 0 ? "SELECT CAST(? AS INTEGER) AS position, CAST(? AS TEXT) AS hash" : " UNION ALL SELECT ?, ?";
    values.insert(values.end(), {first + i, hashes[i]});
  }
  const auto missing = [&hash = hashes.front()] {
    return Error(ErrorCode::InvalidArgument, "A prompt names a text that is not stored; put its blocks first.", hash);
  };
  return context.db.send("INSERT INTO interaction_blocks (interaction_id, position, block_id) SELECT ?, wanted.position, "
                         "text_blocks.id FROM (" + wanted + ") AS wanted JOIN text_blocks ON text_blocks.sha256 = wanted.hash",
                         values, {static_cast<std::int64_t>(hashes.size()), missing});
}

/// `hashes` are those of the write itself: the check of the last statement may come after this call.
Result<void> link_blocks(const Context& context, std::int64_t interaction, std::span<const std::string> hashes) {
  for (std::size_t at = 0; at < hashes.size(); at += kBlocksPerStatement)
    PLANEXE_TRY(link_blocks(context, interaction, at, hashes.subspan(at, std::min(kBlocksPerStatement, hashes.size() - at))));
  return {};
}

Result<void> expect_same_attempt(const Context& context, const InteractionRow& row) {
  auto rows = context.db.query(
      "SELECT owner_kind, owner_id, call_key, run_attempt, attempt FROM llm_interactions "
      "WHERE id = ?",
      {row.id});
  bool same = false;
  if (rows.next()) {
    same = rows.view() == row.owner_kind && rows.view() == row.owner_id && rows.view() == row.call_key &&
           rows.small() == row.run_attempt && rows.small() == row.attempt;
  }
  PLANEXE_TRY(rows.status());
  if (same) return {};
  return fail(ErrorCode::Conflict, fmt::format("The interaction id {} is used by another attempt.", row.id));
}

}  // namespace

Result<void> apply(const Context& context, const PutInteraction& write) {
  PLANEXE_TRY_ASSIGN(const InteractionRow row, with_owner(context, write.row));
  auto fields = interaction_identity_fields(row);
  auto results = interaction_result_fields(row);
  fields.insert(fields.end(), std::make_move_iterator(results.begin()), std::make_move_iterator(results.end()));
  fields.push_back({"fencing", context.fence()});
  PLANEXE_TRY_ASSIGN(const auto inserted,
                     sql::insert(context.db, "llm_interactions", std::move(fields), "ON CONFLICT (id) DO NOTHING"));
  if (inserted == 0) return expect_same_attempt(context, row);
  PLANEXE_TRY(link_blocks(context, row.id, write.row.prompt_blocks));
  return add_to_metrics(context, row.plan_id, Ledger::of(row), Calls::of(row));
}

Result<void> apply(const Context& context, const UpdateInteraction& write) {
  const InteractionRow& row = write.row;
  auto rows = context.db.query(
      "SELECT status, plan_id, input_tokens, cached_input_tokens, output_tokens, "
      "reasoning_tokens, cost_micros FROM llm_interactions WHERE id = ? "
      "AND plan_id IS NOT DISTINCT FROM ?",
      {row.id, sql::text_or_null(context.plan_id)});
  if (!rows.next()) {
    PLANEXE_TRY(rows.status());
    return std::unexpected(no_interaction(row.id));
  }
  const bool ended = !is_open(rows.view());
  const std::string plan_id = rows.string();
  const Ledger before{rows.integer(), rows.integer(), rows.integer(), rows.integer(), rows.integer()};
  PLANEXE_TRY(rows.status());
  if (ended && is_open(row.status)) return {};

  auto fields = interaction_result_fields(row);
  fields.push_back({"fencing", context.fence()});
  PLANEXE_TRY(sql::send_update(context.db, "llm_interactions", std::move(fields), "id = ?", {row.id}, one_interaction(row.id)));
  const Ledger added = Ledger::of(row) - before;
  if (added == Ledger{}) return {};
  return add_to_metrics(context, plan_id, added, Calls{});
}

Result<void> apply(const Context& context, const AbandonCalls& write) {
  return context.db.send("UPDATE llm_interactions SET status = 'abandoned', completed_at = ?, usage_source = 'estimate', "
                         "error_message = ? WHERE plan_id IS NULL AND status IN ('pending', 'running') AND started_at < ?",
                         {context.now, write.message, write.before});
}

Result<void> apply(const Context& context, const SetResponseId& write) {
  return context.db.send(
      "UPDATE llm_interactions SET response_id = ?, "
      "last_event_sequence = CASE WHEN last_event_sequence < ? THEN ? ELSE last_event_sequence END, "
      "status = CASE WHEN status = 'pending' THEN 'running' ELSE status END "
      "WHERE id = ? AND plan_id IS NOT DISTINCT FROM ?",
      {sql::text_or_null(write.response_id), write.last_event_sequence, write.last_event_sequence, write.id,
       sql::text_or_null(context.plan_id)},
      one_interaction(write.id));
}

}  // namespace planexe::store::writes
