#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "request.hpp"

namespace planexe::rehearsal {

/// What the person of a conversation has written: the texts of the user without the blocks that a program has added.
std::string own_words(std::string_view user_text);

/// What simple rules find in such a text; "" and empty lists for what they do not find.
struct StatedFacts {
  std::string amount, currency, deadline, team, scale, tolerance, language;
  std::vector<std::string> places, limits, successes;
  std::optional<bool> digital;
};
StatedFacts stated_facts(const std::string& text);

/// The answer to a call of the intake conversation (its next message, or the filled form) or of an analysis; nothing for
/// other requests. The interviewer asks two questions at a time, in at most three messages, each once and none whose
/// answer was given already. Every answer says that it is a rehearsal. Deterministic.
std::optional<std::string> interview_answer(const Request& request);

}  // namespace planexe::rehearsal
