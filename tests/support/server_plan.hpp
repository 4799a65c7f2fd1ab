#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "engine/example_plan.hpp"
#include "engine/requests.hpp"
#include "store/store.hpp"
#include "support/temp_dir.hpp"

namespace planexe::test {

/// The built-in recipe, loaded once.
inline const recipe::Recipe& real_recipe() {
  static const recipe::Recipe recipe = [] {
    auto files = recipe::read_recipe_folder(std::string(PLANEXE_SOURCE_DIR) + "/recipe");
    if (!files) throw std::runtime_error(to_string(files.error()));
    auto loaded = recipe::load_recipe(*std::move(files));
    if (!loaded) throw std::runtime_error(to_string(loaded.error()));
    return *std::move(loaded);
  }();
  return recipe;
}

/// The example plan run to its end in memory, once.
inline const engine::ExampleRun& example_run() {
  static const engine::ExampleRun run = engine::run_example(real_recipe(), {});
  return run;
}

/// A real store in a folder of its own with one plan, which can be filled as a run would.
class ServerPlan {
 public:
  static constexpr const char* kId = "PlanExe_3f0c9e0e-6b1d-4a35-9a62-0d7c51f8c0de";
  static constexpr TimePoint kNow{std::chrono::milliseconds(1'767'258'000'000)};  // 2026-01-01T09:00:00Z

  ServerPlan() {
    store::OpenOptions options;
    options.url = "sqlite:///plans.db";
    options.data_dir = folder_.path().string();
    auto opened = store::open_store(options);
    if (!opened) throw std::runtime_error(to_string(opened.error()));
    store_ = *std::move(opened);
    engine::CreateRequest request;
    request.prompt = "Open a bicycle repair shop in Lyon, budget 80 000 EUR";
    commit(engine::make_plan(request, real_recipe(), "{}", kId, kNow));
  }

  store::Store& store() { return *store_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

  store::PlanRow plan() { return **store_->plan(kId); }
  store::TaskBoard board() { return *store_->task_board(kId); }
  void change_plan(const std::function<void(store::PlanRow&)>& change) {
    auto row = plan();
    change(row);
    write({store::PutPlan{row}});
  }

  void write(std::vector<store::Write> writes) { commit({kId, std::nullopt, std::move(writes), "test"}); }

  void put_file(const std::string& name, const std::string& content, const std::string& task_key,
                const std::string& type, const std::string& phase) {
    store::ContentRow row;
    row.filename = name;
    row.content = content;
    row.task_key = task_key;
    row.content_type = type;
    row.stage = phase;
    row.created_at = kNow + std::chrono::seconds(60);
    write({store::PutContent{row}});
  }

  /// Writes the file with the task and kind that the recipe gives it.
  void put_output(const std::string& name, const std::string& content) {
    for (const auto& task : real_recipe().tasks)
      for (const auto& output : task.outputs) {
        const auto mark = output.filename.find("{n}");
        const bool same =
            mark == std::string::npos ? output.filename == name : name.starts_with(output.filename.substr(0, mark));
        if (same) return put_file(name, content, task.key, output.content_type, task.phase);
      }
    put_file(name, content, "", "txt", "completion");
  }

  void set_task(const std::string& key, const std::function<void(store::TaskRow&)>& change) {
    for (auto& row : *store_->tasks(kId)) {
      if (row.task_key != key) continue;
      change(row);
      write({store::PutTask{row}});
    }
  }

  /// Everything that the example run has left behind.
  void complete() {
    const auto& run = example_run();
    for (const auto& [name, content] : run.files) put_output(name, content);
    for (const auto& [key, row] : run.tasks) write({store::PutTask{row}});
    change_plan([](auto& row) {
      row.status = "completed";
      row.progress_percentage = 100;
      row.started_at = kNow;
      row.completed_at = row.updated_at = kNow + std::chrono::seconds(90);
    });
  }

  void log(std::int64_t seq, const std::string& message, const std::string& level = "info") {
    write({store::AppendEvents{
        {{seq, "log", kNow + std::chrono::seconds(seq), json::object{{"message", message}, {"level", level}}, 0}}}});
  }

 private:
  void commit(store::Transaction transaction) {
    const auto result = store_->commit(std::move(transaction));
    ASSERT_EQ(result.status, store::CommitStatus::committed) << (result.error ? to_string(*result.error) : "");
  }

  TempDir folder_;
  std::unique_ptr<store::Store> store_;
};

}  // namespace planexe::test
