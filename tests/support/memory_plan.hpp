#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace planexe::test {

/// The rows of one plan in memory, changed by transactions as a store would change them. It also checks what must hold for
/// any history: fencing, event numbers that only grow, one accepted result per unit and run, successors after predecessors.
class MemoryPlan {
 public:
  store::RunSnapshot rows;
  std::map<std::int64_t, store::InteractionRow> interactions;
  std::map<std::string, int> versions;  ///< writes per file name
  std::vector<std::string> violations;
  std::int64_t fencing = 1;

  store::CommitResult commit(const store::Transaction& transaction) {
    if (transaction.fencing && *transaction.fencing != fencing) return {store::CommitStatus::fenced, std::nullopt};
    started_.clear();
    for (const auto& write : transaction.writes) std::visit([this](const auto& one) { apply(one); }, write);
    for (const auto& key : started_) check_predecessors(key);
    return {store::CommitStatus::committed, std::nullopt};
  }

  /// What a restarted process reads.
  [[nodiscard]] store::RunSnapshot snapshot() const {
    auto copy = rows;
    for (const auto& [id, row] : interactions)
      if (row.status == "pending" || row.status == "running") copy.open_interactions.push_back(row);
    return copy;
  }

  [[nodiscard]] const store::TaskRow& task(const std::string& key) const {
    for (const auto& row : rows.tasks)
      if (row.task_key == key) return row;
    static const store::TaskRow none;
    return none;
  }
  [[nodiscard]] std::string content(const std::string& name) const {
    for (const auto& row : rows.contents)
      if (row.filename == name) return row.content;
    return {};
  }

 private:
  std::vector<std::string> started_;  ///< by the transaction in work; judged when all of it is applied

  void violate(std::string what) { violations.push_back(std::move(what)); }

  void apply(const store::CreatePlan& w) {
    rows.plan = w.plan;
    rows.tasks = w.tasks;
    rows.edges = w.edges;
  }
  void apply(const store::PutPlan& w) {
    const auto reserved = rows.plan.seq_reserved;
    rows.plan = w.plan;
    rows.plan.seq_reserved = reserved;
  }
  void apply(const store::PutTask& w) {
    for (auto& row : rows.tasks) {
      if (row.task_key != w.task.task_key) continue;
      if (w.task.state == "running" && row.state != "running") started_.push_back(w.task.task_key);
      row = w.task;
    }
  }
  void check_predecessors(const std::string& key) {
    for (const auto& edge : rows.edges) {
      if (edge.to_key != key) continue;
      const auto& from = task(edge.from_key);
      const bool good = from.state == "completed" || from.state == "skipped";
      const bool ended = good || from.state == "failed" || from.state == "blocked" || from.state == "cancelled";
      if (edge.tolerant ? !ended : !good) violate(key + " started while " + edge.from_key + " was " + from.state);
    }
  }
  void apply(const store::PutItem& w) {
    for (auto& row : rows.items) {
      if (row.task_key != w.item.task_key || row.item_key != w.item.item_key) continue;
      if (row.state == "done" && w.item.state == "done" && row.run_attempt == w.item.run_attempt && row.result != w.item.result)
        violate(row.task_key + "/" + row.item_key + " was accepted twice");
      row = w.item;
      return;
    }
    rows.items.push_back(w.item);
  }
  void apply(const store::DeleteItems& w) {
    std::erase_if(rows.items, [&](const auto& row) {
      return row.task_key == w.task_key && (w.keys.empty() || std::find(w.keys.begin(), w.keys.end(), row.item_key) != w.keys.end());
    });
  }
  void apply(const store::PutContent& w) {
    ++versions[w.content.filename];
    std::erase_if(rows.contents, [&](const auto& row) { return row.filename == w.content.filename; });
    rows.contents.push_back(w.content);
  }
  void apply(const store::MarkStale& w) {
    for (auto& row : rows.contents)
      if (row.task_key == w.task_key) row.stale = true;
  }
  void apply(const store::PutInteraction& w) { interactions[w.row.id] = w.row; }
  void apply(const store::UpdateInteraction& w) {
    auto& row = interactions[w.row.id];
    const auto blocks = row.prompt_blocks;
    row = w.row;
    row.prompt_blocks = blocks;
  }
  void apply(const store::SetResponseId& w) {
    auto& row = interactions[w.id];
    row.response_id = w.response_id;
    row.status = "running";
  }
  void apply(const store::AppendEvents& w) {
    for (const auto& event : w.events) {
      if (event.seq <= rows.last_seq) violate("event number " + std::to_string(event.seq) + " is not above " + std::to_string(rows.last_seq));
      rows.last_seq = event.seq;
    }
  }
  void apply(const store::ReserveSeq& w) { rows.plan.seq_reserved = std::max(rows.plan.seq_reserved, w.up_to); }
  template <class Other>
  void apply(const Other&) {}  // rows that no run reads back
  void apply(const store::RequestCancel& w) { rows.plan.cancel_requested_at = w.at; }
  void apply(const store::DeletePlan&) { rows = {}; }
};

}  // namespace planexe::test
