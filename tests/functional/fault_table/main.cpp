#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "base/log.hpp"
#include "base/text.hpp"
#include "bench.hpp"

namespace {

using planexe::faults::Bench;
using planexe::faults::Checks;
using planexe::faults::Row;

std::vector<Row> all_rows() {
  std::vector<Row> rows;
  for (auto part : {planexe::faults::connection_rows(), planexe::faults::stream_rows(), planexe::faults::answer_rows(),
                    planexe::faults::status_rows(), planexe::faults::life_rows()})
    rows.insert(rows.end(), part.begin(), part.end());
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.number < b.number; });
  return rows;
}

bool run(const Row& row) {
  Checks checks;
  const auto begun = std::chrono::steady_clock::now();
  {
    Bench bench;
    row.run(bench, checks);
  }
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun).count();
  fmt::print("| {:2} | {} | {} | {} | {} | {} ms |\n", row.number, row.fault, row.expected,
             planexe::cut_code_points(planexe::strip_control(checks.text()), 400), checks.passed() ? "pass" : "FAIL", ms);
  std::fflush(stdout);
  return checks.passed();
}

}  // namespace

/// Prints the table; with numbers as arguments only those rows. The exit status is 1 when a row fails or is missing.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  constexpr int kRows = 63;
  // Attempts that fail are what this is about; the table says what came of them.
  planexe::LogOptions quiet;
  quiet.level = planexe::LogLevel::off;
  planexe::configure_logging(quiet);
  const auto rows = all_rows();
  int failed = 0, passed = 0;
  fmt::print("| # | fault | expected | observed | result | time |\n|---|---|---|---|---|---|\n");
  for (const auto& row : rows) {
    const bool wanted = argc == 1 || std::any_of(argv + 1, argv + argc, [&](const char* text) { return std::atoi(text) == row.number; });
    if (!wanted) continue;
    run(row) ? ++passed : ++failed;
  }
  fmt::print("\n{} passed, {} failed\n", passed, failed);
  if (argc == 1 && passed + failed != kRows) {
    fmt::print("The table has {} rows; {} are wanted.\n", passed + failed, kRows);
    return 1;
  }
  return failed == 0 ? 0 : 1;
}
