#include "plan/cpm.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <queue>
#include <utility>

#include "base/error.hpp"

namespace planexe::plan {
namespace {

constexpr std::array<std::pair<LinkType, std::string_view>, 4> kTypes{{
    {LinkType::FS, "FS"},
    {LinkType::SS, "SS"},
    {LinkType::FF, "FF"},
    {LinkType::SF, "SF"},
}};

// Links by the activity at one of their ends.
std::vector<std::vector<std::size_t>> links_by(const Network& network, std::size_t NetworkLink::* end) {
  std::vector<std::vector<std::size_t>> lists(network.durations.size());
  for (std::size_t i = 0; i < network.links.size(); ++i) lists[network.links[i].*end].push_back(i);
  return lists;
}

int earliest_start(const NetworkLink& link, const ActivityTimes& from, int duration) {
  switch (link.type) {
    case LinkType::FS: return from.ef + link.lag;
    case LinkType::SS: return from.es + link.lag;
    case LinkType::FF: return from.ef + link.lag - duration;
    case LinkType::SF: return from.es + link.lag - duration;
  }
  return 0;
}

int latest_finish(const NetworkLink& link, const ActivityTimes& to, int duration) {
  switch (link.type) {
    case LinkType::FS: return to.ls - link.lag;
    case LinkType::SS: return to.ls - link.lag + duration;
    case LinkType::FF: return to.lf - link.lag;
    case LinkType::SF: return to.lf - link.lag + duration;
  }
  return 0;
}

// How far the first activity may move with the second one staying at its early dates.
int slack(const NetworkLink& link, const ActivityTimes& from, const ActivityTimes& to) {
  switch (link.type) {
    case LinkType::FS: return to.es - link.lag - from.ef;
    case LinkType::SS: return to.es - link.lag - from.es;
    case LinkType::FF: return to.ef - link.lag - from.ef;
    case LinkType::SF: return to.ef - link.lag - from.es;
  }
  return 0;
}

class Solver {
 public:
  explicit Solver(const Network& network)
      : network_(network),
        incoming_(links_by(network, &NetworkLink::to)),
        outgoing_(links_by(network, &NetworkLink::from)) {
    result_.times.resize(network.durations.size());
  }

  CpmResult run() {
    const auto order = topological_order(network_);
    PLANEXE_ASSERT(order.has_value());
    for (const std::size_t activity : *order) forward(activity);
    for (const ActivityTimes& times : result_.times) result_.length = std::max(result_.length, times.ef);
    for (auto activity = order->rbegin(); activity != order->rend(); ++activity) backward(*activity);
    for (const NetworkLink& link : network_.links)
      result_.driving.push_back(slack(link, result_.times[link.from], result_.times[link.to]) == 0);
    trace_path();
    return std::move(result_);
  }

 private:
  void forward(std::size_t activity) {
    ActivityTimes& times = result_.times[activity];
    const int duration = network_.durations[activity];
    for (const std::size_t link : incoming_[activity])
      times.es =
          std::max(times.es, earliest_start(network_.links[link], result_.times[network_.links[link].from], duration));
    times.ef = times.es + duration;
  }

  void backward(std::size_t activity) {
    ActivityTimes& times = result_.times[activity];
    const int duration = network_.durations[activity];
    times.lf = result_.length;
    times.free_float = result_.length - times.ef;
    for (const std::size_t index : outgoing_[activity]) {
      const NetworkLink& link = network_.links[index];
      times.lf = std::min(times.lf, latest_finish(link, result_.times[link.to], duration));
      times.free_float = std::min(times.free_float, slack(link, times, result_.times[link.to]));
    }
    times.ls = times.lf - duration;
    times.total_float = times.ls - times.es;
    times.critical = times.total_float == 0;
  }

  // From the first activity that ends last back along driving links; each of those leads to a critical activity, since
  // an activity that cannot move holds whatever drives it.
  void trace_path() {
    std::optional<std::size_t> at;
    for (std::size_t i = 0; i < result_.times.size() && !at; ++i)
      if (result_.times[i].ef == result_.length) at = i;
    while (at) {
      result_.path.push_back(*at);
      at = result_.times[*at].es == 0 ? std::nullopt : driver_of(*at);
    }
    std::ranges::reverse(result_.path);
  }

  std::optional<std::size_t> driver_of(std::size_t activity) const {
    std::optional<std::size_t> driver;
    for (const std::size_t index : incoming_[activity]) {
      const std::size_t from = network_.links[index].from;
      if (result_.driving[index] && result_.times[from].critical && (!driver || from < *driver)) driver = from;
    }
    return driver;
  }

  const Network& network_;
  std::vector<std::vector<std::size_t>> incoming_;
  std::vector<std::vector<std::size_t>> outgoing_;
  CpmResult result_;
};

}  // namespace

std::string_view to_string(LinkType type) { return kTypes[static_cast<std::size_t>(type)].second; }

std::optional<LinkType> link_type_from(std::string_view name) {
  for (const auto& [type, text] : kTypes)
    if (text == name) return type;
  return std::nullopt;
}

std::optional<std::vector<std::size_t>> topological_order(const Network& network) {
  const auto outgoing = links_by(network, &NetworkLink::from);
  std::vector<std::size_t> waiting(network.durations.size());
  for (const NetworkLink& link : network.links) ++waiting[link.to];
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < waiting.size(); ++i)
    if (waiting[i] == 0) ready.push(i);
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    for (const std::size_t link : outgoing[next])
      if (--waiting[network.links[link].to] == 0) ready.push(network.links[link].to);
  }
  if (order.size() != network.durations.size()) return std::nullopt;
  return order;
}

CpmResult solve_network(const Network& network) { return Solver(network).run(); }

}  // namespace planexe::plan
