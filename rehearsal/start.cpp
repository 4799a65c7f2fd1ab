#include "start.hpp"

#include <fmt/core.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>

#include "base/embedded.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "server.hpp"
#include "stored_answers.hpp"

namespace planexe::rehearsal {
namespace {

constexpr int kConfiguration = 3;
/// Connections end at once; a coroutine that does not is left behind.
constexpr auto kGrace = std::chrono::seconds(1);

int report(const Error& error) {
  fmt::print(stderr, "planexe-rehearsal: {}\n", error.message);
  if (!error.detail.empty()) fmt::print(stderr, "{}\n", error.detail);
  return kConfiguration;
}

Result<std::unique_ptr<Service>> make_service(const Options& options) {
  PLANEXE_TRY_ASSIGN(auto recipe, load_answers_recipe(options.recipe_dir));
  StoredAnswers stored;
  if (!options.answers.empty()) {
    PLANEXE_TRY_ASSIGN(stored, load_stored_answers(options.answers, *recipe));
  }
  auto service = std::make_unique<Service>(options.service, AnswerBook(std::move(recipe), std::move(stored)));
  if (!options.script.empty()) PLANEXE_TRY(load_scripts(options.script, service->scripts()));
  if (!options.log.empty()) PLANEXE_TRY(service->journal().log_to(options.log));
  return service;
}

}  // namespace

Result<std::shared_ptr<const recipe::Recipe>> load_answers_recipe(const std::string& folder) {
  std::vector<recipe::RecipeFile> files;
  for (const auto& file : embedded::files("recipe")) files.push_back({std::string(file.path), std::string(file.bytes)});
  if (!folder.empty()) {
    PLANEXE_TRY_ASSIGN(auto overlay, recipe::read_recipe_folder(folder));
    files = recipe::overlay_files(std::move(files), std::move(overlay));
  }
  PLANEXE_TRY_ASSIGN(auto loaded, recipe::load_recipe(std::move(files)));
  return std::make_shared<const recipe::Recipe>(std::move(loaded));
}

Result<void> load_scripts(const std::string& path, ScriptBook& scripts) {
  PLANEXE_TRY_ASSIGN(const auto text, read_file(path, limits::kConfigFileBytesMax));
  PLANEXE_TRY_ASSIGN(const auto value, parse_json(text));
  if (!value.is_array()) return scripts.add(value);
  for (const auto& script : value.as_array()) PLANEXE_TRY(scripts.add(script));
  return {};
}

int run(const Options& options) {
  auto service = make_service(options);
  if (!service) return report(service.error());
  const SystemClock clock;
  boost::asio::io_context loop(1);
  Server server(loop.get_executor(), **service, clock);
  if (const auto listening = server.listen(options.host, options.port); !listening) return report(listening.error());
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  boost::asio::steady_timer grace(loop);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    server.stop();
    grace.expires_after(kGrace);
    grace.async_wait([&](const boost::system::error_code&) { loop.stop(); });
    if (server.connections() == 0) loop.stop();
  });
  fmt::print("listening {}\n", server.url());
  std::fflush(stdout);
  loop.run();
  return 0;
}

}  // namespace planexe::rehearsal
