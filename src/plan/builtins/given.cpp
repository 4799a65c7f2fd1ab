#include "plan/builtins/given.hpp"

#include "base/time.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan {
namespace {

constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// "2025-Oct-26", the form that imported plans have.
std::string prompt_date(std::string_view iso_date) {
  const auto date = parse_date(iso_date);
  if (!date) return std::string(iso_date);
  const auto month = static_cast<unsigned>(date->month());
  return std::string(iso_date.substr(0, 5)) + kMonths[month - 1] + std::string(iso_date.substr(7));
}

}  // namespace

Result<BuiltinResult> given_start_time(const BuiltinInput& in) {
  const json::value plan = in.plan;
  const auto created = text(plan, "created_at");
  const auto seconds = created.substr(0, 19);
  BuiltinResult result;
  result.outputs["time"] = json::object{{"server_iso_utc", seconds + "Z"},
                                        {"server_iso_local", seconds + "+00:00"},
                                        {"server_timezone_name", "UTC"},
                                        {"project_start_date", text(plan, "start_date")}};
  return result;
}

Result<BuiltinResult> given_setup(const BuiltinInput& in) {
  const json::value plan = in.plan;
  BuiltinResult result;
  result.outputs["prompt"] = json::string("Plan:\n" + text(plan, "prompt") + "\n\nToday's date:\n" +
                                          prompt_date(text(plan, "start_date")) +
                                          "\n\nThe project starts as soon as possible.");
  const auto* intake = find(plan, "intake");
  result.outputs["intake"] = intake ? *intake : json::value(nullptr);
  return result;
}

}  // namespace planexe::plan
