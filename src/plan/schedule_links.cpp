#include "plan/schedule_links.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "plan/builtins/common.hpp"
#include "plan/strong_components.hpp"

namespace planexe::plan {
namespace {

// A link between activities by position, with its text.
struct Candidate {
  NetworkLink link;
  std::string explanation;
};

// What ids and refs stand for: the positions of activities.
class Endpoints {
 public:
  explicit Endpoints(const Wbs& wbs) : activities_(activities_of(wbs)) {
    for (std::size_t i = 0; i < activities_.size(); ++i) positions_[activities_[i]->id] = i;
    for (const WbsNode& phase : wbs.root.children) {
      add(phase);
      for (const WbsNode& task : phase.children) {
        add(task);
        phase_of_[&task] = &phase;
      }
    }
  }

  const WbsNode* find(const std::string& id) const {
    const auto by_id = nodes_.find("=" + id);
    if (by_id != nodes_.end()) return by_id->second;
    const auto by_ref = nodes_.find("#" + id);
    return by_ref == nodes_.end() ? nullptr : by_ref->second;
  }

  std::vector<std::size_t> expand(const WbsNode& node) const {
    if (const auto position = positions_.find(node.id); position != positions_.end()) return {position->second};
    std::vector<std::size_t> all;
    for (const WbsNode& task : node.children) all.push_back(positions_.at(task.id));
    return all;
  }

  bool same_phase_link(const WbsNode& a, const WbsNode& b) const { return is_in(a, b) || is_in(b, a); }
  const WbsNode& activity(std::size_t position) const { return *activities_[position]; }
  std::size_t size() const { return activities_.size(); }

 private:
  void add(const WbsNode& node) {
    nodes_.emplace("=" + node.id, &node);
    nodes_.emplace("#" + node.ref, &node);
  }
  bool is_in(const WbsNode& task, const WbsNode& phase) const {
    const auto own = phase_of_.find(&task);
    return own != phase_of_.end() && own->second == &phase;
  }

  std::vector<const WbsNode*> activities_;
  std::map<std::string, std::size_t> positions_;
  std::map<std::string, const WbsNode*> nodes_;  // "=" id or "#" ref
  std::map<const WbsNode*, const WbsNode*> phase_of_;
};

class Checker {
 public:
  explicit Checker(const Wbs& wbs) : ends_(wbs) {}

  CheckedLinks run(std::vector<LinkRequest> requests) {
    std::ranges::sort(requests, {},
                      [](const LinkRequest& r) { return std::tie(r.to, r.from, r.type, r.lag_days, r.explanation); });
    for (LinkRequest& request : requests) expand(request);
    sort_candidates();
    drop_duplicates();
    drop_cycles();
    return finish();
  }

 private:
  void reject(std::string from, std::string to, LinkType type, std::string reason) {
    result_.rejected.push_back({std::move(from), std::move(to), type, std::move(reason)});
  }

  void reject(const Candidate& candidate, std::string reason) {
    reject(ends_.activity(candidate.link.from).id, ends_.activity(candidate.link.to).id, candidate.link.type,
           std::move(reason));
  }

  void expand(LinkRequest& request) {
    const WbsNode* from = ends_.find(request.from);
    const WbsNode* to = ends_.find(request.to);
    const char* reason = nullptr;
    if (from == nullptr || to == nullptr) {
      reason = "unknown_id";
    } else if (from == to) {
      reason = "self_link";
    } else if (ends_.same_phase_link(*from, *to)) {
      reason = "own_phase";
    } else if (request.lag_days < -kDaysMax || request.lag_days > kDaysMax) {
      reason = "lag_out_of_range";
    }
    if (reason != nullptr) return reject(request.from, request.to, request.type, reason);
    const std::vector<std::size_t> before = ends_.expand(*from);
    const std::vector<std::size_t> after = ends_.expand(*to);
    if (candidates_.size() + before.size() * after.size() > kLinksMax)
      return reject(request.from, request.to, request.type, "too_many");
    for (const std::size_t i : before)
      for (const std::size_t j : after)
        candidates_.push_back({{i, j, request.type, request.lag_days}, request.explanation});
  }

  // By waiting activity, predecessor and type; among equals the larger lag first, then the text, so that the one that
  // stays does not depend on the order of answers.
  void sort_candidates() {
    std::ranges::sort(candidates_, [](const Candidate& a, const Candidate& b) {
      return std::tie(a.link.to, a.link.from, a.link.type, b.link.lag, a.explanation) <
             std::tie(b.link.to, b.link.from, b.link.type, a.link.lag, b.explanation);
    });
  }

  void drop_duplicates() {
    std::vector<Candidate> kept;
    for (Candidate& candidate : candidates_) {
      const bool repeats = !kept.empty() && kept.back().link.from == candidate.link.from &&
                           kept.back().link.to == candidate.link.to && kept.back().link.type == candidate.link.type;
      if (repeats) {
        reject(candidate, "duplicate");
      } else {
        kept.push_back(std::move(candidate));
      }
    }
    candidates_ = std::move(kept);
  }

  // A later link is one that reaches further back, then one with the larger ids.
  bool goes_before(const Candidate& a, const Candidate& b) const {
    const auto reach = [](const Candidate& c) { return static_cast<long>(c.link.from) - static_cast<long>(c.link.to); };
    const auto ids = [this](const Candidate& c) {
      return std::tie(ends_.activity(c.link.from).id, ends_.activity(c.link.to).id, c.link.type);
    };
    return reach(a) != reach(b) ? reach(a) > reach(b) : ids(a) < ids(b);
  }

  void drop_cycles() {
    while (true) {
      std::vector<Edge> edges;
      for (const Candidate& candidate : candidates_) edges.push_back({candidate.link.from, candidate.link.to});
      const std::vector<std::size_t> component = strong_components(ends_.size(), edges);
      std::map<std::size_t, std::size_t> worst;  // component -> candidate
      for (std::size_t i = 0; i < candidates_.size(); ++i) {
        if (component[candidates_[i].link.from] != component[candidates_[i].link.to]) continue;
        const auto [entry, added] = worst.emplace(component[candidates_[i].link.from], i);
        if (!added && goes_before(candidates_[i], candidates_[entry->second])) entry->second = i;
      }
      if (worst.empty()) return;
      std::vector<std::size_t> removed;
      for (const auto& [id, index] : worst) removed.push_back(index);
      std::ranges::sort(removed, std::greater<>());
      for (const std::size_t index : removed) {
        reject(candidates_[index], "cycle");
        candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(index));
      }
    }
  }

  CheckedLinks finish() {
    for (Candidate& candidate : candidates_) {
      const NetworkLink& link = candidate.link;
      result_.network.push_back(link);
      result_.links.push_back({ends_.activity(link.from).id, ends_.activity(link.to).id, link.type, link.lag,
                               std::move(candidate.explanation), false});
    }
    std::ranges::sort(result_.rejected, {},
                      [](const RejectedLink& r) { return std::tie(r.to, r.from, r.type, r.reason); });
    return std::move(result_);
  }

  Endpoints ends_;
  std::vector<Candidate> candidates_;
  CheckedLinks result_;
};

std::string text_at(const json::array& list, std::size_t index) {
  if (index >= list.size() || !list[index].is_string()) return {};
  return std::string(std::string_view(list[index].get_string()));
}

int lag_at(const json::array& list, std::size_t index) {
  const auto lag = index < list.size() ? as_int(list[index]) : std::nullopt;
  // Out of range stays out of range, so that the check can name it.
  return static_cast<int>(std::clamp<std::int64_t>(lag.value_or(0), -kDaysMax - 1, kDaysMax + 1));
}

}  // namespace

std::vector<const WbsNode*> activities_of(const Wbs& wbs) {
  std::vector<const WbsNode*> activities;
  for (const WbsNode& phase : wbs.root.children) {
    if (phase.children.empty()) activities.push_back(&phase);
    for (const WbsNode& task : phase.children) activities.push_back(&task);
  }
  return activities;
}

CheckedLinks check_links(const Wbs& wbs, std::vector<LinkRequest> requests) {
  return Checker(wbs).run(std::move(requests));
}

std::vector<LinkRequest> links_from_json(const json::value& dependencies) {
  std::vector<LinkRequest> links;
  for (const json::value& entry : list(dependencies, "task_dependency_details")) {
    const json::array& from = list(entry, "depends_on_task_id_list");
    const json::array& why = list(entry, "depends_on_task_explanation_list");
    const json::array& types = list(entry, "depends_on_task_type_list");
    const json::array& lags = list(entry, "depends_on_task_lag_days_list");
    for (std::size_t i = 0; i < from.size(); ++i)
      links.push_back({text_at(from, i), text(entry, "dependent_task_id"),
                       link_type_from(text_at(types, i)).value_or(LinkType::FS), lag_at(lags, i), text_at(why, i)});
  }
  return links;
}

std::vector<std::string> answered_tasks(const json::value& dependencies) {
  std::vector<std::string> ids;
  for (const json::value& entry : list(dependencies, "task_dependency_details"))
    ids.push_back(text(entry, "dependent_task_id"));
  return ids;
}

}  // namespace planexe::plan
