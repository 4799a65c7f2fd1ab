#pragma once

#include <string>
#include <vector>

#include "pace.hpp"
#include "script.hpp"
#include "wire.hpp"
#include "wire_plan.hpp"

namespace planexe::rehearsal {

/// A piece of a stream and when it is due, counted from the arrival of the request.
struct TimedPiece {
  std::chrono::milliseconds at{0};
  std::string bytes;
};

/// Times for events: the created ones with the headers, reasoning at half of the time to the first text, text at the token rate.
std::vector<TimedPiece> timed_events(const std::vector<WireEvent>& events, const Pace& pace);
std::vector<TimedPiece> timed_chunks(const std::vector<json::object>& chunks, const Pace& pace);

/// Characters per delta: large where nothing is paced, since each event costs both sides some microseconds.
std::size_t delta_chars(const Pace& pace);

/// When an answer with that many output tokens is complete.
std::chrono::milliseconds answer_time(const Pace& pace, std::int64_t output_tokens);

/// A stream as a plan. Pieces that were due before `elapsed` go out at once.
WirePlan stream_plan(const Headers& headers, const std::vector<TimedPiece>& pieces, std::chrono::milliseconds headers_at,
                     std::chrono::milliseconds elapsed = std::chrono::milliseconds(0));

/// A JSON answer at a time.
WirePlan json_plan(int status, const Headers& headers, const json::value& body, std::chrono::milliseconds at);

/// What a script makes of a good stream or answer. `pieces` are empty when the answer is no stream.
WirePlan scripted_plan(const ScriptStep& step, const Headers& headers, std::vector<TimedPiece> pieces, const json::value& body, const Pace& pace);

}  // namespace planexe::rehearsal
