#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "server/message.hpp"

namespace planexe::server {

struct Parameter {
  std::string name;
  bool required = false;
  const json::object* schema = nullptr;
  bool commas = false;                       ///< a list in one value, with commas between its entries
  ErrorCode mismatch = ErrorCode::NotFound;  ///< of a path parameter that does not fit
};

/// One operation of api/openapi.yaml. Pointers are into the contract.
struct Operation {
  std::string id, method, path;             ///< path as a template: "/api/plans/{id}"
  std::vector<std::string> segments;        ///< of the template; "{name}" for a parameter
  std::vector<Parameter> path_parameters, query_parameters;
  bool open = false;                        ///< needs no token
  std::string rate_class;                   ///< all, create_plan, turn, stream_connect
  const json::object* body = nullptr;       ///< schema of the JSON body
  bool body_required = false;
  std::map<std::string, std::int64_t, std::less<>> field_bytes;  ///< largest compact JSON of single fields
  bool of_plan = false;                     ///< below /api/plans/{id}: an unknown plan is answered before the body is looked at
};

/// The HTTP contract as data. Immutable after loading; any thread.
class Contract {
 public:
  /// From the file that is packed into the program.
  static const Contract& embedded();
  explicit Contract(json::value document);

  struct Match {
    const Operation* operation = nullptr;   ///< null: no operation has this path and method
    std::map<std::string, std::string, std::less<>> parameters;
    std::vector<std::string> allowed;       ///< methods of the path; empty: the path is unknown
    std::string route;                      ///< the path's template, whatever the method; "" when the path is unknown
  };
  /// HEAD is answered as GET; a trailing slash is the same path.
  [[nodiscard]] Match match(std::string_view method, std::string_view path) const;

  /// Trims what is declared so, then checks the body against the operation's schema.
  std::vector<FieldError> check_body(const Operation& operation, json::value& body) const;
  [[nodiscard]] std::vector<FieldError> check_query(const Operation& operation, const Request& request) const;
  /// The code of the first path parameter that does not fit.
  [[nodiscard]] std::optional<ErrorCode> check_path(const Operation& operation,
                                                    const std::map<std::string, std::string, std::less<>>& parameters) const;

  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }
  [[nodiscard]] const json::object& document() const { return document_.get_object(); }
  /// The contract as served at /openapi.json.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  json::value document_;
  std::string text_;
  std::vector<Operation> operations_;
};

}  // namespace planexe::server
