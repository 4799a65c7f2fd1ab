#include "stored_answers.hpp"

#include <filesystem>

#include "base/zip.hpp"
#include "plan/import.hpp"

namespace planexe::rehearsal {
namespace {

/// The run's answer to a question; a list with ids is put together from the elements that the run has for them.
std::optional<json::value> recall(const plan::ImportedRun& run, const StoredQuestion& question) {
  if (!question.ids.empty())
    if (auto answer = plan::answer_for_ids(run, question.task, question.step, question.ids)) return answer;
  return plan::answer_for(run, question.task, question.step, question.number, question.key);
}

}  // namespace

Result<StoredAnswers> load_stored_answers(const std::string& path, const recipe::Recipe& recipe) {
  std::error_code error;
  auto files = std::filesystem::is_directory(path, error) ? read_folder(path) : read_zip(path);
  if (!files) return std::unexpected(std::move(files).error());
  PLANEXE_TRY_ASSIGN(auto imported, plan::import_run(std::move(*files), plan::task_files(recipe)));
  auto run = std::make_shared<const plan::ImportedRun>(std::move(imported));
  return [run](const StoredQuestion& question) -> std::optional<json::value> {
    auto answer = recall(*run, question);
    if (!answer) return std::nullopt;
    return question.schema->is_null() ? std::move(*answer) : plan::merge_with_example(*answer, *question.example, *question.schema);
  };
}

}  // namespace planexe::rehearsal
