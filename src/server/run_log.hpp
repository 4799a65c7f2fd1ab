#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace planexe::server {

/// The name under which a plan's log is served. It is made from the stored log events, so it needs no file.
inline constexpr std::string_view kLogFile = "log.txt";

/// One line: time, level and message, without a line end and without control characters.
std::string log_line(const store::EventRow& event);

/// The whole log. The time is that of its first line.
struct RunLog {
  std::string text;
  TimePoint begun{};
};
Result<RunLog> read_log(store::Store& store, const std::string& plan_id);

/// At most `bytes` from the end, from the beginning of a line when there is one. A view into `text`.
std::string_view log_tail(std::string_view text, std::size_t bytes);

}  // namespace planexe::server
