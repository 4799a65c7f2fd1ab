#include <fmt/core.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>

#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/workplace.hpp"
#include "server/contract.hpp"
#include "server/event_metrics.hpp"
#include "server/metrics.hpp"
#include "server/server.hpp"
#include "server/settings.hpp"
#include "server/static_files.hpp"

namespace planexe::cli {
namespace {

/// A server tells what it does, unless told otherwise; the other commands only warn.
Result<void> set_up_log(const App& app, bool cloud_mode) {
  LogOptions options;
  PLANEXE_TRY_ASSIGN(options.level, log_level_from(app.settings.get_or("PLANEXE_LOG_LEVEL", "info")));
  options.format = cloud_mode ? LogOptions::Format::json : LogOptions::Format::plain;
  configure_logging(options);
  for (const auto& [name, value] : app.settings.masked()) log_info("setting", {{"name", name}, {"value", value}});
  return {};
}

Result<server::ServerSettings> settings_of(const App& app, const Command& command) {
  PLANEXE_TRY_ASSIGN(auto settings, server::ServerSettings::load(app.settings));
  if (command.port) settings.port = *command.port;
  PLANEXE_TRY(set_up_log(app, settings.cloud_mode));
  return settings;
}

void fill(server::Services& services, const App& app, Workplace& place, boost::asio::thread_pool& pool, const server::ServerSettings& settings) {
  services.loop = place.loop().get_executor();
  services.pool = &pool;
  services.store = &place.store();
  services.engine = &place.engine();
  services.client = &place.client();
  services.catalogue = &place.catalogue();
  services.prices = &place.prices();
  services.why_unavailable = [&app](const llm::ModelEntry& model) { return app.why_unavailable(model); };
  services.recipe = place.recipe();
  services.clock = app.clock.get();
  services.random = app.random.get();
  services.settings = &settings;
  services.exclusive = place.exclusive();
  services.contract = &server::Contract::embedded();
}

void stop_on_signal(boost::asio::signal_set& signals, server::Server& server, Workplace& place, bool& over) {
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    log_info("stopping; plans go on where they are at the next start; a second signal stops at once");
    server.stop([&](bool quiet) {
      over = quiet;
      place.client().shut_down();
      place.loop().stop();
    });
    signals.async_wait([](const boost::system::error_code& again, int) {
      if (!again) std::_Exit(static_cast<int>(Exit::interrupted));
    });
  });
}

}  // namespace

Exit run_serve(const App& app, const Command& command) {
  auto settings = settings_of(app, command);
  if (!settings) return report(settings.error());
  // Nobody should take texts of a public server for a model's: the rehearsal model answers on loopback only.
  server::Metrics metrics;
  server::ModelMetrics model_metrics(metrics);
  auto place = Workplace::open(app, {command.plan, "serve", settings->loopback(), false, &model_metrics});
  if (!place) return report(place.error());
  settings->rehearsal = (*place)->rehearsal();
  constexpr int kPoolThreads = 4;
  boost::asio::thread_pool pool(kPoolThreads);
  server::Services services;
  fill(services, app, **place, pool, *settings);
  services.metrics = &metrics;
  auto files = settings->ui_dir.empty() ? Result<server::StaticFiles>(server::StaticFiles::embedded()) : server::StaticFiles::load(settings->ui_dir);
  if (!files) return report(files.error());
  server::Server server(services, std::move(*files));
  if (auto listening = server.listen(); !listening) return report(listening.error());
  boost::asio::signal_set signals((*place)->loop(), SIGINT, SIGTERM);
  bool over = true;
  stop_on_signal(signals, server, **place, over);
  fmt::print("listening {}\n", server.url());
  std::fflush(stdout);
  (*place)->loop().run();
  if (!over) {
    // What still runs must not meet a server that is being destroyed; what was accepted is in the database.
    log_warn("the server ends although something still runs");
    std::_Exit(static_cast<int>(Exit::ok));
  }
  pool.join();
  log_info("stopped");
  (*place)->engine().files().flush();
  return Exit::ok;
}

}  // namespace planexe::cli
