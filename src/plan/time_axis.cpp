#include "plan/time_axis.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace planexe::plan {
namespace {

// A stated end far behind the finish would squeeze the plan into a corner.
constexpr double kTargetRoom = 1.35;
// A month that begins before the axis gets a label at its start when the next one leaves room for it.
constexpr double kFirstLabelRoom = 11.0;
// Two hundred years of months; beyond, only the axis loses its labels.
constexpr int kTicksMax = 2400;

constexpr const char* kMonths[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string label_of(Date month, bool with_year) {
  const char* name = kMonths[static_cast<unsigned>(month.month()) - 1];
  return with_year ? fmt::format("{} {}", name, static_cast<int>(month.year())) : name;
}

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

double TimeAxis::at(Date date) const { return std::clamp(100.0 * days_between(first_, date) / days_, 0.0, 100.0); }

double TimeAxis::after(Date date) const { return at(add_days(date, 1)); }

void TimeAxis::add_ticks() {
  Date month(first_.year(), first_.month(), std::chrono::day(1));
  if (first_.day() != std::chrono::day(1)) {
    const std::string label = label_of(month, true);
    month = add_months(month, 1);
    if (at(month) >= kFirstLabelRoom) ticks_.push_back({first_, 0, label});
  }
  for (int i = 0; i < kTicksMax && days_between(first_, month) < days_; ++i) {
    const bool with_year = month.month() == std::chrono::January || ticks_.empty();
    ticks_.push_back({month, at(month), label_of(month, with_year)});
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
