#pragma once

#include <string>
#include <vector>

#include "plan/schedule.hpp"

namespace planexe::plan {

/// The horizontal axis of a chart in calendar days, as shares of its width (0 to 100).
class TimeAxis {
 public:
  struct Tick {
    Date date;          ///< first of a month, or the start of the axis
    double at = 0;      ///< percent
    std::string label;  ///< "Mar", with the year in January and at the first tick: "Jan 2027"
  };

  /// From the project start to its finish, or the stated end if that is not much later, with a little room.
  explicit TimeAxis(const Schedule& schedule);

  /// Percent of the morning of a date; clamped to the axis.
  [[nodiscard]] double at(Date date) const;

  /// Percent of the evening of a date.
  [[nodiscard]] double after(Date date) const;

  [[nodiscard]] const std::vector<Tick>& ticks() const { return ticks_; }
  [[nodiscard]] int days() const { return days_; }

  /// The stated end, when it lies on the axis.
  [[nodiscard]] const std::optional<Date>& target() const { return target_; }

 private:
  void add_ticks();

  Date first_;
  int days_ = 1;
  std::optional<Date> target_;
  std::vector<Tick> ticks_;
};

/// "12.5%": at most three decimals.
std::string percent(double value);

}  // namespace planexe::plan
