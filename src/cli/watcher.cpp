#include "cli/watcher.hpp"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace planexe::cli {
namespace {

constexpr auto kFrame = std::chrono::milliseconds(150);

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1U : 99U;
}

json::object event_object(const engine::Event& event) {
  json::object out{{"type", event.type}, {"seq", event.seq}, {"timestamp", format_iso(event.at)}};
  for (const auto& [key, value] : event.payload) out[key] = value;
  return out;
}

}  // namespace

Watcher::Watcher(boost::asio::io_context& loop, const CommonOptions& options, Progress progress, const Clock& clock)
    : timer_(loop), progress_(std::move(progress)), clock_(clock) {
  if (options.json) {
    mode_ = Mode::json;
  } else if (!options.quiet) {
    mode_ = isatty(STDERR_FILENO) != 0 ? Mode::live : Mode::lines;
  }
}

Watcher::~Watcher() { stop(); }

void Watcher::on_events(const std::vector<engine::Event>& events) {
  for (const auto& event : events) {
    progress_.apply(event);
    if (mode_ == Mode::json && event.type != "llm_stream") {
      fmt::print("{}\n", to_json(event_object(event)));
      std::fflush(stdout);
    } else if (mode_ == Mode::lines) {
      if (const auto line = progress_.line(event, clock_.now()); !line.empty()) fmt::print(stderr, "{}\n", line);
    }
  }
}

void Watcher::start() {
  running_ = true;
  if (mode_ == Mode::live) schedule();
}

void Watcher::schedule() {
  timer_.expires_after(kFrame);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !running_) return;
    draw();
    schedule();
  });
}

void Watcher::draw() {
  if (refresh_) refresh_(progress_);
  std::string out;
  if (drawn_lines_ > 0) out = fmt::format("\x1b[{}A", drawn_lines_);
  const auto lines = progress_.picture(clock_.now(), terminal_width());
  for (const auto& line : lines) out += "\x1b[2K" + line + "\n";
  drawn_lines_ = lines.size();
  std::fwrite(out.data(), 1, out.size(), stderr);
}

void Watcher::stop() {
  if (!running_) return;
  running_ = false;
  timer_.cancel();
  if (mode_ == Mode::live) draw();
}

}  // namespace planexe::cli
