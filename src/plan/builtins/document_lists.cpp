#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"

namespace planexe::plan {
namespace {

using documents::note;

/// Documents that the selection looks for; a level is taken whole, so more can result.
constexpr std::size_t kSelected = 5;

constexpr std::array<std::string_view, 4> kLevels{"Critical", "High", "Medium", "Low"};

constexpr std::array<std::string_view, 5> kOutlineFields{"essential_information", "risks_of_poor_quality",
                                                         "worst_case_scenario", "best_case_scenario",
                                                         "fallback_alternative_approaches"};

/// Documents of one answered list with id and ref; a name is kept once. Older answers carry a second list of the same
/// kind.
json::array listed(const BuiltinInput& in, const json::value& answer, const std::string& field, char letter,
                   IdMint& mint, BuiltinResult& result) {
  json::array documents;
  std::set<std::string> names;
  for (const std::string& key : {field, field + "_part2"}) {
    for (const json::value& entry : list(answer, key)) {
      const std::string name = trim(text(entry, "document_name"));
      if (name.empty()) continue;
      if (!names.insert(normalize_name(name)).second) {
        note(result, "duplicate_document", field,
             fmt::format("\"{}\" stood in the list twice and is kept once.", name));
        continue;
      }
      json::object document{{"id", mint.next(field, name)}, {"ref", fmt::format("{}{}", letter, documents.size() + 1)}};
      for (const auto& member : entry.get_object())
        if (member.key() != "id" && member.key() != "ref") document[member.key()] = member.value();
      document["document_name"] = name;
      documents.push_back(std::move(document));
    }
  }
  if (documents.empty())
    note(result, "empty_list", field, fmt::format("{} named no document in {}.", in.task_key, field));
  return documents;
}

void check_both_lists(const json::array& create, const json::array& find, BuiltinResult& result) {
  const RefIndex names(find, "ref", "document_name");
  for (const json::value& document : create) {
    const std::string name = text(document, "document_name");
    if (names.find(name))
      note(result, "in_both_lists", text(document, "ref"),
           fmt::format("\"{}\" is both to be written and to be found.", name));
  }
}

struct Rating {
  std::size_t level = 0;  ///< position in kLevels
  std::string rationale;
};

/// The position that a rating's id means: a ref, or the number that older answers use.
std::optional<std::size_t> position_of(const json::value& entry, const RefIndex& index, std::size_t count) {
  if (const auto number = get_int(entry, "id"); number && *number >= 0 && static_cast<std::size_t>(*number) < count)
    return static_cast<std::size_t>(*number);
  return index.find(text(entry, "id"));
}

std::vector<std::optional<Rating>> ratings_of(const json::value& answer, const json::array& documents,
                                              BuiltinResult& result) {
  std::vector<std::optional<Rating>> ratings(documents.size());
  const RefIndex index(documents, "ref");
  for (const json::value& entry : list(answer, "document_list")) {
    const auto position = position_of(entry, index, documents.size());
    const auto* level = std::ranges::find(kLevels, text(entry, "impact_rating"));
    if (!position || level == kLevels.end()) {
      note(result, "unknown_id", "document_list",
           fmt::format("A rating names \"{}\", which is no document of the list.", text(entry, "id")));
    } else if (!ratings[*position]) {
      ratings[*position] = Rating{static_cast<std::size_t>(level - kLevels.begin()), text(entry, "rationale")};
    }
  }
  return ratings;
}

/// Positions in the order of rating, then of the list: whole levels until there are five; the fast mode stops at five.
std::vector<std::size_t> selected(const std::vector<std::optional<Rating>>& ratings, bool fast) {
  std::vector<std::size_t> chosen;
  for (std::size_t level = 0; level < kLevels.size() && chosen.size() < kSelected; ++level)
    for (std::size_t i = 0; i < ratings.size(); ++i)
      if (ratings[i] && ratings[i]->level == level) chosen.push_back(i);
  if (fast && chosen.size() > kSelected) chosen.resize(kSelected);
  return chosen;
}

Result<BuiltinResult> filter(const BuiltinInput& in, std::string_view reference) {
  const json::value* answer = step_answer(in);
  const json::value& documents = read(in, reference);
  if (answer == nullptr || !documents.is_array())
    return fail(ErrorCode::Internal, fmt::format("{} has nothing to select from", in.task_key));
  BuiltinResult result;
  const auto ratings = ratings_of(*answer, documents.get_array(), result);
  json::array clean;
  for (const std::size_t i : selected(ratings, documents::is_fast(in))) {
    json::object document = documents.get_array()[i].get_object();
    document["impact_rating"] = kLevels[ratings[i]->level];
    document["rationale"] = ratings[i]->rationale;
    clean.push_back(std::move(document));
  }
  for (std::size_t i = 0; i < ratings.size(); ++i) {
    if (ratings[i]) continue;
    result.degraded = true;
    note(result, "not_rated", text(documents.get_array()[i], "ref"),
         fmt::format("\"{}\" was not rated and is not selected.", text(documents.get_array()[i], "document_name")));
  }
  result.outputs["clean"] = std::move(clean);
  return result;
}

const json::value* item_of(const json::array& items, const json::value& document) {
  const std::string ref = text(document, "ref");
  for (const json::value& item : items) {
    const json::value* element = find(item, "element");
    if (element != nullptr && text(*element, "ref") == ref) return &item;
  }
  return nullptr;
}

}  // namespace

Result<BuiltinResult> finish_identify_documents(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "identify_documents has no answer to finish");
  BuiltinResult result;
  IdMint mint(in.plan_id, in.task_key);
  json::array create = listed(in, *answer, "documents_to_create", 'C', mint, result);
  json::array find = listed(in, *answer, "documents_to_find", 'F', mint, result);
  check_both_lists(create, find, result);
  result.view = json::object{{"create", create}, {"find", find}};
  result.outputs["find"] = std::move(find);
  result.outputs["create"] = std::move(create);
  return result;
}

Result<BuiltinResult> finish_filter_documents_to_find(const BuiltinInput& in) {
  return filter(in, "identify_documents.find");
}

Result<BuiltinResult> finish_filter_documents_to_create(const BuiltinInput& in) {
  return filter(in, "identify_documents.create");
}

Result<BuiltinResult> finish_draft_documents(const BuiltinInput& in) {
  const auto source = std::ranges::find_if(in.reads, [](const auto& member) { return member.value().is_array(); });
  if (source == in.reads.end())
    return fail(ErrorCode::Internal, fmt::format("{} has no documents to outline", in.task_key));
  BuiltinResult result;
  json::array clean;
  for (const json::value& entry : source->value().get_array()) {
    if (!entry.is_object()) continue;
    json::object document = entry.get_object();
    const json::value* item = item_of(step_items(in), entry);
    const json::value* answer = item == nullptr ? nullptr : documents::done_answer(*item);
    if (answer != nullptr) {
      for (const std::string_view field : kOutlineFields)
        if (const json::value* value = find(*answer, field)) document[field] = *value;
      document["draft_state"] = "done";
    } else if (item != nullptr && text(*item, "state") == "missing") {
      document["draft_state"] = "missing";
      result.degraded = true;
      note(result, "not_drafted", text(entry, "ref"),
           fmt::format("\"{}\" could not be outlined.", text(entry, "document_name")));
    } else {
      document["draft_state"] = "skipped";
    }
    clean.push_back(std::move(document));
  }
  result.outputs["clean"] = std::move(clean);
  return result;
}

}  // namespace planexe::plan
