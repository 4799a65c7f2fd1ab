#include <fmt/core.h>
#include <sys/statvfs.h>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "base/version.hpp"
#include "cli/commands.hpp"
#include "llm/cost.hpp"
#include "plan/builtin.hpp"
#include "recipe/lint.hpp"
#include "store/copy.hpp"
#include "store/url.hpp"

namespace planexe::cli {
namespace {

std::set<std::string, std::less<>> builtin_names() {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, function] : plan::builtins()) names.insert(name);
  return names;
}

void line(bool good, std::string_view what, const std::string& text) {
  fmt::print("{}  {:<10} {}\n", good ? "ok  " : "FAIL", what, strip_control(redact(text)));
}

}  // namespace

Exit run_models(const App& app, const Command& command) {
  auto catalogue = app.load_catalogue();
  if (!catalogue) return report(catalogue.error());
  auto options = app.client_options(*catalogue);
  if (!options) return report(options.error());
  json::array list;
  bool all_good = true;
  for (const auto& model : catalogue->models) {
    if (!model.is_text()) continue;
    auto why = app.why_unavailable(model);
    if (why.empty() && command.check) {
      auto probed = llm::probe_model(*options, model.id);
      if (!probed) {
        why = probed.error().message;
        all_good = false;
      } else if (!app.common.json) {
        fmt::print(stderr, "{}: {}\n", model.id, strip_control(*probed));
      }
    }
    const auto price = llm::price_of(model, options->prices, app.clock->now());
    if (app.common.json) {
      list.push_back(json::object{{"id", model.id}, {"provider", model.provider}, {"model", model.model}, {"priority", model.priority},
                                  {"context_window", model.context_window}, {"available", why.empty()},
                                  {"unavailable_reason", why.empty() ? json::value(nullptr) : json::value(why)},
                                  {"priced", price.has_value()}});
    } else {
      const auto cost = price ? fmt::format("${:.2f}/{:.2f} per M tokens", static_cast<double>(price->input) / 1e6, static_cast<double>(price->output) / 1e6)
                              : std::string("unpriced");
      fmt::print("{:<32} {:<11} {:>8} tokens  {:<26} {}\n", model.id, model.provider, model.context_window, cost, why.empty() ? "available" : why);
    }
  }
  if (app.common.json) fmt::print("{}\n", to_json(list));
  for (const auto& warning : catalogue->warnings) fmt::print(stderr, "planexe: warning: {}\n", warning);
  return all_good ? Exit::ok : Exit::configuration;
}

Exit run_db_migrate(const App& app, const Command&) {
  auto store = app.open_store();
  if (!store) return report(store.error());
  auto facts = (*store)->facts();
  if (!facts) return report(facts.error());
  fmt::print("{} {}: schema version {}\n", facts->backend, facts->location, facts->schema_version);
  return Exit::ok;
}

Exit run_db_status(const App& app, const Command&) {
  auto store = app.open_store(false);
  if (!store) return report(store.error());
  auto facts = (*store)->facts();
  if (!facts) return report(facts.error());
  if (app.common.json)
    fmt::print("{}\n", to_json(json::object{{"backend", facts->backend}, {"location", facts->location}, {"schema_version", facts->schema_version},
                                            {"size_bytes", facts->size_bytes}, {"plans", facts->plans}}));
  else
    fmt::print("{}\n{}\nschema version {}\n{} bytes\n{} plans\n", facts->backend, facts->location, facts->schema_version, facts->size_bytes, facts->plans);
  return Exit::ok;
}

Exit run_db_check(const App& app, const Command&) {
  auto store = app.open_store(false);
  if (!store) return report(store.error());
  auto findings = (*store)->check();
  if (!findings) return report(findings.error());
  for (const auto& finding : *findings) fmt::print("{}\n", finding);
  if (!findings->empty()) return Exit::configuration;
  fmt::print("ok\n");
  return Exit::ok;
}

Exit run_db_copy(const App& app, const Command& command) {
  const auto options = [&](const std::string& url) {
    store::OpenOptions opened;
    opened.url = url;
    opened.data_dir = app.data_dir.string();
    return opened;
  };
  const auto copied = store::copy_database(options(command.copy_from), options(command.copy_to));
  if (!copied) return report(copied.error());
  json::array tables;
  std::int64_t rows = 0;
  for (const auto& table : *copied) {
    rows += table.rows;
    tables.push_back(json::object{{"table", table.table}, {"rows", table.rows}, {"sha256", table.sha256}});
    if (!app.common.json) fmt::print("{:<20} {:>9} rows  sha256 {}\n", table.table, table.rows, table.sha256);
  }
  if (app.common.json)
    fmt::print("{}\n", to_json(json::object{{"identical", true}, {"rows", rows}, {"tables", std::move(tables)}}));
  else
    fmt::print("{} tables, {} rows: every row was read back from the copy and is the same.\n", copied->size(), rows);
  return Exit::ok;
}

Exit run_doctor(const App& app, const Command&) {
  bool good = true;
  const auto check = [&](std::string_view what, bool ok, const std::string& text) {
    line(ok, what, text);
    good = good && ok;
  };
  check("version", true, std::string(kVersion));
  auto recipe = app.load_recipe();
  if (recipe) {
    std::size_t errors = 0;
    for (const auto& message : recipe::lint(*recipe->recipe, builtin_names())) errors += message.is_error ? 1 : 0;
    check("recipe", errors == 0, fmt::format("{} tasks, {} lint errors (planexe recipe lint)", recipe->recipe->tasks.size(), errors));
  } else {
    check("recipe", false, recipe.error().message);
  }
  const auto url = store::parse_database_url(app.db_url, app.data_dir);
  const bool fresh = url && !url->file.empty() && !std::filesystem::exists(url->file);
  auto store = fresh ? Result<std::unique_ptr<store::Store>>(nullptr) : app.open_store(false);
  if (fresh) {
    check("database", true, "none yet; the first plan makes " + url->file.string());
  } else if (store) {
    auto findings = (*store)->check();
    check("database", findings && findings->empty(), findings ? fmt::format("{}, {} findings", masked_value("DATABASE_URL", app.db_url), findings->size()) : findings.error().message);
  } else {
    check("database", false, store.error().message);
  }
  auto catalogue = app.load_catalogue();
  if (catalogue) {
    std::size_t available = 0;
    for (const auto& model : catalogue->models) available += app.why_unavailable(model).empty() ? 1 : 0;
    check("models", true, available > 0 ? fmt::format("{} of {} can be asked (planexe models --check asks the providers)", available, catalogue->models.size())
                                        : "no key is set; plans are rehearsed (docs/providers)");
  } else {
    check("models", false, catalogue.error().message);
  }
  struct statvfs disk{};
  if (statvfs(app.data_dir.c_str(), &disk) == 0) {
    const auto free_mb = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize / (1024 * 1024);
    check("disk", free_mb > 200, fmt::format("{} MiB free in {}", free_mb, std::filesystem::absolute(app.data_dir).string()));
  }
  for (const auto& [name, value] : app.settings.masked()) fmt::print("      {}={}\n", name, value);
  return good ? Exit::ok : Exit::configuration;
}

}  // namespace planexe::cli
