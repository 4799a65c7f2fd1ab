#include "server/conversation/interview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "server/conversation/intake_schema.hpp"
#include "server/conversation/limits.hpp"

namespace planexe::server {
namespace {

using Role = llm::Message::Role;

/// The form is read from what was said; little thought is needed and a person waits.
constexpr const char* kFormEffort = "low";

std::string text_of(const json::value& body, std::string_view key) {
  return std::string(get_string(body, key).value_or(""));
}

/// Closing tags inside would end the block early.
std::string fenced(std::string_view tag, std::string_view text) {
  const auto close = fmt::format("</{}>", tag);
  return fmt::format("<{}>\n{}\n{}", tag, replace_all(text, close, fmt::format("< /{}>", tag)), close);
}

bool is_message(const store::TurnRow& turn) { return turn.role == "user"; }
bool is_answer(const store::TurnRow& turn) { return turn.role == "assistant" && turn.status == "completed"; }

std::size_t size_of(const llm::Message& message) {
  std::size_t size = 0;
  for (const auto& part : message.parts) size += part.size();
  return size;
}

void add_wishes(const TurnWishes& wishes, std::vector<llm::Message>& messages) {
  if (messages.empty() || messages.back().role != Role::user) return;
  auto& parts = messages.back().parts;
  if (!wishes.context.empty()) parts.push_back(fenced("context", wishes.context));
  if (!wishes.instructions.empty()) parts.push_back(fenced("wishes_about_style", wishes.instructions));
}

llm::CallSpec call_of(const Dialogue& dialogue, std::string key) {
  llm::CallSpec spec;
  // Conversations take their turn at an endpoint beside the plans.
  spec.plan_id = dialogue.conversation.id;
  spec.task_key = "intake";
  spec.call_key = std::move(key);
  spec.model = dialogue.conversation.model_key;
  spec.cache_key = sha256_hex(dialogue.conversation.id).substr(0, 32);
  return spec;
}

/// The thread so far and where the provider keeps it.
llm::Parent parent_of(const Dialogue& dialogue, std::vector<llm::Message> transcript) {
  llm::Parent parent;
  parent.transcript = std::move(transcript);
  if (!dialogue.last_answer) return parent;
  const auto& row = *dialogue.last_answer;
  parent.call_key = row.call_key;
  parent.response_id = row.response_id;
  parent.provider = row.provider;
  parent.model = row.llm_model;
  parent.completed_at = row.completed_at;
  parent.stored = get_bool(row.response_metadata, "stored").value_or(false);
  return parent;
}

}  // namespace

TurnWishes TurnWishes::from_request(const json::value& body) {
  TurnWishes wishes;
  wishes.instructions = trim(text_of(body, "instructions"));
  wishes.context = trim(text_of(body, "context"));
  wishes.effort = text_of(body, "reasoning_effort");
  wishes.verbosity = text_of(body, "text_verbosity");
  wishes.summary = text_of(body, "reasoning_summary");
  wishes.store = get_bool(body, "store").value_or(true);
  if (const auto* metadata = get_object(body, "metadata")) wishes.metadata["client"] = *metadata;
  for (const char* name : {"store", "text_verbosity", "reasoning_summary"})
    if (const auto* value = find(body, name); value && !value->is_null()) wishes.metadata[name] = *value;
  return wishes;
}

std::size_t TurnWishes::bytes() const { return instructions.size() + context.size() + to_json(metadata).size(); }

std::string first_prompt(const Dialogue& dialogue) {
  const auto it = std::ranges::find_if(dialogue.turns, is_message);
  return it == dialogue.turns.end() ? "" : it->text;
}

const store::TurnRow* last_answer(const Dialogue& dialogue) {
  const auto it = std::find_if(dialogue.turns.rbegin(), dialogue.turns.rend(), is_answer);
  return it == dialogue.turns.rend() ? nullptr : &*it;
}

const store::TurnRow* last_message(const Dialogue& dialogue) {
  const auto it = std::find_if(dialogue.turns.rbegin(), dialogue.turns.rend(), is_message);
  return it == dialogue.turns.rend() ? nullptr : &*it;
}

std::vector<llm::Message> spoken(const Dialogue& dialogue) {
  std::vector<llm::Message> messages;
  std::size_t bytes = 0;
  for (const auto& turn : dialogue.turns) {
    if (!is_message(turn) && !is_answer(turn)) continue;
    llm::Message message{is_message(turn) ? Role::user : Role::assistant, {turn.text}};
    if (!messages.empty() && message.role == Role::user && messages.back() == message) continue;
    bytes += size_of(message);
    messages.push_back(std::move(message));
  }
  while (bytes > limits::kTranscriptBytesMax && messages.size() > 2) {
    bytes -= size_of(messages[1]);
    messages.erase(messages.begin() + 1);
  }
  return messages;
}

llm::CallSpec reply_call(const Dialogue& dialogue, const TurnWishes& wishes, const ServerSettings& settings, int turn) {
  auto spec = call_of(dialogue, fmt::format("intake/reply/{}", turn));
  spec.schema_name = "intake__reply";
  spec.effort = wishes.effort.empty() ? settings.effort_default : wishes.effort;
  spec.verbosity = wishes.verbosity.empty() ? settings.text_verbosity_default : wishes.verbosity;
  spec.summary = wishes.summary.empty() ? settings.reasoning_summary_default : wishes.summary;
  spec.store = wishes.store;
  spec.fixed_budget = settings.max_output_tokens_default.has_value();
  if (spec.fixed_budget) spec.max_output_tokens = static_cast<int>(*settings.max_output_tokens_default);
  const llm::Message rules{Role::developer, {interviewer_instructions()}};
  auto messages = spoken(dialogue);
  const auto last = std::find_if(messages.rbegin(), messages.rend(), [](const auto& m) { return m.role == Role::assistant; });
  const auto known = static_cast<std::ptrdiff_t>(messages.rend() - last);
  std::vector<llm::Message> fresh(messages.begin() + known, messages.end());
  add_wishes(wishes, fresh);
  if (known > 0) {
    messages.resize(static_cast<std::size_t>(known));
    messages.insert(messages.begin(), rules);
    spec.parent = parent_of(dialogue, std::move(messages));
  }
  spec.messages.push_back(rules);
  spec.messages.insert(spec.messages.end(), std::make_move_iterator(fresh.begin()), std::make_move_iterator(fresh.end()));
  return spec;
}

llm::CallSpec form_call(const Dialogue& dialogue, const TurnWishes& wishes, const std::string& key) {
  auto spec = call_of(dialogue, key);
  spec.schema_name = "intake__form";
  spec.schema = form_schema();
  spec.effort = kFormEffort;
  spec.store = wishes.store;
  spec.max_output_tokens = limits::kFormTokensMax;
  spec.messages = spoken(dialogue);
  TurnWishes facts;
  facts.context = wishes.context;
  add_wishes(facts, spec.messages);
  spec.messages.insert(spec.messages.begin(), llm::Message{Role::developer, {form_instructions()}});
  llm::Message request{Role::user, {"<form_request>\nFill in the form from the conversation above.\n</form_request>"}};
  if (const auto draft = IntakeDraft::from_json(dialogue.conversation.draft_intake)) {
    auto form = draft->form;
    form.erase("original_prompt");
    form.erase("captured_at");
    request.parts.push_back(fenced("earlier_draft", to_json(form)));
  }
  spec.messages.push_back(std::move(request));
  return spec;
}

llm::Judge reply_judge() {
  return [](std::string_view text, const json::array&, bool) {
    llm::Judgement judgement;
    auto reply = trim(to_valid_utf8(text));
    judgement.accepted = !reply.empty();
    if (!judgement.accepted) {
      judgement.error = "the reply is empty";
      judgement.feedback = "Your message was empty. Write your next message to the person.";
    }
    judgement.value = json::string(reply);
    return judgement;
  };
}

}  // namespace planexe::server
