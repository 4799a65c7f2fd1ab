#include "answers.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace planexe::rehearsal {
namespace {

constexpr std::string_view kMark = "Rehearsal: ";
constexpr std::string_view kTail = " (Rehearsal text.)";
constexpr std::size_t kEchoChars = 1200;

std::string as_text(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : to_json(value);
}

/// Keeps the JSON type of the example: a numeric field stays a number.
json::value id_like(const json::value& example, const std::string& id) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (example.is_int64() && error == std::errc{} && end == id.data() + id.size()) return number;
  return json::string(id);
}

const IdsBlock* block_of(const std::vector<IdsBlock>& blocks, std::string_view field) {
  const auto it = std::find_if(blocks.begin(), blocks.end(), [&](const auto& block) { return block.field == field; });
  return it == blocks.end() || it->ids.empty() ? nullptr : &*it;
}

bool contains(const IdsBlock& block, const json::value& value) {
  return std::find(block.ids.begin(), block.ids.end(), as_text(value)) != block.ids.end();
}

/// The block whose field every object of the list has, if it wants each id once.
const IdsBlock* once_block(const json::array& list, const std::vector<IdsBlock>& blocks) {
  for (const auto& block : blocks) {
    if (!block.once || list.empty()) continue;
    if (std::all_of(list.begin(), list.end(), [&](const auto& e) { return e.is_object() && e.as_object().contains(block.field); })) return &block;
  }
  return nullptr;
}

void one_per_id(json::array& list, const IdsBlock& block) {
  json::array fitted;
  std::size_t spare = 0;
  for (const auto& id : block.ids) {
    const auto own = std::find_if(list.begin(), list.end(), [&](const auto& e) { return as_text(e.as_object().at(block.field)) == id; });
    if (own != list.end()) {
      fitted.push_back(*own);
      continue;
    }
    auto copy = list[spare++ % list.size()];
    copy.as_object()[block.field] = id_like(copy.as_object().at(block.field), id);
    fitted.push_back(std::move(copy));
  }
  list = std::move(fitted);
}

void fit_scalar(json::value& value, const IdsBlock& block, std::size_t& turn) {
  if (value.is_null() || contains(block, value)) return;
  value = id_like(value, block.ids[turn++ % block.ids.size()]);
}

void fit_list_of_ids(json::array& list, const IdsBlock& block, std::size_t& turn) {
  if (block.once) {
    json::array all;
    for (const auto& id : block.ids) all.push_back(json::string(id));
    list = std::move(all);
    return;
  }
  for (auto& value : list) fit_scalar(value, block, turn);
  json::array unique;
  for (auto& value : list)
    if (std::find(unique.begin(), unique.end(), value) == unique.end()) unique.push_back(std::move(value));
  list = std::move(unique);
}

void fit_inside(json::value& value, const std::vector<IdsBlock>& blocks, std::size_t& turn) {
  if (value.is_array()) {
    if (const auto* block = once_block(value.as_array(), blocks)) one_per_id(value.as_array(), *block);
    for (auto& element : value.as_array()) fit_inside(element, blocks, turn);
    return;
  }
  if (!value.is_object()) return;
  for (auto& [key, member] : value.as_object()) {
    const auto* block = block_of(blocks, key);
    if (block && member.is_array() && (member.as_array().empty() || !member.as_array().front().is_object())) {
      if (!member.as_array().empty()) fit_list_of_ids(member.as_array(), *block, turn);
    } else if (block && !member.is_array() && !member.is_object() && !block->once) {
      fit_scalar(member, *block, turn);
    } else {
      fit_inside(member, blocks, turn);
    }
  }
}

/// A link from an id to itself is never a right answer.
void drop_self_links(json::value& answer) {
  if (auto* details = answer.is_object() ? answer.as_object().if_contains("task_dependency_details") : nullptr; details && details->is_array())
    for (auto& entry : details->as_array()) {
      auto* links = entry.is_object() ? entry.as_object().if_contains("links") : nullptr;
      if (!links || !links->is_array()) continue;
      const auto own = get_string(entry, "dependent_task_id").value_or("");
      json::array kept;
      for (auto& link : links->as_array())
        if (get_string(link, "depends_on_task_id").value_or("") != own) kept.push_back(std::move(link));
      *links = std::move(kept);
    }
}

bool mark_first_text(json::value& value) {
  if (value.is_object()) {
    for (auto& [key, member] : value.as_object()) {
      // Only sentences carry the mark, at their end: names and ids are joined by other tasks, and rules look at beginnings.
      if (member.is_string() && key != "quote" && member.as_string().size() > 60) {
        member = json::string(std::string(member.as_string()).append(kTail));
        return true;
      }
      if ((member.is_object() || member.is_array()) && mark_first_text(member)) return true;
    }
  } else if (value.is_array()) {
    for (auto& element : value.as_array())
      if ((element.is_object() || element.is_array()) && mark_first_text(element)) return true;
  }
  return false;
}

std::string squeeze(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\n' && c != '\t') out += c;
  return out;
}

/// Quotes that the prompt does not hold are left out, as an honest model would.
void drop_foreign_quotes(json::value& answer, const std::string& prompt) {
  auto* limits = answer.is_object() ? answer.as_object().if_contains("stated_limits") : nullptr;
  if (!limits || !limits->is_array()) return;
  const auto whole = squeeze(prompt);
  json::array kept;
  for (auto& limit : limits->as_array())
    if (whole.find(squeeze(get_string(limit, "quote").value_or("\n"))) != std::string::npos) kept.push_back(std::move(limit));
  *limits = std::move(kept);
}

int number_of(const Request& request) {
  int number = 1;
  std::from_chars(request.item.data(), request.item.data() + request.item.size(), number);
  return std::max(1, number);
}

}  // namespace

void fit_ids(json::value& answer, const std::vector<IdsBlock>& blocks) {
  std::size_t turn = 0;
  fit_inside(answer, blocks, turn);
  drop_self_links(answer);
}

AnswerBook::AnswerBook(std::shared_ptr<const recipe::Recipe> recipe, StoredAnswers stored) : recipe_(std::move(recipe)), stored_(std::move(stored)) {}

const recipe::Step* AnswerBook::step_of(const Request& request, const recipe::Task** task) const {
  const auto slash = request.call.find('/');
  *task = recipe_->task(request.call.substr(0, slash));
  if (!*task || slash == std::string::npos) return nullptr;
  const auto rest = request.call.substr(slash + 1);
  return (*task)->step(rest.substr(0, rest.find('/')));
}

std::string AnswerBook::answer(const Request& request) const {
  const recipe::Task* task = nullptr;
  const auto* step = step_of(request, &task);
  if (!step) return request.schema.is_null() ? std::string(kMark) + "a text." : to_json(answer_from_schema(request.schema));
  const int number = number_of(request);
  json::value value = step->example;
  if ((step->map || step->has_rounds()) && value.is_array() && !value.as_array().empty())
    value = json::value(value.as_array()[static_cast<std::size_t>(number - 1) % value.as_array().size()]);
  std::optional<json::value> stored;
  if (stored_) stored = stored_(task->key, step->name, number);
  if (stored) value = std::move(*stored);
  if (step->text_answer) {
    if (value.is_string()) return std::string(value.as_string());
    return cut_at_paragraph(request.parts.empty() ? "" : request.parts.back(), kEchoChars);
  }
  fit_ids(value, find_ids(request.user_text));
  drop_foreign_quotes(value, client_prompt(request.user_text));
  if (!stored) mark_first_text(value);
  return to_json(value);
}

json::value answer_from_schema(const json::value& schema) {
  if (const auto* any = get_array(schema, "anyOf"); any && !any->empty()) return answer_from_schema(any->front());
  if (const auto* constant = find(schema, "const")) return *constant;
  if (const auto* values = get_array(schema, "enum"); values && !values->empty()) return values->front();
  std::string type(get_string(schema, "type").value_or(""));
  if (const auto* types = get_array(schema, "type"); types && !types->empty()) type = as_text(types->front());
  if (type == "object") {
    json::object object;
    if (const auto* properties = get_object(schema, "properties"))
      for (const auto& [key, member] : *properties) object[key] = answer_from_schema(member);
    return object;
  }
  if (type == "array") {
    const auto wanted = std::max<std::int64_t>(1, get_int(schema, "minItems").value_or(1));
    json::array array;
    for (std::int64_t i = 0; i < std::min<std::int64_t>(wanted, 100); ++i)
      if (const auto* items = find(schema, "items")) array.push_back(answer_from_schema(*items));
    return array;
  }
  if (type == "integer") return get_int(schema, "minimum").value_or(1);
  if (type == "number") return get_double(schema, "minimum").value_or(1.0);
  if (type == "boolean") return true;
  if (type == "null") return nullptr;
  return json::string(std::string(kMark) + "a prepared text.");
}

}  // namespace planexe::rehearsal
