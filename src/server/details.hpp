#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "server/report_view.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// The parts of `details` that a request wants; all of them for an empty list.
struct DetailParts {
  bool stages = true, log = true, files = true;
};
DetailParts detail_parts(const std::vector<std::string>& include);

struct DetailsSource {
  const store::PlanRow* plan = nullptr;
  const std::vector<store::TaskRow>* tasks = nullptr;
  const std::vector<store::ContentRow>* files = nullptr;  ///< as PlanFiles::list gives them
  std::string_view log;                                   ///< whole
  LoadText load;                                          ///< of small JSON files only
};

/// PlanDetails of the contract. JSON that is larger than limits::kDetailsDataBytesMax is not loaded.
Result<json::object> plan_details(const DetailsSource& source, const DetailParts& parts);

}  // namespace planexe::server
