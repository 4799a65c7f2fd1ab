#include "plan/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "base/time.hpp"
#include "plan/builtins/common.hpp"
#include "plan/import/names.hpp"
#include "plan/import/stages.hpp"

namespace planexe::plan {
namespace {

// An archive of a run has about two hundred files; a list of numbered outputs never has more.
constexpr std::size_t kNumberedMax = 1000;

constexpr std::array<std::string_view, 6> kSideFiles{"expected_filenames1.json",    "log.txt",
                                                     "pipeline_stop_requested.txt", "track_activity.jsonl",
                                                     "999-pipeline_complete.txt",   "manifest.json"};

std::string_view basename_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

bool is_leftover(std::string_view path) {
  const std::string_view name = basename_of(path);
  return path.find("__MACOSX/") != std::string_view::npos || name.starts_with("._") || name == ".DS_Store" ||
         name == "Thumbs.db" || std::ranges::find(kSideFiles, name) != kSideFiles.end();
}

bool is_report(std::string_view name) { return name == "029-report.html" || name == "030-report.html"; }

struct Place {
  std::string task;
  std::string output;
  int number = 0;  // from 1 for numbered outputs
};

// The output that a file belongs to.
class FileIndex {
 public:
  explicit FileIndex(std::span<const TaskFiles> tasks) {
    for (const TaskFiles& task : tasks)
      for (const TaskFiles::Output& output : task.outputs) add(task.key, output);
  }

  std::optional<Place> find(std::string_view name) const {
    if (const auto fixed = fixed_.find(name); fixed != fixed_.end()) return fixed->second;
    for (const auto& [prefix, suffix, place] : numbered_) {
      if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size())
        continue;
      const std::string_view digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
      std::size_t number = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (error == std::errc() && end == digits.data() + digits.size() && number >= 1 && number <= kNumberedMax)
        return Place{place.task, place.output, static_cast<int>(number)};
    }
    return std::nullopt;
  }

 private:
  struct Numbered {
    std::string prefix;
    std::string suffix;
    Place place;
  };

  void add(const std::string& task, const TaskFiles::Output& output) {
    const std::size_t counter = output.filename.find("{n}");
    if (counter == std::string::npos) {
      fixed_[output.filename] = {task, output.name, 0};
    } else {
      numbered_.push_back(
          {output.filename.substr(0, counter), output.filename.substr(counter + 3), {task, output.name, 0}});
    }
  }

  std::map<std::string, Place, std::less<>> fixed_;
  std::vector<Numbered> numbered_;
};

// The folder that holds most known files; files elsewhere are attachments.
std::string main_folder(const std::vector<ZipEntry>& files, const FileIndex& index) {
  std::map<std::string, int> known;
  for (const ZipEntry& file : files)
    if (!is_leftover(file.name) && index.find(basename_of(file.name))) ++known[std::string(folder_of(file.name))];
  std::string best;
  int most = 0;
  for (const auto& [folder, count] : known)
    if (count > most) {
      best = folder;
      most = count;
    }
  return best;
}

class Reader {
 public:
  Reader(std::span<const TaskFiles> tasks, ImportedRun& run) : index_(tasks), run_(run) {}

  void read(std::vector<ZipEntry> files) {
    const std::string folder = main_folder(files, index_);
    for (ZipEntry& file : files) {
      const std::string name(basename_of(file.name));
      if (is_leftover(file.name)) {
        run_.ignored.push_back(file.name);
      } else if (const auto place = index_.find(name); place && folder_of(file.name) == folder && !is_report(name)) {
        store(*place, name, file.bytes);
      } else {
        // A plan's files lie in no folder; what is elsewhere keeps its path, so that no two get one name.
        if (folder_of(file.name) == folder) file.name = name;
        run_.attachments.push_back(std::move(file));
      }
    }
  }

 private:
  void store(const Place& place, const std::string& name, const std::string& bytes) {
    auto value = value_of(name, bytes);
    if (!value) {
      run_.findings.push_back(
          {"damaged_file", name, fmt::format("{} cannot be read: {}", name, value.error().message)});
      return;
    }
    json::value& output = run_.tasks[place.task].outputs[place.output];
    if (place.number == 0) {
      output = *std::move(value);
      return;
    }
    if (!output.is_array()) output = json::array();
    json::array& list = output.get_array();
    const auto at = static_cast<std::size_t>(place.number);
    if (list.size() < at) list.resize(at, json::value(nullptr));
    list[at - 1] = *std::move(value);
  }

  static Result<json::value> value_of(const std::string& name, const std::string& bytes) {
    const bool text = !name.ends_with(".json") || name == "018-3-wbs_level1_project_title.json";
    if (text) return json::value(to_valid_utf8(bytes));
    return parse_json(bytes);
  }

  FileIndex index_;
  ImportedRun& run_;
};

// The prompt between "Plan:" and "Today's date:", the frame that the product writes around it.
std::string prompt_of(const std::string& file) {
  std::string_view text = file;
  if (text.starts_with("Plan:")) text.remove_prefix(5);
  const std::size_t frame = text.rfind("\nToday's date:");
  return trim(text.substr(0, frame));
}

void read_plan(ImportedRun& run) {
  const json::value& prompt = output_of(run, "setup", "prompt");
  const json::value& time = output_of(run, "start_time", "time");
  run.plan["prompt"] =
      prompt.is_string() ? prompt_of(std::string(std::string_view(prompt.get_string()))) : std::string();
  std::string start = text(time, "project_start_date");
  // The prompt file carries the local date, so the schedule begins on it too.
  if (!parse_date(start)) start = text(time, "server_iso_local").substr(0, 10);
  if (!parse_date(start)) start = text(time, "server_iso_utc").substr(0, 10);
  run.plan["start_date"] = parse_date(start) ? json::value(start) : json::value(nullptr);
  run.plan["created_at"] = text(time, "server_iso_utc");
  const json::value& title = output_of(run, "create_wbs_level1", "title");
  run.plan["title"] =
      title.is_string() ? json::value(trim(std::string_view(title.get_string()))) : json::value(nullptr);
  const json::value& intake = output_of(run, "setup", "intake");
  run.plan["intake"] = intake.is_object() ? intake : json::value(nullptr);
}

// The intake is a side input that most plans lack, and the report is always made anew.
bool optional_output(const std::string& task, const std::string& output) {
  return (task == "setup" && output == "intake") || (task == "create_schedule" && output == "schedule");
}

void find_open_tasks(ImportedRun& run, std::span<const TaskFiles> tasks) {
  for (const TaskFiles& task : tasks) {
    ImportedTask& imported = run.tasks[task.key];
    for (const TaskFiles::Output& output : task.outputs)
      if (!imported.outputs.contains(output.name) && !optional_output(task.key, output.name))
        imported.missing.push_back(output.name);
    const bool computed_anew = task.key == "create_schedule" && !imported.outputs.contains("schedule");
    if (!imported.missing.empty() || computed_anew) run.open_tasks.push_back(task.key);
  }
}

// Durable keys write other characters than letters, digits and points as '-'.
std::string letters_of(std::string_view key) {
  std::string letters;
  for (const char c : normalize_name(key))
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.') letters += c;
  return letters;
}

}  // namespace

std::vector<TaskFiles> task_files(const recipe::Recipe& recipe) {
  std::vector<TaskFiles> list;
  for (const recipe::Task& task : recipe.tasks) {
    TaskFiles files;
    files.key = task.key;
    for (const recipe::Output& output : task.outputs) files.outputs.push_back({output.name, output.filename});
    for (const recipe::Step& step : task.steps)
      if (step.builtin.empty())
        files.steps.push_back({step.name, step.map.has_value() || step.has_rounds(), step.schema});
    list.push_back(std::move(files));
  }
  return list;
}

Result<ImportedRun> import_run(std::vector<ZipEntry> files, std::span<const TaskFiles> tasks) {
  ImportedRun run;
  Reader(tasks, run).read(std::move(files));
  if (run.tasks.empty())
    return fail(ErrorCode::InvalidRequest,
                "Import: no file of a plan found. Give the folder or zip of a run, with names such as 001-2-plan.txt.");
  read_plan(run);
  upgrade_outputs(run);
  recover_answers(run, tasks);
  find_open_tasks(run, tasks);
  return run;
}

std::optional<json::value> answer_for(const ImportedRun& run, std::string_view task_key, std::string_view step,
                                      int number, std::string_view key) {
  const auto task = run.tasks.find(task_key);
  if (task == run.tasks.end()) return std::nullopt;
  const auto found = task->second.steps.find(step);
  if (found == task->second.steps.end()) return std::nullopt;
  const ImportedStep& imported = found->second;
  const auto usable = [](const json::value& answer) { return answer.is_null() ? std::nullopt : std::optional(answer); };
  if (imported.items.empty()) return usable(imported.answer);
  const auto named = std::ranges::find_if(
      imported.items, [&](const ImportedItem& item) { return letters_of(item.key) == letters_of(key); });
  if (named != imported.items.end()) return usable(named->answer);
  if (number < 1 || static_cast<std::size_t>(number) > imported.items.size()) return std::nullopt;
  return usable(imported.items[static_cast<std::size_t>(number - 1)].answer);
}

std::optional<json::value> answer_for_ids(const ImportedRun& run, std::string_view task_key, std::string_view step,
                                          std::span<const std::string> ids) {
  const auto task = run.tasks.find(task_key);
  if (task == run.tasks.end()) return std::nullopt;
  const auto found = task->second.steps.find(step);
  if (found == task->second.steps.end() || found->second.list.empty()) return std::nullopt;
  json::array elements;
  for (const std::string& id : ids)
    if (const auto element = found->second.by_id.find(id); element != found->second.by_id.end())
      elements.push_back(element->second);
  if (elements.empty()) return std::nullopt;
  return json::value(json::object{{found->second.list, std::move(elements)}});
}

}  // namespace planexe::plan
