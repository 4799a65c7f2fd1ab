#include "recipe/toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "recipe/names.hpp"

namespace planexe::recipe {
namespace {

const std::vector<std::string> kSpeedKeys = {"all", "balanced", "fast"};

template <class T>
T& member_of(BySpeed<T>& values, std::string_view speed) {
  return speed == "all" ? values.all : speed == "balanced" ? values.balanced : values.fast;
}

std::string at_line(const std::string& file, const toml::source_region& source) {
  return source.begin ? fmt::format("{}:{}", file, source.begin.line) : file;
}

}  // namespace

bool Problems::has_errors() const {
  return std::ranges::any_of(list_, [](const LintMessage& message) { return message.is_error; });
}

std::vector<LintMessage> Problems::take() {
  const auto order = [](const LintMessage& a, const LintMessage& b) {
    return std::tie(a.place, a.message) < std::tie(b.place, b.message);
  };
  std::ranges::sort(list_, order);
  const auto same = [](const LintMessage& a, const LintMessage& b) {
    return a.place == b.place && a.message == b.message;
  };
  list_.erase(std::unique(list_.begin(), list_.end(), same), list_.end());
  return std::move(list_);
}

const toml::node* TableReader::node(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  return table_->get(key);
}

std::string TableReader::place(std::string_view key) const {
  const toml::node* found = table_->get(key);
  return at_line(file_, found ? found->source() : table_->source());
}

void TableReader::bad(std::string_view key, const std::string& message) {
  problems_->error(place(key), fmt::format("{}: {}", key, message));
}

void TableReader::wrong_type(std::string_view key, std::string_view wanted) {
  bad(key, fmt::format("must be {}", wanted));
}

std::optional<std::string> TableReader::text(std::string_view key) {
  const toml::node* found = node(key);
  if (!found) return {};
  if (const auto* value = found->as_string()) return value->get();
  wrong_type(key, "a text in quotes");
  return {};
}

std::optional<double> TableReader::number(std::string_view key) {
  const toml::node* found = node(key);
  if (!found) return {};
  if (found->is_number()) return found->value<double>();
  wrong_type(key, "a number");
  return {};
}

std::optional<int> TableReader::integer(std::string_view key, int least, int most) {
  const toml::node* found = node(key);
  if (!found) return {};
  const auto* value = found->as_integer();
  if (value && value->get() >= least && value->get() <= most) return static_cast<int>(value->get());
  wrong_type(key, fmt::format("a whole number from {} to {}", least, most));
  return {};
}

std::optional<bool> TableReader::boolean(std::string_view key) {
  const toml::node* found = node(key);
  if (!found) return {};
  if (const auto* value = found->as_boolean()) return value->get();
  wrong_type(key, "true or false");
  return {};
}

std::optional<Path> TableReader::path(std::string_view key) {
  const auto source = text(key);
  if (!source) return {};
  auto parsed = parse_path(*source);
  if (parsed) return *std::move(parsed);
  bad(key, parsed.error().message);
  return {};
}

std::optional<Condition> TableReader::condition(std::string_view key) {
  const auto source = text(key);
  if (!source) return {};
  auto parsed = parse_condition(*source);
  if (parsed) return *std::move(parsed);
  bad(key, parsed.error().message);
  return {};
}

std::vector<std::string> TableReader::texts(std::string_view key) {
  std::vector<std::string> out;
  const toml::node* found = node(key);
  if (!found) return out;
  const toml::array* list = found->as_array();
  if (!list) {
    wrong_type(key, "a list of texts");
    return out;
  }
  for (const toml::node& element : *list) {
    if (const auto* value = element.as_string())
      out.push_back(value->get());
    else
      wrong_type(key, "a list of texts");
  }
  return out;
}

std::vector<Path> TableReader::paths(std::string_view key) {
  std::vector<Path> out;
  for (const std::string& source : texts(key)) {
    auto parsed = parse_path(source);
    if (parsed)
      out.push_back(*std::move(parsed));
    else
      bad(key, parsed.error().message);
  }
  return out;
}

json::value TableReader::value(std::string_view key) {
  const toml::node* found = node(key);
  return found ? toml_to_json(*found) : json::value(nullptr);
}

std::optional<TableReader> TableReader::table(std::string_view key) {
  const toml::node* found = node(key);
  if (!found) return {};
  if (const toml::table* inner = found->as_table()) return TableReader(*inner, file_, *problems_);
  wrong_type(key, fmt::format("a table [{}]", key));
  return {};
}

std::vector<TableReader> TableReader::tables(std::string_view key) {
  std::vector<TableReader> out;
  const toml::node* found = node(key);
  if (!found) return out;
  const toml::array* list = found->as_array();
  if (!list) {
    wrong_type(key, fmt::format("blocks [[{}]]", key));
    return out;
  }
  for (const toml::node& element : *list) {
    if (const toml::table* inner = element.as_table())
      out.emplace_back(*inner, file_, *problems_);
    else
      wrong_type(key, fmt::format("blocks [[{}]]", key));
  }
  return out;
}

BySpeed<int> TableReader::integer_by_speed(std::string_view key, int fallback, int least, int most) {
  BySpeed<int> out{fallback, fallback, fallback};
  const toml::node* found = node(key);
  if (!found) return out;
  if (!found->is_table()) {
    const int value = integer(key, least, most).value_or(fallback);
    return {value, value, value};
  }
  TableReader inner(*found->as_table(), file_, *problems_);
  for (const std::string& speed : kSpeedKeys)
    member_of(out, speed) = inner.integer(speed, least, most).value_or(fallback);
  inner.done();
  return out;
}

BySpeed<std::string> TableReader::text_by_speed(std::string_view key, const std::vector<std::string>& allowed) {
  BySpeed<std::string> out;
  const toml::node* found = node(key);
  if (!found) return out;
  const auto checked = [&](std::optional<std::string> value) {
    if (value && std::ranges::find(allowed, *value) == allowed.end())
      bad(key, fmt::format("'{}' is none of {}", *value, fmt::join(allowed, ", ")));
    return value.value_or("");
  };
  if (!found->is_table()) {
    const std::string value = checked(text(key));
    return {value, value, value};
  }
  TableReader inner(*found->as_table(), file_, *problems_);
  for (const std::string& speed : kSpeedKeys) member_of(out, speed) = checked(inner.text(speed));
  inner.done();
  return out;
}

std::vector<std::string> TableReader::keys() const {
  std::vector<std::string> out;
  for (const auto& [key, value] : *table_) out.emplace_back(key.str());
  return out;
}

void TableReader::done() {
  for (const auto& [key, value] : *table_) {
    const std::string name(key.str());
    if (std::ranges::find(known_, name) != known_.end()) continue;
    problems_->error(at_line(file_, key.source()),
                     fmt::format("the key '{}' is unknown here{}", name, did_you_mean(name, known_)));
  }
}

json::value toml_to_json(const toml::node& node) {
  if (const auto* text = node.as_string()) return json::value(text->get());
  if (const auto* integer = node.as_integer()) return json::value(integer->get());
  if (const auto* number = node.as_floating_point()) return json::value(number->get());
  if (const auto* flag = node.as_boolean()) return json::value(flag->get());
  if (const toml::array* list = node.as_array()) {
    json::array out;
    for (const toml::node& element : *list) out.push_back(toml_to_json(element));
    return out;
  }
  if (const toml::table* table = node.as_table()) {
    json::object out;
    for (const auto& [key, value] : *table) out[std::string(key.str())] = toml_to_json(value);
    return out;
  }
  std::ostringstream text;
  if (const auto* date = node.as_date())
    text << date->get();
  else if (const auto* time = node.as_time())
    text << time->get();
  else if (const auto* both = node.as_date_time())
    text << both->get();
  return json::value(text.str());
}

std::optional<toml::table> parse_toml(const std::string& text, const std::string& file, Problems& problems) {
  try {
    return toml::parse(std::string_view(text), file);
  } catch (const toml::parse_error& error) {
    problems.error(fmt::format("{}:{}:{}", file, error.source().begin.line, error.source().begin.column),
                   std::string(error.description()));
    return {};
  }
}

}  // namespace planexe::recipe
