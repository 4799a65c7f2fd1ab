#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/strand.hpp>

#include "engine/actions.hpp"

namespace planexe::engine {

/// Copies of committed contents in `<run dir>/<plan id>/`. They are for people and tools; the program never reads them,
/// so a failed copy is logged and changes nothing. Writes run in order on the pool.
class RunFiles {
 public:
  RunFiles(std::filesystem::path run_dir, boost::asio::thread_pool& pool);

  void write(const std::string& plan_id, std::vector<FinishedTask::File> files);
  /// Waits until everything queued is written.
  void flush();
  /// Removes the folder of a plan.
  void remove(const std::string& plan_id);
  [[nodiscard]] std::filesystem::path folder(const std::string& plan_id) const;

 private:
  std::filesystem::path run_dir_;
  boost::asio::strand<boost::asio::thread_pool::executor_type> strand_;
};

}  // namespace planexe::engine
