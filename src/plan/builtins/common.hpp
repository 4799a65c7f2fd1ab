#pragma once

#include <optional>

#include "plan/builtin.hpp"

namespace planexe::plan {

/// Answer of a step that asked once; null when the step was skipped.
const json::value* step_answer(const BuiltinInput& in, std::string_view step = "main");

/// Items of a mapped or rounds step, in item order; empty when the step was skipped.
const json::array& step_items(const BuiltinInput& in, std::string_view step = "main");

/// Value of a declared read; null JSON when it is absent or failed.
const json::value& read(const BuiltinInput& in, std::string_view reference);

/// Text member, "" when absent or not text.
std::string text(const json::value& object, std::string_view key);

/// Array member, empty when absent.
const json::array& list(const json::value& object, std::string_view key);

/// Mints deterministic ids for titles under one parent; equal titles get a running number.
class IdMint {
 public:
  IdMint(std::string plan_id, std::string task_key);
  std::string next(std::string_view parent_id, std::string_view title);

 private:
  std::string plan_id_;
  std::string task_key_;
  std::map<std::string, int> used_;
};

/// Index of objects by a field, accepting for lookup the exact value, a case-insensitive match, or a normalised name in
/// `alias_field`.
class RefIndex {
 public:
  RefIndex(const json::array& objects, std::string field, std::string alias_field = {});
  /// Position of the object meant by `ref`, if exactly one.
  std::optional<std::size_t> find(std::string_view ref) const;

 private:
  std::map<std::string, std::size_t> exact_;
  std::map<std::string, std::size_t> alias_;
};

}  // namespace planexe::plan
