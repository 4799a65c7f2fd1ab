#pragma once

#include <memory>
#include <string>

#include "answers.hpp"

namespace planexe::rehearsal {

/// The answers of a finished run (zip or folder), for `--answers`. Fields that the run lacks are taken from the example of the step.
/// Errors as of read_zip and plan::import_run.
Result<StoredAnswers> load_stored_answers(const std::string& path, const recipe::Recipe& recipe);

}  // namespace planexe::rehearsal
