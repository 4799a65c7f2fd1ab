#include "plan/time_axis.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace planexe::plan {
namespace {

// A stated end far behind the finish would squeeze the plan into a corner.
constexpr double kTargetRoom = 1.35;
// Two hundred years of months; beyond, only the axis loses its labels.
constexpr int kTicksMax = 2400;

constexpr const char* kMonths[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

TimeAxis::TimeAxis(const Schedule& schedule) : first_(schedule.calendar.start()) {
  const int plan_days = std::max(days_between(first_, schedule.lengths.finish_date) + 1, 1);
  days_ = plan_days;
  if (schedule.horizon.target) {
    const int target_days = days_between(first_, *schedule.horizon.target) + 1;
    if (target_days >= 1 && target_days <= plan_days * kTargetRoom) {
      days_ = std::max(days_, target_days);
      target_ = schedule.horizon.target;
    }
  }
  days_ += std::max(days_ / 40, 2);
  add_ticks();
}

double TimeAxis::at(Date date) const {
  return std::clamp(100.0 * days_between(first_, date) / days_, 0.0, 100.0);
}

double TimeAxis::after(Date date) const { return at(add_days(date, 1)); }

void TimeAxis::add_ticks() {
  Date month(first_.year(), first_.month(), std::chrono::day(1));
  if (first_.day() != std::chrono::day(1)) month = add_months(month, 1);
  for (int i = 0; i < kTicksMax && days_between(first_, month) < days_; ++i) {
    const auto number = static_cast<unsigned>(month.month());
    const bool with_year = number == 1 || i == 0;
    ticks_.push_back({month, at(month),
                      with_year ? fmt::format("{} {}", kMonths[number - 1], static_cast<int>(month.year())) : kMonths[number - 1]});
    month = add_months(month, 1);
  }
}

std::string percent(double value) {
  std::string text = fmt::format("{:.3f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + "%";
}

}  // namespace planexe::plan
