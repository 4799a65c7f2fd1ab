#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/event_log.hpp"
#include "llm/types.hpp"
#include "plan/builtin.hpp"
#include "store/store.hpp"

namespace planexe::engine {

/// Outputs of a finished task, before they are stored.
struct FinishedTask {
  struct File {
    std::string output;    ///< name in task.toml
    std::string filename;  ///< "{n}" replaced
    std::string content_type;
    std::string content;
  };
  std::vector<File> files;
  json::object values;  ///< output name -> value, and derived texts
  std::vector<plan::Finding> findings;
  bool degraded = false;
  std::string skipped_reason;
};

using FinishWork = std::function<Result<FinishedTask>()>;

// ---- what the machine wants done ---------------------------------------------------------------------------------

/// Commit; the result comes back as on_commit(token, result). Order of submission is the order of commit.
struct Commit {
  std::uint64_t token = 0;
  std::shared_ptr<const store::Transaction> transaction;  ///< shared with the machine, which may have to send it again
};
struct StartCall {
  std::string unit;  ///< "task/key"; unique in the plan
  llm::CallSpec spec;
  llm::Judge judge;
};
/// Answer to an attempt that waits for its ledger row.
struct LetGo {
  std::string unit;
  int attempt = 1;
  bool go = true;
  ErrorCode refusal = ErrorCode::Cancelled;
};
struct CancelCall {
  std::string unit;
};
/// Pure work that may take long; the result comes back as on_computed(task, result).
struct Compute {
  std::string task;
  FinishWork work;
};
/// Copies of committed contents for the run directory.
struct WriteFiles {
  std::vector<FinishedTask::File> files;
};
/// What was asked for with this ticket is stored.
struct Acknowledge {
  std::uint64_t ticket = 0;
};
struct Publish {
  std::vector<Event> events;
};
/// Call on_wake after this time.
struct Wake {
  std::chrono::milliseconds after{0};
};
/// The run is over and everything is committed. Last action.
struct RunEnded {
  std::string status;  ///< completed failed cancelled, or "" when the plan was lost to another owner or the database failed
  std::optional<Error> error;
};

using Action = std::variant<Commit, StartCall, LetGo, CancelCall, Compute, WriteFiles, Acknowledge, Publish, Wake, RunEnded>;
using Actions = std::vector<Action>;

}  // namespace planexe::engine
