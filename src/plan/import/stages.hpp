#pragma once

#include <span>

#include "plan/import.hpp"

namespace planexe::plan {

/// Completes the outputs of a run of older shape in place: refs, classes, link types, settings as a list. Fields that
/// are there already stay.
void upgrade_outputs(ImportedRun& run);

/// Recovers the answers of all steps from the (upgraded) outputs.
void recover_answers(ImportedRun& run, std::span<const TaskFiles> tasks);

/// The answers that need more than the raw file's own fields, by task.
void recover_strategy_answers(ImportedRun& run);
void recover_execution_answers(ImportedRun& run);
void recover_structure_answers(ImportedRun& run);

/// Keeps of every recovered answer what fits the step's schema and indexes lists by id.
void shape_answers(ImportedRun& run, std::span<const TaskFiles> tasks);

}  // namespace planexe::plan
