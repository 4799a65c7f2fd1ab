#pragma once

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>

#include "llm/call_machine.hpp"
#include "llm/client.hpp"
#include "llm/curl_transport.hpp"
#include "llm/payload_log.hpp"

namespace planexe::llm {

/// Runs call machines: carries out their actions and brings them what happened. Everything on one executor thread; the
/// entry points post, so that a host is never called from inside of its own call.
class ClientCore : public std::enable_shared_from_this<ClientCore> {
 public:
  ClientCore(boost::asio::any_io_executor executor, ClientOptions options, const Clock& clock, Random& random,
             std::optional<PayloadLog> payload_log);

  void start(CallId id, CallSpec spec, Judge judge, std::shared_ptr<CallHost> host);
  void cancel(CallId id);
  void shut_down();
  /// Drops everything without telling anybody.
  void close();
  [[nodiscard]] std::size_t active() const { return calls_.size(); }
  [[nodiscard]] std::vector<EndpointState> endpoints() const { return limits_.endpoints(now().steady); }

 private:
  struct Call {
    Call(boost::asio::any_io_executor executor) : timer(executor), pause_timer(executor) {}
    std::unique_ptr<CallMachine> machine;
    std::shared_ptr<CallHost> host;
    boost::asio::steady_timer timer;
    boost::asio::steady_timer pause_timer;
    std::optional<SteadyTime> armed;
    std::optional<TransferId> transfer;
    int announced_attempt = 0;
    bool paused = false;
    bool cancelled = false;  ///< the machine will be told; until then it hears of nothing else
  };

  using Event = std::function<Actions(CallMachine& machine, Now now)>;

  /// Tells a call's machine of an event and carries out what it wants; nothing when the call is over.
  void tell(CallId id, const Event& event);
  void perform(CallId id, Call& call, Action& action);
  void carry_out(CallId id, Call& call, action::Enqueue& enqueue);
  void carry_out(CallId id, Call& call, action::LeaveQueue& leave);
  void carry_out(CallId id, Call& call, action::Announce& announce);
  void carry_out(CallId id, Call& call, action::Send& send);
  void carry_out(CallId id, Call& call, action::Abort& abort);
  void carry_out(CallId id, Call& call, action::Drain& drain);
  void carry_out(CallId id, Call& call, action::CancelAtProvider& cancel);
  void carry_out(CallId id, Call& call, action::FinishTicket& finish);
  void carry_out(CallId id, Call& call, action::LearnHeaders& learn);
  void carry_out(CallId id, Call& call, action::FirstToken& token);
  void carry_out(CallId id, Call& call, action::ResponseId& response);
  void carry_out(CallId id, Call& call, action::Deltas& deltas);
  void carry_out(CallId id, Call& call, action::EndAttempt& end);
  void carry_out(CallId id, Call& call, action::Finish& finish);
  void check_paused(CallId id);
  void arm(CallId id, Call& call);
  void schedule_pump();
  void pump();
  void log_attempt(const Call& call, const AttemptRecord& record);
  [[nodiscard]] Now now() const { return {clock_.steady(), clock_.now()}; }

  boost::asio::any_io_executor executor_;
  ClientOptions options_;
  const Clock& clock_;
  Redactor redact_;
  Knowledge knowledge_;
  Limits limits_;
  CallEnvironment environment_;
  std::unique_ptr<CurlTransport> transport_;
  std::optional<PayloadLog> payload_log_;
  std::map<CallId, std::unique_ptr<Call>> calls_;
  boost::asio::steady_timer pump_timer_;
  bool pump_posted_ = false;
  bool breaker_opened_ = false;
  bool shutting_down_ = false;
};

}  // namespace planexe::llm
