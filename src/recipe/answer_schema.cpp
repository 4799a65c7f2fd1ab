#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>

#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/text.hpp"
#include "recipe/answer.hpp"
#include "recipe/schema_walk.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kSchemasKept = 256;  // four times the schemas of the real recipe
constexpr std::size_t kEnumShownMax = 30;

/// Copies a schema without `pattern`: valijson runs it on std::regex, whose recursion a long text can drive into stack
/// overflow.
json::value without_patterns(const json::value& schema) {
  if (schema.is_array()) {
    json::array out;
    for (const json::value& element : schema.get_array()) out.push_back(without_patterns(element));
    return out;
  }
  if (!schema.is_object()) return schema;
  json::object out;
  for (const auto& member : schema.get_object())
    if (member.key() != "pattern" || !member.value().is_string()) out[member.key()] = without_patterns(member.value());
  return out;
}

/// JSON Schema counts 3.0 as an integer; valijson looks at how the number was written.
bool is_whole(const json::value& value) {
  return value.is_double() && std::abs(value.get_double()) < 9e15 &&
         std::trunc(value.get_double()) == value.get_double();
}

void make_integers(json::value& value) {
  if (is_whole(value))
    value = static_cast<std::int64_t>(value.get_double());
  else if (value.is_array())
    for (json::value& element : value.get_array()) make_integers(element);
  else if (value.is_object())
    for (auto& member : value.get_object()) make_integers(member.value());
}

/// Schemas compiled once; the oldest go when there are too many.
class SchemaCache {
 public:
  std::shared_ptr<const valijson::Schema> get(const json::value& schema) {
    const std::string key = to_json(schema);
    const std::lock_guard lock(mutex_);
    if (const auto found = compiled_.find(key); found != compiled_.end()) return found->second;
    if (compiled_.size() >= kSchemasKept) compiled_.clear();
    return compiled_.emplace(key, compile(schema)).first->second;
  }

 private:
  static std::shared_ptr<const valijson::Schema> compile(const json::value& schema) {
    auto compiled = std::make_shared<valijson::Schema>();
    const json::value safe = without_patterns(schema);
    valijson::adapters::BoostJsonAdapter adapter(safe);
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, *compiled);
    return compiled;
  }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const valijson::Schema>> compiled_;
};

SchemaCache& schema_cache() {
  static SchemaCache cache;
  return cache;
}

/// {"<root>", "[levers]", "[0]"} -> "/levers/0".
std::string pointer_of(const std::vector<std::string>& context) {
  std::string pointer;
  for (std::size_t i = 1; i < context.size(); ++i) {
    std::string_view part = context[i];
    if (part.starts_with('[') && part.ends_with(']')) part = part.substr(1, part.size() - 2);
    pointer = pointer_join(pointer, part);
  }
  return pointer;
}

/// Errors that only say that something deeper failed.
bool is_wrapper(std::string_view text) {
  return text.starts_with("Failed to validate against schema associated") ||
         text.starts_with("Failed to validate item #") || text.starts_with("Failed to validate against child schema") ||
         text.starts_with("Failed to validate against any schemas");
}

const json::value* schema_at(const json::value& schema, std::string_view pointer) {
  const json::value* current = &schema;
  for (const std::string& part : pointer_parts(pointer)) {
    const json::value* next = member_schema(schema, *current, part);
    if (!next) next = item_schema(schema, *current);
    if (!next) return nullptr;
    current = next;
  }
  return resolve_ref(schema, current);
}

const json::value* value_at(const json::value& root, std::string_view pointer) {
  const json::value* current = &root;
  for (const std::string& part : pointer_parts(pointer)) {
    if (current->is_array()) {
      std::size_t index = 0;
      std::from_chars(part.data(), part.data() + part.size(), index);
      current = index < current->get_array().size() ? &current->get_array()[index] : nullptr;
    } else {
      current = find(*current, part);
    }
    if (!current) return nullptr;
  }
  return current;
}

std::string shown(const json::value* value) {
  return value ? cut_code_points(to_json(*value), 60) : std::string("nothing");
}

std::string last_quoted(std::string_view text) {
  const std::size_t end = text.rfind('\'');
  const std::size_t begin =
      end == std::string_view::npos || end == 0 ? std::string_view::npos : text.rfind('\'', end - 1);
  return begin == std::string_view::npos ? std::string() : std::string(text.substr(begin + 1, end - begin - 1));
}

std::string enum_message(const json::value* schema, const json::value* value) {
  const json::array* values = schema ? get_array(*schema, "enum") : nullptr;
  if (!values) return fmt::format("{} is not one of the allowed values", shown(value));
  std::string list;
  for (std::size_t i = 0; i < std::min(values->size(), kEnumShownMax); ++i)
    list += (i ? ", " : "") + to_json((*values)[i]);
  return fmt::format("{} is not one of {}", shown(value), list);
}

/// A sentence that a model can act on, made from valijson's.
std::string message_for(std::string_view text, const json::value& root, const json::value* schema,
                        const json::value* value) {
  if (text.starts_with("Missing required property"))
    return fmt::format("the field \"{}\" is missing", last_quoted(text));
  if (text.starts_with("Object contains a property"))
    return fmt::format("the field \"{}\" is not part of the schema; leave it out", last_quoted(text));
  if (text.starts_with("Failed to match against any enum")) return enum_message(schema, value);
  if (text.starts_with("Value type not permitted") && schema)
    return fmt::format("must be of type {}, not {}", fmt::join(admitted_types(root, *schema), " or "), shown(value));
  std::string out(text);
  while (out.ends_with('.')) out.pop_back();
  return out;
}

AnswerProblem schema_problem(std::string pointer, std::string message) {
  return {true, "schema", std::move(pointer), std::move(message), ""};
}

std::vector<AnswerProblem> translate(const valijson::ValidationResults& results, const json::value& schema,
                                     const json::value& value, std::size_t most) {
  std::vector<AnswerProblem> problems;
  const bool only_wrappers =
      std::ranges::all_of(results, [](const auto& error) { return is_wrapper(error.description); });
  for (const auto& error : results) {
    if (!only_wrappers && is_wrapper(error.description)) continue;
    std::string pointer = pointer_of(error.context);
    std::string message = message_for(error.description, schema, schema_at(schema, pointer), value_at(value, pointer));
    const auto same = [&](const AnswerProblem& known) { return known.pointer == pointer && known.message == message; };
    if (std::ranges::any_of(problems, same)) continue;
    problems.push_back(schema_problem(std::move(pointer), std::move(message)));
    if (problems.size() >= most) break;
  }
  return problems;
}

}  // namespace

std::vector<AnswerProblem> validate_schema(const json::value& schema, const json::value& value, std::size_t most) {
  json::value subject = value;
  make_integers(subject);
  try {
    const std::shared_ptr<const valijson::Schema> compiled = schema_cache().get(schema);
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    valijson::ValidationResults results;
    valijson::adapters::BoostJsonAdapter target(subject);
    if (validator.validate(*compiled, target, &results)) return {};
    return translate(results, schema, subject, most);
  } catch (const std::exception& error) {
    return {schema_problem("", fmt::format("the schema cannot be used: {}", error.what()))};
  }
}

}  // namespace planexe::recipe
