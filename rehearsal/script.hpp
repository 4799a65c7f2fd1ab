#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "wire_plan.hpp"

namespace planexe::rehearsal {

/// What one answer does differently from a good one. Absent members leave things as they are.
struct ScriptStep {
  std::optional<int> status;
  Headers headers;
  std::optional<std::string> body;            ///< a JSON value of the script is sent as JSON
  std::optional<std::string> raw;             ///< every byte of the answer, head included; the connection ends after it
  std::optional<std::vector<std::string>> events;  ///< the stream's pieces, already in wire form
  std::vector<std::size_t> bytes;             ///< sizes of the written pieces, used in turn
  std::chrono::milliseconds accept{0}, headers_delay{0}, first_event{0}, between{0};
  std::string connection;                     ///< refuse, reset, close, half_close, stall; "" = none
  int after_events = -1;                      ///< the action comes after that many events; -1: before any byte of the answer
  std::string answer;                         ///< a kind of wrong answer (spoil.hpp)
  std::optional<std::string> text;            ///< the answer's text
  std::string incomplete;                     ///< reason of an incomplete answer: max_output_tokens, content_filter
  std::string failed;                         ///< error code of a failed response
  bool replay = false;                        ///< of a GET: the stream begins at 0 whatever `starting_after` says
  std::optional<json::value> usage;           ///< replaces the usage of the answer
};

/// Facts of a request that scripts can ask for.
struct RequestFacts {
  std::string path, model, call, task, attempt;
};

/// Scripts in the order they came; the first that matches and is not used up answers a request.
class ScriptBook {
 public:
  /// `{match: {model?, call?, task?, attempt?, path?, nth?}, repeat?, steps: [step...]}`. Each matching request takes the next step; the list is
  /// gone through `repeat` times (default 1, 0 = without end). `nth` counts matching requests from 1. Without `path` only requests for an answer
  /// match (POST /v1/responses, /v1/chat/completions); a path may end in `*`.  INVALID_REQUEST names the member.
  Result<void> add(const json::value& script);
  void clear() { scripts_.clear(); }
  [[nodiscard]] std::size_t size() const { return scripts_.size(); }

  /// The step for this request; counts it as used. Null: answer well. Valid until the next add or clear.
  const ScriptStep* next(const RequestFacts& facts);

 private:
  struct Script {
    RequestFacts match;
    std::int64_t nth = 0, repeat = 1, seen = 0, used = 0;
    std::vector<ScriptStep> steps;
  };
  static bool matches(const Script& script, const RequestFacts& facts);

  std::vector<Script> scripts_;
};

/// A step of a script (also used for random faults).
Result<ScriptStep> read_step(const json::value& value);

}  // namespace planexe::rehearsal
