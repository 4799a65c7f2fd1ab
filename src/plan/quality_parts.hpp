#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan/quality.hpp"

namespace planexe::plan {

/// The letters of an id: "FM" of "FM12".
std::string id_prefix(std::string_view id);

/// Ids that begin a heading, a list item, a table row or a labelled line: there the thing they name is defined.
void collect_defined_ids(std::string_view markdown, std::set<std::string>& ids);

/// Percent of list items and paragraphs that begin with the most common three words; labels ("**Owner:**") do not
/// count. 0 below six blocks.
int repeated_opener_percent(std::string_view markdown);

/// Labelled fields ("**Severity:** High") and table columns with at least six short values, nine tenths of them equal.
std::vector<ClassShare> one_sided_classes(std::string_view markdown);

/// True when the sentence says that it assumes, estimates, gives a range or must be verified.
bool marks_assumption(std::string_view sentence);

/// "short", "long" or "" against what sections of this kind have in good plans.
std::string length_against_norm(std::string_view section_id, int words);

}  // namespace planexe::plan
