#include "recipe/prompt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include <re2/re2.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "recipe/filters.hpp"

namespace planexe::recipe {
namespace {

/// The tags that fence untrusted text in our requests.
constexpr std::string_view kFenceTags = "document|client_request|client_interview|ids";

/// What stored answers carry beside the answer: it differs from run to run and must not reach another prompt.
constexpr std::array<std::string_view, 4> kNotAsked = {"metadata", "query", "system_prompt", "user_prompt"};

constexpr std::string_view kGap =
    "[This document could not be made. Work without it: do not guess what it said, and name the gap where it matters.]";

struct Document {
  std::size_t rank = 0;  // canonical: tasks in pipeline order, then outputs, then derived texts by name
  std::size_t member = 0;
  std::string name;
  const ContextEntry* entry = nullptr;
};

std::string document_name(const Path& path) {
  std::string name;
  for (const char c : path.text)
    if (c != '?') name.push_back(c);
  return name;
}

std::size_t member_rank(const Task& task, const Path& path) {
  if (path.steps.size() < 2) return 0;
  const auto output = std::ranges::find(task.outputs, path.steps[1].name, &Output::name);
  return output != task.outputs.end() ? static_cast<std::size_t>(output - task.outputs.begin()) : task.outputs.size();
}

/// The order is the same for all prompts, so that neighbouring requests begin alike.
std::vector<Document> canonical_order(const Recipe& recipe, const Step& step) {
  std::vector<Document> documents;
  for (const ContextEntry& entry : step.context) {
    const Task* source = recipe.task(entry.path.root());
    Document document;
    document.rank = source                        ? static_cast<std::size_t>(source->position) + 1
                    : entry.path.root() == "plan" ? 0
                                                  : recipe.tasks.size() + 1;
    document.member = source ? member_rank(*source, entry.path) : 0;
    document.name = document_name(entry.path);
    document.entry = &entry;
    documents.push_back(std::move(document));
  }
  std::ranges::sort(documents, {}, [](const Document& d) { return std::tie(d.rank, d.member, d.name); });
  return documents;
}

json::value without_record(const json::value& value) {
  if (!value.is_object()) return value;
  json::object out;
  for (const auto& member : value.get_object())
    if (std::ranges::find(kNotAsked, std::string_view(member.key())) == kNotAsked.end())
      out[member.key()] = member.value();
  return out;
}

Result<std::string> document_text(const json::value& value, std::size_t limit) {
  std::string text;
  if (value.is_array()) {
    json::array out;
    for (const json::value& element : value.get_array()) out.push_back(without_record(element));
    text = to_json(out);
  } else if (value.is_object()) {
    text = to_json(without_record(value));
  } else {
    PLANEXE_TRY_ASSIGN(text, plain_text(value));
  }
  return limit > 0 ? cut_at_paragraph(text, limit) : text;
}

std::string attribute(std::string_view text) {
  return replace_all(replace_all(replace_all(one_line(text), "&", "&amp;"), "\"", "&quot;"), "<", "&lt;");
}

Result<void> add_context(const Recipe& recipe, const Step& step, const Scope& scope, Prompt& prompt) {
  for (const Document& document : canonical_order(recipe, step)) {
    const ContextEntry& entry = *document.entry;
    auto value = resolve(entry.path, scope);
    if (!value)
      return fail(value.error().code, fmt::format("{}: # context: {}", step.task_template.file, value.error().message));
    const Task* source = recipe.task(entry.path.root());
    auto text = document_block(document.name, source ? source->title : document.name, *value, entry.limit);
    if (!text)
      return fail(text.error().code,
                  fmt::format("{}: # context: {}: {}", step.task_template.file, document.name, text.error().message));
    prompt.blocks.push_back({PromptBlock::Kind::context, document.name, *std::move(text)});
  }
  return {};
}

void add_part(Sha256& hash, std::string_view name, std::string_view bytes) {
  hash.update(fmt::format("{} {}\n", name, bytes.size())).update(bytes);
}

std::string_view kind_name(PromptBlock::Kind kind) {
  switch (kind) {
    case PromptBlock::Kind::plan: return "plan";
    case PromptBlock::Kind::context: return "context";
    case PromptBlock::Kind::task: return "task";
    case PromptBlock::Kind::item: return "item";
    case PromptBlock::Kind::previous: return "previous";
  }
  return "";
}

}  // namespace

std::string Prompt::text() const {
  std::string out;
  for (const PromptBlock& block : blocks) {
    if (!out.empty()) out += "\n\n";
    out += block.text;
  }
  return out;
}

std::size_t Prompt::estimated_tokens() const {
  std::size_t characters = code_points(system);
  for (const PromptBlock& block : blocks) characters += code_points(block.text) + 2;
  return (characters * 2 + 6) / 7;
}

std::string neutral_fences(std::string_view text) {
  static const RE2 fence(fmt::format("(?i)<(\\s*/?\\s*(?:{})\\b)", kFenceTags));
  std::string out(text);
  RE2::GlobalReplace(&out, fence, "&lt;\\1");
  return out;
}

std::string plan_block(const json::value& plan) {
  const auto prompt = get_string(plan, "prompt").value_or("");
  std::string out = fmt::format("<client_request>\n{}\n</client_request>", neutral_fences(trim(prompt)));
  const auto start = get_string(plan, "start_date").value_or("");
  if (!start.empty()) out += fmt::format("\n\nProject start: {}", one_line(start));
  const json::value* intake = find(plan, "intake");
  if (intake && !intake->is_null())
    out += fmt::format("\n\n<client_interview>\n{}\n</client_interview>", neutral_fences(to_json(*intake)));
  return out;
}

Result<std::string> document_block(std::string_view name, std::string_view title, const json::value& value,
                                   std::size_t limit) {
  std::string text(kGap);
  if (!value.is_null()) {
    PLANEXE_TRY_ASSIGN(text, document_text(value, limit));
    text = neutral_fences(text);
  }
  while (text.ends_with('\n')) text.pop_back();
  return fmt::format("<document name=\"{}\" title=\"{}\">\n{}\n</document>", attribute(name), attribute(title), text);
}

Result<Prompt> render_prompt(const Recipe& recipe, const Task& task, const Step& step, const Scope& scope) {
  Prompt prompt;
  PLANEXE_TRY_ASSIGN(prompt.system, render(recipe.system, scope, recipe.fragments));
  if (step.include_plan) {
    const json::value* plan = scope.root("plan");
    if (!plan) return fail(ErrorCode::RecipeInvalid, fmt::format("{}: the plan is not known to the prompt", task.key));
    prompt.blocks.push_back({PromptBlock::Kind::plan, "plan", plan_block(*plan)});
  }
  PLANEXE_TRY(add_context(recipe, step, scope, prompt));
  PLANEXE_TRY_ASSIGN(std::string instruction, render(step.task_template, scope, recipe.fragments));
  prompt.blocks.push_back({PromptBlock::Kind::task, "task", trim(instruction)});
  if (step.item_template) {
    PLANEXE_TRY_ASSIGN(std::string item, render(*step.item_template, scope, recipe.fragments));
    item = trim(item);
    // The first round has no earlier answers; an empty block would only blur the prefix.
    if (!item.empty())
      prompt.blocks.push_back(
          {step.map ? PromptBlock::Kind::item : PromptBlock::Kind::previous, "item", std::move(item)});
  }
  return prompt;
}

std::string input_hash(const Recipe& recipe, const Step& step, const Prompt& prompt) {
  Sha256 hash;
  add_part(hash, "format", std::to_string(recipe.format));
  add_part(hash, "system", prompt.system);
  for (const PromptBlock& block : prompt.blocks) add_part(hash, kind_name(block.kind), block.text);
  // Member order is part of the question: models fill fields in the order of the schema.
  add_part(hash, "schema", step.text_answer ? std::string("text") : to_json(step.schema));
  return hash.hex();
}

std::string view_key(const Template& view, std::string_view inputs_hash) {
  Sha256 hash;
  add_part(hash, "view", view.fingerprint);
  add_part(hash, "inputs", inputs_hash);
  return hash.hex();
}

}  // namespace planexe::recipe
