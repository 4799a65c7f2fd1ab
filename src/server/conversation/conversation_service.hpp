#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "server/conversation/interview.hpp"
#include "server/conversation/live_run.hpp"
#include "server/conversation/sessions.hpp"
#include "server/conversation/turn_run.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// Conversations and their turns. One turn of a conversation at a time; a turn goes on without its client and is stored.
/// On the loop's thread; the database is read and written on the pool.
class ConversationService : public std::enable_shared_from_this<ConversationService> {
 public:
  using Reply = boost::asio::awaitable<Result<json::object>>;

  explicit ConversationService(const Services& services) : services_(services) {}

  Reply create(json::value body);
  Reply view(std::string id);
  boost::asio::awaitable<Result<void>> remove(std::string id);
  /// Stores the message; the model is asked when the stream of the token is opened.
  Reply prepare(std::string id, json::value body);
  /// One whole turn.
  Reply follow_up(std::string id, json::value body);
  Reply finalize(std::string id);

  /// The run of a token; the first call starts it. Null when it ended so long ago that its events are forgotten.
  /// SESSION_NOT_FOUND, SESSION_MISMATCH, SESSION_EXPIRED.
  Result<std::shared_ptr<LiveRun>> open(const std::string& id, const std::string& token, std::optional<std::string_view> model_key);

  /// The server ends: every turn ends with SHUTTING_DOWN, its text so far is stored, its followers are told and its model
  /// calls are cancelled. What comes later is refused with the same code.
  void stop();
  /// Turns that are not over; after stop() it falls to 0 as soon as their ends are stored.
  [[nodiscard]] std::size_t running() const { return runs_.size(); }

 private:
  struct PreparedTurn {
    TurnWishes wishes;
    std::shared_ptr<LiveRun> live;
  };
  /// What begins a run besides the dialogue.
  struct Beginning {
    std::string token, model_key;
    TurnWishes wishes;
    bool form_only = false;
  };
  class Preparing;

  [[nodiscard]] bool busy(const std::string& id) const { return preparing_.contains(id) || runs_.contains(id); }
  boost::asio::awaitable<Result<Dialogue>> load(std::string id);
  boost::asio::awaitable<Result<void>> put_message(std::string id, std::string text);
  boost::asio::awaitable<void> begin(std::string id, std::shared_ptr<LiveRun> live, Beginning beginning,
                                     std::shared_ptr<std::optional<TurnEnd>> end);
  boost::asio::awaitable<Result<TurnEnd>> run_to_end(std::string id, Beginning beginning);
  [[nodiscard]] TurnSetup setup_of(const Dialogue& dialogue, const Beginning& beginning, std::int64_t first_id) const;
  std::shared_ptr<LiveRun> new_run(const std::string& id);
  void ended(const std::string& id, const std::string& token);
  [[nodiscard]] Result<void> check_open() const;
  [[nodiscard]] Result<void> check_request(const json::value& body) const;

  const Services& services_;
  Sessions<PreparedTurn> sessions_;
  std::set<std::string> preparing_;                       ///< conversations whose request is being stored or looked at
  std::map<std::string, std::shared_ptr<LiveRun>> runs_;  ///< by conversation
  std::uint64_t changes_ = 0;                             ///< of runs_
  std::set<std::string> recovering_;
  bool stopping_ = false;
};

}  // namespace planexe::server
