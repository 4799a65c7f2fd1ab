#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plan/import.hpp"

namespace planexe::plan {

/// Short ids of things that other files name by id, name or position.
class RefTable {
 public:
  /// Refs PREFIX1, PREFIX2 ... for the objects of a list that have a text in `name_field`.
  RefTable(const json::value& objects, std::string_view prefix, std::string_view id_field, std::string_view name_field);
  RefTable() = default;

  /// "" when nothing, or more than one thing, is meant.
  [[nodiscard]] std::string of(std::string_view id_or_name) const;

  /// Sets `ref` on every object of the list that is known by id or name.
  void mark(json::value& objects, std::string_view id_field, std::string_view name_field) const;

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::map<std::string, std::string> refs_;
  std::size_t size_ = 0;
};

/// The member of a task's output, or null.
const json::value& output_of(const ImportedRun& run, std::string_view task, std::string_view output);

/// The raw answer of a task, also when it is nested under "response".
const json::value& raw_answer_of(const ImportedRun& run, std::string_view task, std::string_view output = "raw");

}  // namespace planexe::plan
