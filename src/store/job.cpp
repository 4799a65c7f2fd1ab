#include "store/job.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/testpoint.hpp"
#include "store/apply.hpp"
#include "store/limits.hpp"

namespace planexe::store {

Job make_job(std::shared_ptr<const Transaction> transaction, std::function<void(CommitResult)> done) {
  Job job;
  job.label = transaction->label;
  job.plan_id = transaction->plan_id;
  job.bytes = weight(*transaction);
  job.done = std::move(done);
  if (job.bytes > limits::kTransactionBytesMax) {
    job.apply = [bytes = std::exchange(job.bytes, 0)](sql::Connection&, TimePoint) -> Result<void> {
      return fail(ErrorCode::LimitExceeded, fmt::format("One transaction of {} bytes is too much; at most {}.", bytes,
                                                        limits::kTransactionBytesMax));
    };
    return job;
  }
  job.transaction = transaction;
  job.apply = [transaction = std::move(transaction)](sql::Connection& db, TimePoint now) {
    return apply(db, *transaction, now);
  };
  return job;
}

void refuse(Job& job) {
  job.bytes = 0;
  job.transaction.reset();
  job.apply = [](sql::Connection&, TimePoint) -> Result<void> {
    return fail(ErrorCode::QueueFull, "Too much waits to be stored: the disk is too slow or has stopped.");
  };
}

bool test_point(std::string_view place, const std::string& label) {
  if (!testpoint::armed.load(std::memory_order_relaxed)) return false;
  return testpoint::hit(fmt::format("store.{}.{}", place, label));
}

}  // namespace planexe::store
