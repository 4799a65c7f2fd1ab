#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/sql.hpp"
#include "store/store.hpp"

namespace planexe::store {

/// One unit of work of a writer: applied inside a database transaction, answered after COMMIT. It may be applied again
/// when a database transaction had to be given up.
struct Job {
  std::string label;    ///< names the test points
  std::string plan_id;  ///< jobs of one plan are committed in the order of their submission; "" = of no plan
  std::size_t bytes = 0;
  /// What is applied, for a writer that looks at it first; null for other work.
  std::shared_ptr<const Transaction> transaction;
  std::move_only_function<Result<void>(sql::Connection&, TimePoint now)> apply;
  std::move_only_function<void(CommitResult)> done;
};

/// What became of a job.
struct Outcome {
  CommitStatus status = CommitStatus::committed;
  std::optional<Error> error;

  [[nodiscard]] bool ok() const { return status == CommitStatus::committed; }
};

/// The job of a transaction; one that is too large fails without being written.
Job make_job(std::shared_ptr<const Transaction> transaction, std::function<void(CommitResult)> done);

/// Makes a job whose apply() only fails with QUEUE_FULL, so that its answer still comes in order.
void refuse(Job& job);

/// The test point "store.<place>.<label>". Nothing is built while none is armed.
bool test_point(std::string_view place, const std::string& label);

}  // namespace planexe::store
