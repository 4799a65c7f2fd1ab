#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace planexe::plan {

/// How a link ties two activities: which end of the first bounds which end of the second.
enum class LinkType { FS, SS, FF, SF };
std::string_view to_string(LinkType type);
std::optional<LinkType> link_type_from(std::string_view name);

/// A link between activities given by position. Lag in working days, may be negative.
struct NetworkLink {
  std::size_t from = 0;
  std::size_t to = 0;
  LinkType type = LinkType::FS;
  int lag = 0;
};

/// Activities in WBS order with their durations in working days (>= 0), and links without cycles.
struct Network {
  std::vector<int> durations;
  std::vector<NetworkLink> links;
};

/// Times in working days from 0; an activity covers the days [es, ef).
struct ActivityTimes {
  int es = 0;
  int ef = 0;
  int ls = 0;
  int lf = 0;
  int total_float = 0;
  int free_float = 0;
  bool critical = false;
};

struct CpmResult {
  std::vector<ActivityTimes> times;  ///< by activity
  std::vector<bool> driving;         ///< by link: it alone would not let its second activity start earlier
  std::vector<std::size_t> path;     ///< one critical path, from the start to the end
  int length = 0;                    ///< of the whole network
};

/// The critical path method (precedence diagram, Kelley and Walker 1959, generalised to four link types) with no start
/// before day 0 and no finish after the network's own length. A cycle is a bug of the caller and aborts.
CpmResult solve_network(const Network& network);

/// Activities so that every link leads forward; ties by position. Nothing when there is a cycle.
std::optional<std::vector<std::size_t>> topological_order(const Network& network);

}  // namespace planexe::plan
