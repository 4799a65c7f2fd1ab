#pragma once

#include <optional>
#include <string>
#include <vector>

namespace planexe::cli {

/// What every command may be told.
struct CommonOptions {
  std::string db;          ///< --db URL
  std::string data_dir;    ///< --data-dir
  std::string recipe_dir;  ///< --recipe DIR
  std::string bind;        ///< --host of serve
  bool json = false;
  bool quiet = false;
};

struct PlanOptions {
  std::string prompt, file, title, model, speed, effort, intake, redline, plan_id, out_dir, answers;
  std::optional<double> max_cost_usd;
  bool rehearsal = false;
  bool open = false;
};

struct ListOptions {
  std::vector<std::string> statuses;
  std::string text;
  int limit = 50;
};

struct RetryCommandOptions {
  std::string plan_id, task, items, model, effort;
  bool no_run = false;
};

struct ExportOptions {
  std::string plan_id, zip, dir;
  bool raw = true;
  bool msproject = false;
};

struct ReportOptions {
  std::string plan_id, output;
  bool open = false;
};

struct RecipeOptions {
  std::string key, plan_id, format = "mermaid", unit;
};

/// The parsed command line.
struct Command {
  std::string name;     ///< "plan", "list", …; "recipe lint", "db check" for nested ones
  CommonOptions common;
  PlanOptions plan;
  ListOptions list;
  RetryCommandOptions retry;
  ExportOptions export_;
  ReportOptions report;
  RecipeOptions recipe;
  std::string id;       ///< plan id of show, resume, cancel, delete
  std::string path;     ///< file of import
  std::string copy_from, copy_to;  ///< URLs of db copy
  bool check = false;   ///< models --check
  bool yes = false;     ///< delete without asking
  std::optional<unsigned short> port;  ///< of serve
};

}  // namespace planexe::cli
