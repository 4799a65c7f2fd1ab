#pragma once

#include <vector>

#include "base/json.hpp"
#include "server/message.hpp"

namespace planexe::server {

/// Checks values against schemas of the contract. It knows the keywords that the contract uses for what clients send; the
/// tests of the contract prove that no other one occurs there. A library is not used because none tells errors by kind, and
/// the kinds are part of the contract.
class SchemaCheck {
 public:
  /// `document` holds what "#/…" references name; it must outlive this.
  explicit SchemaCheck(const json::object& document) : document_(document) {}

  /// Appends what is wrong. `value` is changed where the schema says "x-trim": white space at both ends is removed.
  /// `loc` is the place of the value.
  void check(const json::object& schema, json::value& value, json::array loc, std::vector<FieldError>& errors) const;

  /// The value of a query parameter's text under its schema: a number, a truth value or the text. Appends what is wrong.
  json::value read_text(const json::object& schema, std::string_view text, json::array loc, std::vector<FieldError>& errors) const;

  /// The schema itself, or what its "$ref" names.
  [[nodiscard]] const json::object& resolved(const json::object& schema) const;

 private:
  void check_any(const json::array& choices, json::value& value, const json::array& loc, std::vector<FieldError>& errors) const;
  void check_string(const json::object& schema, const json::string& text, const json::array& loc, std::vector<FieldError>& errors) const;
  void check_object(const json::object& schema, json::object& object, const json::array& loc, std::vector<FieldError>& errors) const;
  void check_list(const json::object& schema, json::array& list, const json::array& loc, std::vector<FieldError>& errors) const;

  const json::object& document_;
};

}  // namespace planexe::server
