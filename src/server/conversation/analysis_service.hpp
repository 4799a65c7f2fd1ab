#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "server/conversation/analysis_run.hpp"
#include "server/conversation/live_run.hpp"
#include "server/conversation/sessions.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// What a client asks for, kept until its stream is opened.
struct AnalysisRequest {
  std::string task_id, model_key, prompt, context, system_prompt, stage, effort, verbosity, summary, previous_response_id;
  std::optional<double> temperature;
  int max_output_tokens = 0;  ///< 0 = the server's default
  bool form = false;          ///< the answer is the intake form
  json::object metadata;
  json::object wishes;        ///< those of them that a model may not take; recorded with the call

  static AnalysisRequest from_request(const json::value& body);
  [[nodiscard]] std::size_t bytes() const;
};

/// The model call of an analysis. `thread`: of the analysis it goes on with.
llm::CallSpec analysis_call(const AnalysisRequest& request, const std::string& session_id, const ServerSettings& settings,
                            const std::optional<llm::Parent>& thread);

/// Prepared, running and ended analyses. On the loop's thread.
class AnalysisService : public std::enable_shared_from_this<AnalysisService> {
 public:
  explicit AnalysisService(const Services& services) : services_(services) {}

  /// STREAMING_DISABLED, MODEL_UNAVAILABLE, PROVIDER_NOT_CONFIGURED, SCHEMA_MODEL_INVALID.
  Result<json::object> prepare(const json::value& body);
  /// The run of a session; the first call starts it. Null when it ended so long ago that its events are forgotten.
  Result<std::shared_ptr<LiveRun>> open(const std::string& task_id, const std::string& model_key, const std::string& session_id);

  /// The server ends: every analysis ends with SHUTTING_DOWN, its followers are told and its model call is cancelled. What
  /// comes later is refused with the same code.
  void stop();
  /// Analyses that are not over; after stop() it falls to 0 as soon as their ends are stored.
  [[nodiscard]] std::size_t running() const { return runs_.size(); }

 private:
  struct Prepared {
    AnalysisRequest request;
    std::shared_ptr<LiveRun> live;
    std::optional<llm::Parent> thread;  ///< once it has ended well
  };

  [[nodiscard]] std::optional<llm::Parent> thread_of(const std::string& response_id, const std::string& task_id);
  boost::asio::awaitable<void> begin(std::string session_id, std::shared_ptr<LiveRun> live, AnalysisRequest request, TimePoint expires_at);

  [[nodiscard]] Result<void> check_open() const;
  void ended(const std::string& session_id);

  const Services& services_;
  Sessions<Prepared> sessions_;
  std::map<std::string, std::shared_ptr<LiveRun>> runs_;  ///< by session
  bool stopping_ = false;
};

}  // namespace planexe::server
