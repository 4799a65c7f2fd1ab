#include "engine/finish.hpp"

#include <utility>

#include "base/text.hpp"
#include "recipe/template.hpp"

namespace planexe::engine {
namespace {

std::string numbered(std::string_view pattern, std::size_t number) {
  std::string name(pattern);
  return replace_all(name, "{n}", std::to_string(number));
}

std::string content_of(const recipe::Output& output, const json::value& value) {
  if (value.is_string() && output.content_type != "json") return std::string(value.as_string());
  return to_json_pretty(value);
}

/// The default raw artefact: the answer, then what it was asked with.
json::object raw_document(const FinishJob& job, const json::value& body) {
  json::object raw;
  const auto& task = *job.task;
  if (task.raw_shape == "response") {
    raw["response"] = body;
  } else if (body.is_object()) {
    for (const auto& [key, value] : body.as_object()) raw[key] = value;
  } else {
    raw["items"] = body;
  }
  return raw;
}

void add_prompts(const FinishJob& job, json::object& raw) {
  raw["metadata"] = job.metadata;
  if (!job.task->raw_prompts || job.user_prompts.empty()) return;
  raw["system_prompt"] = job.system_prompt;
  if (job.user_prompts.size() == 1) {
    raw["user_prompt"] = job.user_prompts.front();
  } else {
    json::array prompts;
    for (const auto& prompt : job.user_prompts) prompts.push_back(json::string(prompt));
    raw["user_prompt"] = std::move(prompts);
  }
}

json::value raw_body(const FinishJob& job) {
  if (const auto* answer = job.own.if_contains("answer")) return *answer;
  json::array answers;
  if (const auto* items = job.own.if_contains("items"); items && items->is_array())
    for (const auto& item : items->as_array())
      if (const auto* answer = find(item, "answer"); answer && !answer->is_null()) answers.push_back(*answer);
  return answers;
}

/// One document per item of a mapped step; null where there is no answer.
json::array raw_documents(const FinishJob& job) {
  json::array documents;
  const auto* items = job.own.if_contains("items");
  if (!items || !items->is_array()) return documents;
  for (const auto& item : items->get_array()) {
    const auto* answer = find(item, "answer");
    documents.push_back(answer && !answer->is_null() ? json::value(raw_document(job, *answer)) : json::value(nullptr));
  }
  return documents;
}

/// Values while outputs are made: `out` grows, views may read it.
class OutputMaker {
 public:
  OutputMaker(const FinishJob& job, plan::BuiltinResult& result) : job_(job), result_(result) {
    for (const auto& [name, value] : job.roots) scope_.set(name, &value);
    for (const auto& [name, value] : job.own) {
      const auto [it, fresh] = own_.emplace(std::string(name), value);
      if (fresh) scope_.set(it->first, &it->second);
    }
    out_ = json::object{};
    scope_.set("out", &out_);
    scope_.set("view", &result.view);
  }

  Result<json::value> make(const recipe::Output& output) {
    if (auto* made = result_.outputs.if_contains(output.name)) {
      if (is_raw(output.name)) add_origin(output, *made);
      return std::move(*made);
    }
    if (const auto it = job_.task->from.find(output.name); it != job_.task->from.end())
      return recipe::resolve(it->second, scope_);
    if (output.name == "raw" && output.numbered) {
      json::value raw = raw_documents(job_);
      add_origin(output, raw);
      return raw;
    }
    if (output.name == "raw") {
      auto raw = raw_document(job_, raw_body(job_));
      add_prompts(job_, raw);
      return json::value(std::move(raw));
    }
    if (output.content_type == "markdown" && job_.task->view)
      return text_of(recipe::render(*job_.task->view, scope_, job_.recipe->fragments));
    return fail(ErrorCode::RecipeInvalid, "Task \"" + job_.task->key + "\": nothing makes the output \"" + output.name + "\".");
  }

  void keep(const recipe::Output& output, json::value value) { out_.as_object()[output.name] = std::move(value); }
  const json::object& out() const { return out_.as_object(); }
  const recipe::Scope& scope() const { return scope_; }

 private:
  static bool is_raw(std::string_view name) { return name == "raw" || name.ends_with("_raw"); }

  /// What a raw artefact was asked with; a numbered one carries the prompt of its own item.
  void add_origin(const recipe::Output& output, json::value& made) const {
    if (!output.numbered) {
      if (made.is_object() && !job_.user_prompts.empty()) add_prompts(job_, made.as_object());
      return;
    }
    if (!made.is_array()) return;
    for (std::size_t i = 0; i < made.as_array().size() && i < job_.item_prompts.size(); ++i) {
      auto& element = made.as_array()[i];
      if (!element.is_object() || job_.item_prompts[i].empty()) continue;
      element.as_object()["metadata"] = json::object{{"models", job_.metadata.at("models")}};
      element.as_object()["system_prompt"] = job_.system_prompt;
      element.as_object()["user_prompt"] = job_.item_prompts[i];
    }
  }

  static Result<json::value> text_of(Result<std::string> text) {
    if (!text) return std::unexpected(std::move(text).error());
    return json::value(json::string(*text));
  }

  const FinishJob& job_;
  plan::BuiltinResult& result_;
  std::map<std::string, json::value> own_;
  json::value out_;
  recipe::Scope scope_;
};

void add_files(const recipe::Output& output, const json::value& value, std::vector<FinishedTask::File>& files) {
  if (!output.numbered) {
    if (!value.is_null()) files.push_back({output.name, output.filename, output.content_type, content_of(output, value)});
    return;
  }
  if (!value.is_array()) return;
  std::size_t number = 0;
  for (const auto& element : value.as_array()) {
    ++number;
    if (element.is_null()) continue;  // a missing item leaves its number free
    files.push_back({output.name, numbered(output.filename, number), output.content_type, content_of(output, element)});
  }
}

}  // namespace

Result<void> render_derived(const recipe::Recipe& recipe, const recipe::Task& task, const recipe::Scope& scope,
                            json::object& values) {
  for (const auto& [name, tmpl] : task.derived) {
    PLANEXE_TRY_ASSIGN(auto text, recipe::render(tmpl, scope, recipe.fragments));
    values[name] = std::move(text);
  }
  return {};
}

Result<FinishedTask> finish_task(const FinishJob& job) {
  plan::BuiltinResult result;
  if (job.builtin) {
    PLANEXE_TRY_ASSIGN(result, job.builtin(job.input));
  }
  FinishedTask finished;
  OutputMaker maker(job, result);
  // Data first, so that views may read it.
  for (const bool data : {true, false})
    for (const auto& output : job.task->outputs) {
      if ((output.content_type == "json") != data) continue;
      PLANEXE_TRY_ASSIGN(auto value, maker.make(output));
      maker.keep(output, std::move(value));
    }
  for (const auto& output : job.task->outputs) add_files(output, maker.out().at(output.name), finished.files);
  finished.values = job.own;
  for (const auto& [name, value] : maker.out()) finished.values[name] = value;
  PLANEXE_TRY(render_derived(*job.recipe, *job.task, maker.scope(), finished.values));
  finished.findings = std::move(result.findings);
  finished.degraded = result.degraded;
  finished.skipped_reason = std::move(result.skipped_reason);
  return finished;
}

}  // namespace planexe::engine
