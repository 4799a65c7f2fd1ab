#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "base/error.hpp"

namespace planexe {

namespace json = boost::json;

/// Parses one JSON text (RFC 8259). Nesting deeper than limits::kJsonDepthMax, duplicate keys, NUL characters, numbers
/// beyond double and invalid UTF-8 are errors (INVALID_JSON, the message has line and column). Doubles are exact.
Result<json::value> parse_json(std::string_view text);

/// Compact text; the order of members is kept. Doubles are the shortest text that reads back the same ("2.5", "2.0");
/// infinities and NaN, which JSON lacks, become null. Strings must be valid UTF-8.
std::string to_json(const json::value& value);

/// Like to_json, over several lines. Empty arrays and objects stay on one line.
std::string to_json_pretty(const json::value& value, int indent = 2);

/// Like to_json with members sorted by the bytes of their keys: equal values give equal text, for hashes.
std::string canonical_json(const json::value& value);

/// What members are looked up in: an object, or a value that may be one. Refers to it without a copy; taking objects by
/// way of a temporary value would leave views and pointers into nothing.
class Members {
 public:
  Members(const json::object& object) : object_(&object) {}          // NOLINT(google-explicit-constructor)
  Members(const json::value& value) : object_(value.if_object()) {}  // NOLINT(google-explicit-constructor)

  /// Null when absent or when this is no object.
  [[nodiscard]] const json::value* find(std::string_view key) const {
    return object_ == nullptr ? nullptr : object_->if_contains(key);
  }

 private:
  const json::object* object_;
};

/// The member of an object; null when absent or when it is looked up in no object.
const json::value* find(Members members, std::string_view key);

/// The member when it has that type, else nothing. A view lives as long as the object. get_int takes every number that
/// is exactly an int64 (3.0 is), get_double every number.
std::optional<std::string_view> get_string(Members members, std::string_view key);
std::optional<std::int64_t> get_int(Members members, std::string_view key);
std::optional<double> get_double(Members members, std::string_view key);
std::optional<bool> get_bool(Members members, std::string_view key);
const json::object* get_object(Members members, std::string_view key);
const json::array* get_array(Members members, std::string_view key);

/// The number as int64 when it is exactly one.
std::optional<std::int64_t> as_int(const json::value& value);

}  // namespace planexe
