#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "llm/types.hpp"
#include "server/conversation/intake_draft.hpp"
#include "server/settings.hpp"
#include "store/rows.hpp"

namespace planexe::server {

/// What a client may say about one turn besides the message itself.
struct TurnWishes {
  std::string instructions;  ///< wishes about style
  std::string context;       ///< further text for the model
  std::string effort, verbosity, summary;  ///< "" = the server's default
  bool store = true;         ///< false: the provider is to keep nothing of it
  json::object metadata;     ///< stored, never sent

  static TurnWishes from_request(const json::value& body);
  [[nodiscard]] std::size_t bytes() const;
};

/// A conversation as it was read from the database, with the turn that is to be answered.
struct Dialogue {
  store::ConversationRow conversation;
  std::vector<store::TurnRow> turns;
  /// The ledger row of the last completed answer, where there is one.
  std::optional<store::InteractionRow> last_answer;
};

/// What the person wrote first; "" before that.
std::string first_prompt(const Dialogue& dialogue);
/// The last completed answer of the model; null when there is none.
const store::TurnRow* last_answer(const Dialogue& dialogue);
/// The last message of the person; null when there is none.
const store::TurnRow* last_message(const Dialogue& dialogue);

/// What model and person have said to each other: failed answers are no part of it, nor is a message that was sent again
/// after one. Beyond limits::kTranscriptBytesMax the oldest messages but the first are left out.
std::vector<llm::Message> spoken(const Dialogue& dialogue);

/// The question for the interviewer's next message; goes on with the provider's own thread where that can be.
llm::CallSpec reply_call(const Dialogue& dialogue, const TurnWishes& wishes, const ServerSettings& settings, int turn);

/// The question for the form.
llm::CallSpec form_call(const Dialogue& dialogue, const TurnWishes& wishes, const std::string& key);

/// Any text is a reply; blank ones are asked for again.
llm::Judge reply_judge();

}  // namespace planexe::server
