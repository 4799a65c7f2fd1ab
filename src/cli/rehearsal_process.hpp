#pragma once

#include <optional>
#include <string>

#include "base/settings.hpp"
#include "base/subprocess.hpp"

namespace planexe::cli {

/// The rehearsal server as a child of this process, or one that runs already.
class RehearsalProcess {
 public:
  struct Options {
    std::string answers;      ///< zip or folder of a finished run, "" = the examples
    std::string recipe_dir;   ///< task folders laid over the embedded recipe
  };

  /// Uses PLANEXE_REHEARSAL_URL when it is set, else starts `planexe-rehearsal` from the folder of this program (or PATH).
  static Result<RehearsalProcess> start(const Settings& settings, const Options& options);

  [[nodiscard]] const std::string& base_url() const { return base_url_; }

 private:
  RehearsalProcess(std::string base_url, std::optional<Subprocess> child) : base_url_(std::move(base_url)), child_(std::move(child)) {}

  std::string base_url_;
  std::optional<Subprocess> child_;
};

}  // namespace planexe::cli
