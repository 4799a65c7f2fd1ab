#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace planexe::server {

/// The draft of the form as a conversation keeps it: with the turn it was made in and the language that was spoken.
struct IntakeDraft {
  int turn = 0;
  std::string language;
  json::object form;  ///< as clients see it

  [[nodiscard]] json::value to_json() const;
  /// Nothing for null and for what is no draft.
  static std::optional<IntakeDraft> from_json(const json::value& stored);
};

/// A draft from what form_judge() accepted. The first prompt and the time are the server's own.
IntakeDraft make_draft(const json::value& judged, int turn, std::string_view first_prompt, TimePoint now);

/// True when both say the same; the time of capture does not count.
bool same_form(const json::object& a, const json::object& b);

/// The complete form with its defaults, or null while required fields are missing.
json::value complete_form(const std::optional<IntakeDraft>& draft);

/// Names of required fields that are not known yet, dotted.
json::array missing_fields(const std::optional<IntakeDraft>& draft);

/// The prompt of a plan: the person's own words, then what the form knows beyond them, labelled in the language of the
/// conversation where we have its labels, else in English. At most limits::kEnrichedPromptCharsMax characters; facts that
/// do not fit are left out from the end, the person's words are not cut.
std::string enriched_prompt(std::string_view first_prompt, const std::optional<IntakeDraft>& draft);

}  // namespace planexe::server
