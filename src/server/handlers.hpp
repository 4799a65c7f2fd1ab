#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "server/message.hpp"
#include "server/services.hpp"

namespace planexe::server {

class AnalysisService;
class ClientStream;
class ConversationService;

/// Answers one request. Runs on the loop's thread and must not block it: reads of the database go through on_pool.
using Handler = std::function<boost::asio::awaitable<Response>(Request& request)>;
/// A read: runs on the pool, touches nothing but what any thread may use.
using PoolHandler = std::function<Response(const Request& request)>;
/// Takes the connection over: an event stream, until it returns. When it returns a response, nothing was sent yet and that
/// response is.
using StreamHandler = std::function<boost::asio::awaitable<std::optional<Response>>(Request& request, ClientStream& stream)>;

/// All handlers by the operationId of the contract.
class Handlers {
 public:
  explicit Handlers(const Services& services) : services_(services) {}

  void add(std::string operation, Handler handler) { handlers_.insert_or_assign(std::move(operation), std::move(handler)); }
  void add_read(std::string operation, PoolHandler handler);
  void add_stream(std::string operation, StreamHandler handler) { streams_.insert_or_assign(std::move(operation), std::move(handler)); }

  [[nodiscard]] const Handler* find(const std::string& operation) const;
  [[nodiscard]] const StreamHandler* find_stream(const std::string& operation) const;

 private:
  const Services& services_;
  std::map<std::string, Handler> handlers_;
  std::map<std::string, StreamHandler> streams_;
};

// Each of these adds the handlers of one part of the contract.
void add_service_handlers(Handlers& handlers, const Services& services);       ///< health, ping, metrics, models, prompts, config, docs, login
void add_plan_handlers(Handlers& handlers, const Services& services);          ///< create, list, read, cancel, resume, retry, delete
void add_task_handlers(Handlers& handlers, const Services& services);          ///< tasks, interactions
void add_file_handlers(Handlers& handlers, const Services& services);          ///< artefacts, files, content, bundle
void add_report_handlers(Handlers& handlers, const Services& services);        ///< report, fallback report, assembled document, details
void add_progress_handlers(Handlers& handlers, const Services& services);      ///< event stream of a plan

/// Conversations and their turn streams. The service runs turns that go on without their clients: stop() it before the server ends.
std::shared_ptr<ConversationService> add_conversation_handlers(Handlers& handlers, const Services& services);
/// Analysis streams; to be stopped likewise.
std::shared_ptr<AnalysisService> add_analysis_handlers(Handlers& handlers, const Services& services);

}  // namespace planexe::server
