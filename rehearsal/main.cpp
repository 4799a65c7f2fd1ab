#include <csignal>

#include "start.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  auto options = planexe::rehearsal::parse_options(argc, argv);
  if (const auto* status = std::get_if<int>(&options)) return *status;
  return planexe::rehearsal::run(std::get<planexe::rehearsal::Options>(options));
}
