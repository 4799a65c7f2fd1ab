#include "engine/import_plan.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "engine/requests.hpp"
#include "recipe/prompt.hpp"

namespace planexe::engine {
namespace {

bool asks_model(const recipe::Task& task) {
  return std::any_of(task.steps.begin(), task.steps.end(), [](const auto& step) { return step.builtin.empty(); });
}

std::string extension_type(std::string_view name) {
  if (name.ends_with(".json")) return "json";
  if (name.ends_with(".md")) return "markdown";
  if (name.ends_with(".html")) return "html";
  if (name.ends_with(".csv")) return "csv";
  return name.ends_with(".txt") ? "txt" : "unknown";
}

store::ContentRow content_row(std::string filename, std::string type, std::string content, std::string phase, std::string task, TimePoint now) {
  store::ContentRow row;
  row.filename = std::move(filename);
  row.content_type = std::move(type);
  row.content = std::move(content);
  row.is_binary = !valid_utf8(row.content);
  row.stage = std::move(phase);
  row.task_key = std::move(task);
  row.sha256 = sha256_hex(row.content);
  row.created_at = now;
  row.size_bytes = static_cast<std::int64_t>(row.content.size());
  return row;
}

std::string output_text(const recipe::Output& output, const json::value& value) {
  if (value.is_string() && output.content_type != "json") return std::string(value.as_string());
  return to_json_pretty(value);
}

class ImportWriter {
 public:
  ImportWriter(const plan::ImportedRun& run, TimePoint now) : run_(run), now_(now) {}

  void add(const recipe::Task& task, store::TaskRow& row) {
    const auto it = run_.tasks.find(task.key);
    if (it != run_.tasks.end()) add_files(task, it->second);
    if (!asks_model(task)) return;  // computed again from what is imported
    const bool open = it == run_.tasks.end() || std::find(run_.open_tasks.begin(), run_.open_tasks.end(), task.key) != run_.open_tasks.end();
    if (open) {
      row.state = "cancelled";
      row.state_reason = "not_imported";
      row.error_code = "CANCELLED";
      row.error_message = "it is not part of the imported run; planexe resume asks for it";
      return;
    }
    row.state = "completed";
    row.state_reason = "imported";
    row.attempt = 1;
    row.finished_at = now_;
    for (const auto& step : task.steps)
      if (const auto found = it->second.steps.find(step.name); found != it->second.steps.end()) add_items(task, step, found->second, row);
  }

  std::vector<store::Write> writes;

 private:
  void add_files(const recipe::Task& task, const plan::ImportedTask& imported) {
    for (const auto& output : task.outputs) {
      const auto* value = imported.outputs.if_contains(output.name);
      if (!value || value->is_null()) continue;
      if (!output.numbered) {
        put(output.filename, output.content_type, output_text(output, *value), task);
        continue;
      }
      if (!value->is_array()) continue;
      std::size_t number = 0;
      for (const auto& element : value->as_array()) {
        ++number;
        if (!element.is_null())
          put(replace_all(output.filename, "{n}", std::to_string(number)), output.content_type, output_text(output, element), task);
      }
    }
  }

  void put(std::string filename, std::string type, std::string content, const recipe::Task& task) {
    writes.push_back(store::PutContent{content_row(std::move(filename), std::move(type), std::move(content), task.phase, task.key, now_)});
  }

  void add_items(const recipe::Task& task, const recipe::Step& step, const plan::ImportedStep& imported, store::TaskRow& row) {
    const auto item = [&](std::string key, int position, const json::value& answer) {
      store::ItemRow out;
      out.task_key = task.key;
      out.item_key = std::move(key);
      out.position = position;
      out.state = answer.is_null() ? "missing" : "done";
      out.result = answer;
      out.meta = json::object{{"imported", true}};
      writes.push_back(store::PutItem{std::move(out)});
    };
    if (!step.map && !step.has_rounds()) {
      item(step.name, row.units_total++, imported.answer);
      ++row.units_done;
      return;
    }
    for (const auto& element : imported.items) {
      item(step.name + "/" + element.key, row.units_total++, element.answer);
      row.units_done += element.answer.is_null() ? 0 : 1;
    }
  }

  const plan::ImportedRun& run_;
  TimePoint now_;
};

class OfflineClient final : public llm::ModelClient {
 public:
  explicit OfflineClient(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  llm::CallId start(llm::CallSpec, llm::Judge, std::shared_ptr<llm::CallHost> host) override {
    boost::asio::post(executor_, [host = std::move(host)] {
      llm::CallOutcome outcome;
      outcome.error = Error(ErrorCode::Cancelled, "no model is asked in this run");
      host->finished(std::move(outcome));
    });
    return ++last_id_;
  }
  void cancel(llm::CallId) override {}
  [[nodiscard]] std::size_t active() const override { return 0; }
  void shut_down() override {}

 private:
  boost::asio::any_io_executor executor_;
  llm::CallId last_id_ = 0;
};

}  // namespace

store::Transaction make_import(const plan::ImportedRun& run, const recipe::Recipe& recipe, const std::string& packed_recipe,
                               const std::string& plan_id, TimePoint now) {
  const json::value plan = run.plan;
  CreateRequest request;
  request.prompt = std::string(get_string(plan, "prompt").value_or("(the imported run has no prompt)"));
  request.title = cut_code_points(std::string(get_string(plan, "title").value_or("")), 120);
  request.redline_mode = "warn";  // the run was made; its verdict is shown, not enforced
  if (const auto* intake = find(plan, "intake"); intake && intake->is_object()) request.intake = *intake;
  auto transaction = make_plan(request, recipe, packed_recipe, plan_id, now);
  ImportWriter writer(run, now);
  for (auto& write : transaction.writes) {
    auto* create = std::get_if<store::CreatePlan>(&write);
    if (!create) continue;
    if (const auto created = parse_iso(std::string(get_string(plan, "created_at").value_or("")))) create->plan.created_at = *created;
    for (auto& row : create->tasks) writer.add(*recipe.task(row.task_key), row);
  }
  for (auto& write : writer.writes) transaction.writes.push_back(std::move(write));
  for (const auto& file : run.attachments)
    transaction.writes.push_back(store::PutContent{content_row(file.name, extension_type(file.name), file.bytes, "completion", "", now)});
  transaction.label = "import";
  return transaction;
}

std::unique_ptr<llm::ModelClient> make_offline_client(boost::asio::any_io_executor executor) { return std::make_unique<OfflineClient>(std::move(executor)); }

}  // namespace planexe::engine
