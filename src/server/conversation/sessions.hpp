#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "server/conversation/limits.hpp"

namespace planexe::server {

/// Tokens that open one stream each: prepared, opened, ended, and for a while remembered as ended. `Payload` is what a
/// token stands for; it is let go when it is of no more use. Pure.
template <class Payload>
class Sessions {
 public:
  struct Session {
    std::string token, subject, model_key;
    TimePoint made_at{}, expires_at{};
    bool opened = false;
    std::optional<TimePoint> ended_at;
    std::size_t bytes = 0;
    std::optional<Payload> payload;
  };

  /// Earlier tokens of the subject that nobody has opened are void.
  void supersede(const std::string& subject, TimePoint now) {
    for (auto& [token, session] : sessions_)
      if (session.subject == subject && !session.opened) session.expires_at = std::min(session.expires_at, now);
  }

  Session& add(std::string token, std::string subject, std::string model_key, TimePoint now, std::chrono::seconds life,
               std::size_t bytes, Payload payload) {
    sweep(now);
    Session session{token, std::move(subject), std::move(model_key), now, now + life, false, std::nullopt, bytes, std::move(payload)};
    auto& stored = sessions_.insert_or_assign(std::move(token), std::move(session)).first->second;
    bytes_ += bytes;
    enforce_limits(stored.token);
    return stored;
  }

  /// The session of a token that may be streamed; its payload is empty when it ended so long ago that it is forgotten.
  /// SESSION_NOT_FOUND, SESSION_MISMATCH when it belongs to another subject or model, SESSION_EXPIRED when it was not
  /// opened in time.
  Result<Session*> look(const std::string& token, const std::string& subject, std::optional<std::string_view> model_key, TimePoint now) {
    sweep(now);
    const auto it = sessions_.find(token);
    if (it == sessions_.end() || age(it->second, now)) return fail(ErrorCode::SessionNotFound, "The token is unknown.");
    auto& session = it->second;
    if (session.subject != subject || (model_key && *model_key != session.model_key))
      return fail(ErrorCode::SessionMismatch, "The token belongs to something else.");
    if (!session.opened && (now >= session.expires_at || !session.payload))
      return fail(ErrorCode::SessionExpired, "The token was not used in time; prepare a new one.");
    return &session;
  }

  Session* find(const std::string& token) {
    const auto it = sessions_.find(token);
    return it == sessions_.end() ? nullptr : &it->second;
  }

  template <class Wanted>
  Session* find_if(const Wanted& wanted) {
    for (auto& [token, session] : sessions_)
      if (wanted(session)) return &session;
    return nullptr;
  }

  /// The stream has ended; its events take `bytes`.
  void ended(const std::string& token, std::size_t bytes, TimePoint now) {
    auto* session = find(token);
    if (!session) return;
    session->ended_at = now;
    bytes_ += bytes - session->bytes;
    session->bytes = bytes;
    enforce_limits(token);
  }

  void forget(const std::string& subject) {
    for (auto it = sessions_.begin(); it != sessions_.end();) {
      const bool own = it->second.subject == subject;
      if (own) bytes_ -= it->second.bytes;
      it = own ? sessions_.erase(it) : std::next(it);
    }
  }

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

 private:
  void release(Session& session) {
    session.payload.reset();
    bytes_ -= std::exchange(session.bytes, 0);
  }

  /// Lets go what nobody may read any more; true when even the token may be forgotten.
  bool age(Session& session, TimePoint now) {
    const bool unused = !session.opened && now >= session.expires_at;
    if (unused || (session.ended_at && now - *session.ended_at > limits::kReplayLife)) release(session);
    const auto since = session.ended_at.value_or(session.expires_at);
    return (unused || session.ended_at) && now - since > limits::kEndedTokenLife;
  }

  /// All sessions, now and then: a look at each of them with every request would cost more than it frees.
  void sweep(TimePoint now) {
    if (now < next_sweep_) return;
    next_sweep_ = now + limits::kSessionSweep;
    for (auto it = sessions_.begin(); it != sessions_.end();) it = age(it->second, now) ? sessions_.erase(it) : std::next(it);
  }

  [[nodiscard]] bool over_limits(std::size_t room) const {
    return bytes_ > limits::kSessionBytesMax || sessions_.size() + room > limits::kSessionsMax;
  }

  /// The oldest go first, some more than needed; streams that are being written stay.
  void enforce_limits(const std::string& keep) {
    if (!over_limits(0)) return;
    std::vector<Session*> idle;
    for (auto& [token, session] : sessions_)
      if (token != keep && (!session.opened || session.ended_at)) idle.push_back(&session);
    std::ranges::sort(idle, {}, &Session::made_at);
    for (auto* session : idle) {
      if (!over_limits(limits::kSessionsMax / 20)) return;
      release(*session);
      if (sessions_.size() + limits::kSessionsMax / 20 > limits::kSessionsMax) sessions_.erase(std::string(session->token));
    }
  }

  std::map<std::string, Session> sessions_;
  std::size_t bytes_ = 0;
  TimePoint next_sweep_{};
};

}  // namespace planexe::server
