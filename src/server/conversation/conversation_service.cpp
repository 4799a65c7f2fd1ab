#include "server/conversation/conversation_service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include "base/ids.hpp"
#include "server/conversation/conversation_store.hpp"
#include "server/conversation/conversation_view.hpp"
#include "server/conversation/follow.hpp"
#include "server/conversation/intake_schema.hpp"
#include "server/conversation/limits.hpp"
#include "server/conversation/turn_checks.hpp"

namespace planexe::server {

namespace asio = boost::asio;

namespace {

std::string text_of(const json::value& body, std::string_view key) { return std::string(get_string(body, key).value_or("")); }

std::unexpected<Error> conversation_busy() {
  return fail(ErrorCode::ConversationBusy, "The conversation is busy.", "Wait until the running turn has ended.");
}

}  // namespace

/// Keeps other requests of the same conversation out while one is looked at.
class ConversationService::Preparing {
 public:
  Preparing(std::shared_ptr<ConversationService> service, std::string id) : service_(std::move(service)), id_(std::move(id)) {
    service_->preparing_.insert(id_);
  }
  Preparing(const Preparing&) = delete;
  Preparing& operator=(const Preparing&) = delete;
  ~Preparing() { release(); }
  void release() {
    if (service_) std::exchange(service_, nullptr)->preparing_.erase(id_);
  }

 private:
  std::shared_ptr<ConversationService> service_;
  std::string id_;
};

Result<void> ConversationService::check_open() const {
  if (stopping_) return fail(ErrorCode::ShuttingDown, "The server is shutting down.");
  return check_streaming(services_);
}

Result<void> ConversationService::check_request(const json::value& body) const {
  PLANEXE_TRY(check_open());
  PLANEXE_TRY(check_schema_names(body));
  return check_model(services_, text_of(body, "model_key"));
}

asio::awaitable<Result<Dialogue>> ConversationService::load(std::string id) {
  const auto self = shared_from_this();
  while (true) {
    const auto seen = changes_;
    PLANEXE_CO_TRY_ASSIGN(auto dialogue, co_await on_pool(services_, [store = services_.store, id] { return read_dialogue(*store, id); }));
    if (dialogue.conversation.status != "running" || runs_.contains(id)) co_return dialogue;
    const auto age = services_.clock->now() - dialogue.conversation.updated_at;
    if (!services_.exclusive && age < limits::kTurnLifeMax) co_return dialogue;
    // Running, and no run of this process: left by an earlier one, unless a run came or went while we were reading or
    // somebody else is mending it right now.
    if (seen != changes_ || !recovering_.insert(id).second) continue;
    auto mended = co_await on_pool(services_, [store = services_.store, dialogue = std::move(dialogue), now = services_.clock->now()] {
      return recover_dialogue(*store, dialogue, now);
    });
    recovering_.erase(id);
    co_return mended;
  }
}

ConversationService::Reply ConversationService::create(json::value body) {
  PLANEXE_CO_TRY(check_streaming(services_));
  const auto model = text_of(body, "model_key");
  if (const auto usable = check_model(services_, model); !usable)
    co_return fail(ErrorCode::ModelUnavailable, usable.error().message, usable.error().detail);
  const auto given = text_of(body, "conversation_id");
  store::ConversationRow row;
  if (given.empty()) {
    row.id = "conv_" + uuid4(*services_.random);
    row.created_at = services_.clock->now();
  } else {
    if (!valid_id(given)) co_return fail(ErrorCode::ConversationNotFound, "There is no conversation with this id.");
    PLANEXE_CO_TRY_ASSIGN(auto dialogue, co_await load(given));
    row = std::move(dialogue.conversation);
  }
  if (given.empty()) {
    row.model_key = model;
    row.updated_at = row.created_at;
    PLANEXE_CO_TRY(co_await on_pool(services_, [store = services_.store, row] {
      return commit_conversation(*store, {store::PutConversation{row}}, "conversation_create");
    }));
  } else if (row.model_key != model) {
    // A running turn keeps its model; the next one names its own.
    PLANEXE_CO_TRY(co_await on_pool(services_, [store = services_.store, id = row.id, model] {
      return commit_conversation(*store, {store::SetConversation{id, std::nullopt, model}}, "conversation_model");
    }));
    PLANEXE_CO_TRY_ASSIGN(auto changed, co_await load(row.id));
    row = std::move(changed.conversation);
  }
  co_return json::object{{"conversation_id", row.id}, {"model_key", row.model_key}, {"created", given.empty()}};
}

ConversationService::Reply ConversationService::view(std::string id) {
  PLANEXE_CO_TRY(check_streaming(services_));
  PLANEXE_CO_TRY_ASSIGN(auto dialogue, co_await load(id));
  const auto it = runs_.find(id);
  if (it == runs_.end()) co_return conversation_view(dialogue);
  // The database may hear of the turn's beginning a moment later.
  if (busy(id)) dialogue.conversation.status = "running";
  const auto& log = it->second->log();
  co_return conversation_view(dialogue, log.text(TextKind::text), log.text(TextKind::reasoning));
}

asio::awaitable<Result<void>> ConversationService::remove(std::string id) {
  PLANEXE_CO_TRY(check_streaming(services_));
  sessions_.forget(id);
  // The turn writes nothing from here on; what it has submitted before comes before the deletion.
  if (const auto it = runs_.find(id); it != runs_.end()) it->second->discard();
  co_return co_await on_pool(services_, [store = services_.store, id] {
    return commit_conversation(*store, {store::DeleteConversation{id}}, "conversation_delete");
  });
}

asio::awaitable<Result<void>> ConversationService::put_message(std::string id, std::string text) {
  PLANEXE_CO_TRY_ASSIGN(const auto dialogue, co_await load(id));
  if (dialogue.conversation.status == "running") co_return conversation_busy();  // in another process
  if (next_turn(dialogue) > limits::kTurnsMax)
    co_return fail(ErrorCode::ValidationFailed, fmt::format("A conversation has at most {} messages; begin a new one.", limits::kTurnsMax));
  store::TurnRow turn;
  turn.conversation_id = id;
  turn.turn = next_turn(dialogue);
  turn.role = "user";
  turn.text = std::move(text);
  turn.status = "completed";
  turn.created_at = services_.clock->now();
  turn.completed_at = turn.created_at;
  co_return co_await on_pool(services_, [store = services_.store, turn] {
    return commit_conversation(*store, {store::PutTurn{turn}}, "turn_prepare");
  });
}

ConversationService::Reply ConversationService::prepare(std::string id, json::value body) {
  PLANEXE_CO_TRY(check_request(body));
  if (busy(id)) co_return conversation_busy();
  Preparing guard(shared_from_this(), id);
  PLANEXE_CO_TRY(co_await put_message(id, text_of(body, "user_message")));
  const auto now = services_.clock->now();
  auto wishes = TurnWishes::from_request(body);
  const auto bytes = wishes.bytes();
  sessions_.supersede(id, now);
  const auto& session = sessions_.add(new_token("t_"), id, text_of(body, "model_key"), now, limits::kTurnTokenLife, bytes,
                                      PreparedTurn{std::move(wishes), nullptr});
  co_return json::object{{"token", session.token},
                         {"conversation_id", id},
                         {"model_key", session.model_key},
                         {"expires_at", format_iso(session.expires_at)},
                         {"ttl_seconds", limits::kTurnTokenLife.count()}};
}

Result<std::shared_ptr<LiveRun>> ConversationService::open(const std::string& id, const std::string& token,
                                                           std::optional<std::string_view> model_key) {
  PLANEXE_TRY(check_open());
  PLANEXE_TRY_ASSIGN(auto* session, sessions_.look(token, id, model_key, services_.clock->now()));
  if (session->opened) return session->payload ? session->payload->live : nullptr;
  if (busy(id)) return fail(ErrorCode::SessionExpired, "Another message has taken the place of this one.");
  session->opened = true;
  auto live = new_run(id);
  session->payload->live = live;
  Beginning beginning{token, session->model_key, std::move(session->payload->wishes)};
  asio::co_spawn(services_.loop, begin(id, live, std::move(beginning), nullptr), asio::detached);
  return live;
}

std::shared_ptr<LiveRun> ConversationService::new_run(const std::string& id) {
  auto live = std::make_shared<LiveRun>(services_);
  runs_.insert_or_assign(id, live);
  ++changes_;
  if (stopping_) live->cancel(ErrorCode::ShuttingDown);
  return live;
}

void ConversationService::stop() {
  stopping_ = true;
  // A run that ends leaves the list.
  for (const auto& [id, live] : std::map(runs_)) live->cancel(ErrorCode::ShuttingDown);
}

void ConversationService::ended(const std::string& id, const std::string& token) {
  const auto it = runs_.find(id);
  if (it == runs_.end()) return;
  sessions_.ended(token, it->second->log().bytes(), services_.clock->now());
  runs_.erase(it);
  ++changes_;
}

TurnSetup ConversationService::setup_of(const Dialogue& dialogue, const Beginning& beginning, std::int64_t first_id) const {
  TurnSetup setup;
  setup.token = beginning.token;
  setup.conversation = dialogue.conversation;
  setup.first_prompt = first_prompt(dialogue);
  setup.answer.conversation_id = dialogue.conversation.id;
  setup.answer.turn = next_turn(dialogue);
  setup.answer.created_at = services_.clock->now();
  const auto planned = [&](llm::CallSpec spec, llm::Judge judge, const char* stage, std::int64_t id) {
    CallLedger ledger({"conversation", dialogue.conversation.id, stage, beginning.wishes.metadata}, spec, id);
    return PlannedCall{std::move(spec), std::move(judge), std::move(ledger)};
  };
  if (beginning.form_only && !dialogue.turns.empty()) setup.witness = dialogue.turns.back();
  if (!beginning.form_only) {
    auto spec = reply_call(dialogue, beginning.wishes, *services_.settings, setup.answer.turn);
    setup.reply = planned(std::move(spec), reply_judge(), "intake_reply", first_id);
  }
  const auto form_id = first_id + limits::kAttemptsPerCall;
  // The id keeps repeated calls for the same turn apart in the ledger.
  auto form = form_call(dialogue, beginning.wishes, fmt::format("intake/form/{}/{}", setup.answer.turn, form_id));
  setup.form = planned(std::move(form), form_judge(), "intake_form", form_id);
  return setup;
}

asio::awaitable<void> ConversationService::begin(std::string id, std::shared_ptr<LiveRun> live, Beginning beginning,
                                                 std::shared_ptr<std::optional<TurnEnd>> end) {
  const auto self = shared_from_this();
  auto dialogue = co_await load(id);
  Result<std::int64_t> first_id = 0;
  if (dialogue) first_id = co_await on_pool(services_, [store = services_.store] { return reserve_turn_ids(*store); });
  if (!dialogue || !first_id) {
    const auto failure = turn_failure(dialogue ? first_id.error() : dialogue.error());
    live->end_with("response.error", json::object{{"conversation_id", id},
                                                  {"model_key", beginning.model_key},
                                                  {"session_id", beginning.token},
                                                  {"response_id", nullptr},
                                                  {"message", failure.message},
                                                  {"code", to_string(failure.code)},
                                                  {"retryable", failure.retryable}});
    if (end) *end = TurnEnd{failure, {}, {}, {}, {}, std::nullopt, {}, {}};
    ended(id, beginning.token);
    co_return;
  }
  if (!beginning.model_key.empty()) dialogue->conversation.model_key = beginning.model_key;
  auto run = std::make_unique<TurnRun>(setup_of(*dialogue, beginning, *first_id));
  // The service owns its runs, not they the service.
  live->begin(std::move(run), [weak = weak_from_this(), id, token = beginning.token, end](Run& over) {
    if (end) *end = static_cast<TurnRun&>(over).end();
    if (const auto service = weak.lock()) service->ended(id, token);
  });
}

asio::awaitable<Result<TurnEnd>> ConversationService::run_to_end(std::string id, Beginning beginning) {
  const auto live = new_run(id);
  const auto end = std::make_shared<std::optional<TurnEnd>>();
  co_await begin(id, live, std::move(beginning), end);
  co_await wait_until_over(services_, live);
  if (!*end) co_return fail(ErrorCode::Internal, "The turn has no result.");
  if ((*end)->failure) co_return std::unexpected(as_http_error(*(*end)->failure));
  co_return **std::move(end);
}

ConversationService::Reply ConversationService::follow_up(std::string id, json::value body) {
  PLANEXE_CO_TRY(check_request(body));
  if (busy(id)) co_return conversation_busy();
  Preparing guard(shared_from_this(), id);
  PLANEXE_CO_TRY(co_await put_message(id, text_of(body, "user_message")));
  sessions_.supersede(id, services_.clock->now());
  Beginning beginning{new_token("t_"), text_of(body, "model_key"), TurnWishes::from_request(body)};
  PLANEXE_CO_TRY(co_await run_to_end(id, std::move(beginning)));
  PLANEXE_CO_TRY_ASSIGN(const auto dialogue, co_await load(id));
  co_return turn_result(dialogue);
}

ConversationService::Reply ConversationService::finalize(std::string id) {
  PLANEXE_CO_TRY(check_open());
  if (busy(id)) co_return conversation_busy();
  Preparing guard(shared_from_this(), id);
  PLANEXE_CO_TRY_ASSIGN(auto dialogue, co_await load(id));
  if (dialogue.conversation.status == "running") co_return conversation_busy();  // in another process
  if (!draft_is_current(dialogue)) {
    if (const auto usable = check_model(services_, dialogue.conversation.model_key); !usable)
      co_return fail(ErrorCode::ProviderNotConfigured, usable.error().message, usable.error().detail);
    PLANEXE_CO_TRY(co_await run_to_end(id, Beginning{"", "", {}, true}));
    PLANEXE_CO_TRY_ASSIGN(dialogue, co_await load(id));
  }
  co_return turn_result(dialogue);
}

}  // namespace planexe::server
