#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/time.hpp"
#include "llm/types.hpp"

namespace planexe::server {

/// The instructions of the interviewer, of the one who fills in the form, and of the analyst, as packed into the program.
const std::string& interviewer_instructions();
const std::string& form_instructions();
const std::string& analysis_instructions();

/// What a model fills in: the form without what the server knows itself (the first prompt, the time), all fields required
/// and unknown ones null, and the language of the conversation. In the strict subset.
const json::value& form_schema();

/// True for what a client may name as schema: nothing, or the form's name or class path. No class is loaded by name.
bool known_schema(std::string_view name);

/// Reads an answer to form_schema(). The value of the judgement is {"language": "en", "form": draft without first prompt and time}.
llm::Judge form_judge();

/// A draft as the form has it: texts trimmed, blank ones null, blank and repeated entries of lists left out.
json::object tidy_draft(json::object draft);

}  // namespace planexe::server
