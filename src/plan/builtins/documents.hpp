#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/builtin.hpp"
#include "plan/wbs.hpp"

// Step and finish functions of documents, breakdown, pitch and the late reviews. All are pure; what they read is said
// beside each.
namespace planexe::plan {

// wbs_levels.cpp
Result<BuiltinResult> finish_wbs_level1(
    const BuiltinInput& in);  ///< clean {id, project_title, final_deliverable} and the plain title
Result<BuiltinResult> finish_wbs_level2(
    const BuiltinInput& in);  ///< clean [{id, ref, major_phase_title, subtasks[{id, ref, description}]}]
Result<BuiltinResult> step_wbs_leaves(
    const BuiltinInput& in);  ///< reads the tree 019; [{ref, title, phase_ref, phase_title, before, after}]
Result<BuiltinResult> finish_wbs_level3(
    const BuiltinInput& in);  ///< reads the tree 019; clean [{id, name, description, resources_needed, parent_id}]

// durations.cpp; both read the tree 019
Result<BuiltinResult> step_duration_nodes(
    const BuiltinInput& in);  ///< [{ref, kind phase|task, title, phase_title, task_count}] in pre-order
Result<BuiltinResult> finish_task_durations(
    const BuiltinInput& in);  ///< the answered estimates in pre-order; what is missing is a finding

// dependencies.cpp; all read create_wbs_level2.clean
Result<BuiltinResult> step_dependency_groups(const BuiltinInput& in);  ///< one group per phase, two in fast mode
Result<BuiltinResult> step_isolated_phases(const BuiltinInput& in);    ///< phases that no link joins to another phase
Result<BuiltinResult> finish_task_dependencies(
    const BuiltinInput& in);  ///< 021: checked links, rejected ones with their reason

// document_lists.cpp
Result<BuiltinResult> finish_identify_documents(
    const BuiltinInput& in);  ///< C1.. and F1.. without equal names; view {create, find}
Result<BuiltinResult> finish_filter_documents_to_find(const BuiltinInput& in);    ///< reads identify_documents.find
Result<BuiltinResult> finish_filter_documents_to_create(const BuiltinInput& in);  ///< reads identify_documents.create
Result<BuiltinResult> finish_draft_documents(
    const BuiltinInput& in);  ///< its only read is the filtered list; adds the outline and draft_state

// pitch.cpp
Result<BuiltinResult> finish_pitch(const BuiltinInput& in);  ///< findings: figures that stand in none of the reads
Result<BuiltinResult> finish_executive_summary(const BuiltinInput& in);  ///< the same
Result<BuiltinResult> finish_pitch_document(
    const BuiltinInput& in);  ///< reads create_pitch.raw; raw {sections}, view {title, sections}

// review.cpp
Result<BuiltinResult> step_review_doubles(
    const BuiltinInput& in);  ///< questions whose answers repeat those of an earlier question
Result<BuiltinResult> finish_review_plan(const BuiltinInput& in);  ///< 024-1 and view {reviews}

// questions.cpp
Result<BuiltinResult> finish_questions_and_answers(
    const BuiltinInput& in);  ///< 027-1, 027-3 and view {pairs, gaps, summary}

// premortem.cpp
Result<BuiltinResult> finish_premortem(const BuiltinInput& in);  ///< 028-1 and view {assumptions, failures, gaps}

namespace documents {

/// The answer of an item that is done, else null.
const json::value* done_answer(const json::value& item);

/// True when the plan runs in the mode that skips details.
bool is_fast(const BuiltinInput& in);

/// Why an item has no answer, as a sentence for readers: left out by the speed mode, or no usable answer.
std::string gap_sentence(std::string_view what, const json::value& item);

/// The tree that the first read of a task holds (019). Error: it is no tree.
Result<Wbs> tree_of(const BuiltinInput& in);

/// The texts in a list; other values are left out.
json::array texts_of(const json::value& object, std::string_view key);

/// Appends a finding.
void note(BuiltinResult& result, std::string rule, std::string path, std::string message);

}  // namespace documents
}  // namespace planexe::plan
