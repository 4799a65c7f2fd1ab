#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "llm/client.hpp"
#include "server/conversation/run.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// A run and those who follow it: performs what the machine wants and wakes the followers when there is more to read. It
/// exists before its machine, so that followers can wait while the database is read, and keeps the events after the
/// machine is gone. On the loop's thread.
class LiveRun : public std::enable_shared_from_this<LiveRun> {
 public:
  explicit LiveRun(const Services& services) : services_(services) {}

  /// Begins. `over` is called once, at the end, with the machine.
  void begin(std::unique_ptr<Run> run, std::function<void(Run&)> over);
  /// Ends a run that could not begin, with one event.
  void end_with(std::string_view event, const json::object& data);
  /// Ends the run with this code; its machine stores what has come. One that has not begun yet ends as soon as it begins.
  void cancel(ErrorCode why);
  void discard();

  [[nodiscard]] const EventLog& log() const { return run_ ? run_->log() : log_; }
  /// Nothing happens any more.
  [[nodiscard]] bool over() const { return over_; }
  /// True while a machine runs.
  [[nodiscard]] Run* run() { return run_.get(); }

  /// The timer is cancelled whenever something has happened.
  void follow(const std::shared_ptr<boost::asio::steady_timer>& timer) { followers_.push_back(timer); }

 private:
  class Host;

  [[nodiscard]] Moment now() const { return {services_.clock->steady(), services_.clock->now()}; }
  void feed(const std::function<Wants(Run&, Moment)>& event);
  void perform(wanted::Commit& commit);
  void perform(wanted::StartCall& start);
  void perform(wanted::LetGo& let_go);
  void perform(wanted::CancelCall& cancel);
  void perform(wanted::Wake& wake);
  void perform(wanted::Over& over);
  void submit(std::shared_ptr<const store::Transaction> transaction, int token, int repeats);
  void committed(int token, const store::CommitResult& result);
  void wake_followers();
  void close();

  const Services& services_;
  std::unique_ptr<Run> run_;
  std::function<void(Run&)> on_over_;
  EventLog log_;
  bool over_ = false;
  bool feeding_ = false;
  bool ending_ = false;
  bool discard_asked_ = false;
  std::optional<ErrorCode> cancel_asked_;
  std::map<CallPart, llm::CallId> calls_;
  std::map<std::pair<CallPart, int>, std::function<void(bool, ErrorCode)>> waiting_;
  std::vector<std::weak_ptr<boost::asio::steady_timer>> followers_;
};

}  // namespace planexe::server
