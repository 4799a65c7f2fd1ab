#include "server/contract.hpp"

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "server/schema_check.hpp"

namespace planexe::server {
namespace {

constexpr std::string_view kMethods[] = {"get", "post", "put", "patch", "delete"};

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(path.front() == '/' ? 1 : 0);
    const auto slash = std::min(path.find('/'), path.size());
    segments.emplace_back(path.substr(0, slash));
    path.remove_prefix(slash);
    if (path == "/") break;  // a trailing slash is the same path
  }
  return segments;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> entries;
  for (;;) {
    const auto comma = text.find(',');
    entries.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return entries;
    text.remove_prefix(comma + 1);
  }
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }
std::string_view parameter_name(std::string_view segment) { return segment.substr(1, segment.size() - 2); }

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

void read_parameters(const json::array& list, const SchemaCheck& schemas, Operation& operation) {
  for (const auto& entry : list) {
    const auto& parameter = schemas.resolved(entry.get_object());
    Parameter read;
    read.name = get_string(parameter, "name").value_or("");
    read.required = get_bool(parameter, "required").value_or(false);
    read.schema = get_object(parameter, "schema");
    read.commas = !get_bool(parameter, "explode").value_or(true);
    if (const auto code = get_string(parameter, "x-mismatch-code")) read.mismatch = error_code_from(*code).value_or(ErrorCode::NotFound);
    const auto in = get_string(parameter, "in");
    if (in == "path") operation.path_parameters.push_back(std::move(read));
    if (in == "query") operation.query_parameters.push_back(std::move(read));
  }
}

void read_body(const json::object& described, const SchemaCheck& schemas, Operation& operation) {
  const auto* given = get_object(described, "requestBody");
  if (given == nullptr) return;
  const auto& body = schemas.resolved(*given);
  operation.body_required = get_bool(body, "required").value_or(false);
  const auto* content = get_object(body, "content");
  const auto* type = content == nullptr ? nullptr : get_object(*content, "application/json");
  operation.body = type == nullptr ? nullptr : get_object(*type, "schema");
  PLANEXE_ASSERT(operation.body != nullptr);
}

Operation read_operation(std::string_view path, std::string_view method, const json::object& item, const json::object& described,
                         const SchemaCheck& schemas) {
  Operation operation;
  operation.id = get_string(described, "operationId").value_or("");
  operation.method = upper(method);
  operation.path = path;
  operation.segments = split_path(path);
  if (const auto* shared = get_array(item, "parameters")) read_parameters(*shared, schemas, operation);
  if (const auto* own = get_array(described, "parameters")) read_parameters(*own, schemas, operation);
  if (const auto* security = get_array(described, "security")) operation.open = security->empty();
  operation.rate_class = get_string(described, "x-rate-class").value_or("all");
  operation.of_plan = path.starts_with("/api/plans/{id}");
  read_body(described, schemas, operation);
  if (const auto* limits = get_object(described, "x-limits"))
    if (const auto* fields = get_object(*limits, "field_bytes"))
      for (const auto& [name, bytes] : *fields) operation.field_bytes[std::string(name)] = as_int(bytes).value_or(0);
  return operation;
}

/// The model key of the analysis stream may hold encoded slashes; every other value is one segment. Encoded or not, a value
/// is decoded after the path was split.
bool bind(const Operation& operation, const std::vector<std::string>& segments,
          std::map<std::string, std::string, std::less<>>& parameters) {
  if (segments.size() != operation.segments.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& wanted = operation.segments[i];
    if (!is_parameter(wanted)) {
      if (segments[i] != wanted) return false;
      continue;
    }
    // What cannot be decoded stays as it was sent and fits no parameter's schema.
    parameters.insert_or_assign(std::string(parameter_name(wanted)), percent_decoded(segments[i], false).value_or(segments[i]));
  }
  return true;
}

}  // namespace

const Contract& Contract::embedded() {
  static const Contract contract = [] {
    const auto* file = embedded::find("openapi", "openapi.json");
    PLANEXE_ASSERT(file != nullptr);
    auto document = parse_json(file->bytes);
    PLANEXE_ASSERT(document.has_value());
    return Contract(std::move(*document));
  }();
  return contract;
}

Contract::Contract(json::value document) : document_(std::move(document)), text_(to_json(document_)) {
  const SchemaCheck schemas(document_.get_object());
  for (const auto& [path, item] : document_.at("paths").get_object())
    for (const auto method : kMethods)
      if (const auto* described = get_object(item, method))
        operations_.push_back(read_operation(path, method, item.get_object(), *described, schemas));
}

Contract::Match Contract::match(std::string_view method, std::string_view path) const {
  const auto segments = split_path(path);
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  Match match;
  const Operation* best = nullptr;
  for (const auto& operation : operations_) {
    std::map<std::string, std::string, std::less<>> parameters;
    if (!bind(operation, segments, parameters)) continue;
    if (match.route.empty()) match.route = operation.path;
    match.allowed.push_back(operation.method);
    if (operation.method == "GET") match.allowed.emplace_back("HEAD");
    if (operation.method != wanted) continue;
    // A path without parameters wins over a template that would take it, too.
    if (best != nullptr && best->path_parameters.size() <= operation.path_parameters.size()) continue;
    best = &operation;
    match.route = operation.path;
    match.parameters = std::move(parameters);
  }
  match.operation = best;
  return match;
}

std::vector<FieldError> Contract::check_body(const Operation& operation, json::value& body) const {
  std::vector<FieldError> errors;
  SchemaCheck(document()).check(*operation.body, body, {"body"}, errors);
  if (!body.is_object()) return errors;
  for (const auto& [name, bytes] : operation.field_bytes) {
    const auto* member = body.get_object().if_contains(name);
    if (member == nullptr || member->is_null()) continue;
    if (static_cast<std::int64_t>(to_json(*member).size()) > bytes)
      errors.push_back({"value_error", {"body", json::string(name)}, fmt::format("must not be larger than {} bytes as JSON", bytes), {}});
  }
  return errors;
}

std::vector<FieldError> Contract::check_query(const Operation& operation, const Request& request) const {
  std::vector<FieldError> errors;
  const SchemaCheck schemas(document());
  for (const auto& parameter : operation.query_parameters) {
    const auto values = request.query_values(parameter.name);
    if (values.empty() && parameter.required) errors.push_back({"missing", {"query", json::string(parameter.name)}, "is required", {}});
    const auto& schema = schemas.resolved(*parameter.schema);
    const auto* items = get_object(schema, "items");
    for (const auto& value : values)
      for (const auto& entry : parameter.commas ? split_list(value) : std::vector<std::string>{value})
        schemas.read_text(items == nullptr ? schema : *items, entry, {"query", json::string(parameter.name)}, errors);
  }
  return errors;
}

std::optional<ErrorCode> Contract::check_path(const Operation& operation,
                                              const std::map<std::string, std::string, std::less<>>& parameters) const {
  const SchemaCheck schemas(document());
  for (const auto& parameter : operation.path_parameters) {
    std::vector<FieldError> errors;
    schemas.read_text(*parameter.schema, parameters.find(parameter.name)->second, {"path"}, errors);
    if (!errors.empty()) return parameter.mismatch;
  }
  return std::nullopt;
}

}  // namespace planexe::server
