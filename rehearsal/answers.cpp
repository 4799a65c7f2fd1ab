#include "answers.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "interviewer.hpp"

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

/// Makes the first sentence of a copied element its own, since no two elements may say the same. Short texts are names and
/// words of a list and stay.
void vary(json::object& element, std::string_view id_field, const std::string& id) {
  constexpr std::size_t kSentence = 40;
  for (auto& [key, member] : element) {
    if (key == id_field || key == "quote" || !member.is_string() || member.as_string().size() < kSentence) continue;
    member = json::string(std::string(member.as_string()).append(" (" + id + ")"));
    return;
  }
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
    vary(copy.as_object(), block.field, id);
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

bool quoted(const std::string& prompt, const json::value& text) {
  return !text.is_string() || prompt.find(squeeze(text.as_string())) != std::string::npos;
}

/// Elements whose quote the prompt does not hold are left out, as an honest model would; `path` is `list[].field` of a rule.
void drop_foreign_quotes(json::value& answer, std::string_view path, const std::string& prompt) {
  const auto mark = path.find("[].");
  if (mark == std::string_view::npos || !answer.is_object()) return;
  auto* list = answer.as_object().if_contains(path.substr(0, mark));
  if (!list || !list->is_array()) return;
  json::array kept;
  for (auto& element : list->as_array()) {
    const auto* text = find(element, path.substr(mark + 3));
    if (!text || quoted(prompt, *text)) kept.push_back(std::move(element));
  }
  *list = std::move(kept);
}

void drop_foreign_quotes(json::value& answer, const recipe::Step& step, const std::string& prompt) {
  const auto whole = squeeze(prompt);
  for (const auto& rule : step.rules)
    if (rule.kind == recipe::RuleKind::quoted) drop_foreign_quotes(answer, rule.path.text, whole);
}

/// "task/step/item/turn" -> "item"; a call without an item has three parts.
std::string item_key(const std::string& call) {
  const auto first = call.find('/');
  const auto second = first == std::string::npos ? first : call.find('/', first + 1);
  const auto last = call.rfind('/');
  return second == std::string::npos || last <= second ? "" : call.substr(second + 1, last - second - 1);
}

int number_in(std::string_view text) {
  int number = 1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::max(1, number);
}

int number_of(const Request& request) { return number_in(request.item); }

void drop_brackets(json::value& value) {
  if (value.is_string()) {
    auto& text = value.as_string();
    text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == '[' || c == ']'; }), text.end());
  } else if (value.is_array()) {
    for (auto& element : value.as_array()) drop_brackets(element);
  } else if (value.is_object()) {
    for (auto& [key, member] : value.as_object()) drop_brackets(member);
  }
}

/// An answer of the run that was sent back would be sent back again. Blanks such as "[website]" are written without
/// brackets, as a model does when told so; where that is not it, the example takes its place.
void mend_sent_back(std::optional<json::value>& stored, const Request& request) {
  const int attempt = number_in(request.attempt);
  if (!stored || !request.continues || attempt < 2) return;
  auto mended = *stored;
  drop_brackets(mended);
  if (attempt > 2 || mended == *stored)
    stored.reset();
  else
    stored = std::move(mended);
}

}  // namespace

void fit_ids(json::value& answer, const std::vector<IdsBlock>& blocks) {
  std::size_t turn = 0;
  fit_inside(answer, blocks, turn);
  drop_self_links(answer);
}

AnswerBook::AnswerBook(std::shared_ptr<const recipe::Recipe> recipe, StoredAnswers stored) : recipe_(std::move(recipe)), stored_(std::move(stored)) {}

/// By the call key (task/step/…), else by the schema's name (task__step), which chat servers without metadata see too.
const recipe::Step* AnswerBook::step_of(const Request& request, const recipe::Task** task) const {
  const auto slash = request.call.find('/');
  *task = recipe_->task(request.call.substr(0, slash));
  if (*task && slash != std::string::npos) {
    const auto rest = request.call.substr(slash + 1);
    return (*task)->step(rest.substr(0, rest.find('/')));
  }
  const auto mark = request.schema_name.find("__");
  if (mark == std::string::npos) return nullptr;
  *task = recipe_->task(request.schema_name.substr(0, mark));
  return *task ? (*task)->step(request.schema_name.substr(mark + 2)) : nullptr;
}

std::optional<json::value> AnswerBook::recall(const Request& request, const recipe::Task& task, const recipe::Step& step, int number,
                                              const json::value& example) const {
  if (!stored_) return std::nullopt;
  StoredQuestion question{task.key, step.name, step.map || step.has_rounds() ? number : 0, item_key(request.call), {}, &example, &step.schema};
  for (const auto& block : find_ids(request.user_text))
    if (block.once) question.ids = block.ids;
  return stored_(question);
}

std::string AnswerBook::answer(const Request& request) const {
  if (auto spoken = interview_answer(request)) return *std::move(spoken);
  const recipe::Task* task = nullptr;
  const auto* step = step_of(request, &task);
  if (!step) return request.schema.is_null() ? std::string(kMark) + "a text." : to_json(answer_from_schema(request.schema));
  const int number = number_of(request);
  json::value value = step->example;
  if ((step->map || step->has_rounds()) && value.is_array() && !value.as_array().empty())
    value = json::value(value.as_array()[static_cast<std::size_t>(number - 1) % value.as_array().size()]);
  auto stored = recall(request, *task, *step, number, value);
  mend_sent_back(stored, request);
  if (stored) value = std::move(*stored);
  if (step->text_answer) {
    if (value.is_string()) return std::string(value.as_string());
    return cut_at_paragraph(request.parts.empty() ? "" : request.parts.back(), kEchoChars);
  }
  fit_ids(value, find_ids(request.user_text));
  drop_foreign_quotes(value, *step, client_prompt(request.user_text));
  if (!stored) mark_first_text(value);
  return to_json(value);
}

}  // namespace planexe::rehearsal
