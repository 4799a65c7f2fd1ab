#include "recipe/cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "recipe/answer.hpp"
#include "recipe/prompt.hpp"
#include "recipe/references.hpp"
#include "recipe/rules.hpp"

namespace planexe::recipe {
namespace {

using CaseFiles = std::map<std::string, std::string, std::less<>>;

/// The first line in which two texts differ, for a message.
std::string first_difference(std::string_view expected, std::string_view got) {
  const std::vector<std::string_view> a = split_lines(expected);
  const std::vector<std::string_view> b = split_lines(got);
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string_view left = i < a.size() ? a[i] : "(end)";
    const std::string_view right = i < b.size() ? b[i] : "(end)";
    if (left != right)
      return fmt::format("line {}: expected \"{}\", got \"{}\"", i + 1, cut_code_points(left, 200),
                         cut_code_points(right, 200));
  }
  return {};
}

class Case {
 public:
  Case(const Recipe& recipe, const Task& task, const CaseFiles& files) : recipe_(recipe), task_(task), files_(files) {}

  Result<void> run() {
    PLANEXE_TRY_ASSIGN(values_, json_file("scope.json"));
    if (!values_.is_object()) return bad("scope.json must be an object of values by path root");
    PLANEXE_TRY_ASSIGN(const Step* step, chosen_step());
    for (const auto& member : values_.get_object()) scope_.set(std::string(member.key()), &member.value());
    if (files_.contains("prompt.txt")) PLANEXE_TRY(check_prompt(step));
    if (files_.contains("findings.json")) PLANEXE_TRY(check_findings(step));
    if (files_.contains("view.md")) PLANEXE_TRY(check_view(step));
    return check_files();
  }

 private:
  static std::unexpected<Error> bad(std::string why) { return fail(ErrorCode::RecipeInvalid, std::move(why)); }

  Result<json::value> json_file(const std::string& name) const {
    const auto file = files_.find(name);
    if (file == files_.end()) return bad(fmt::format("{} is missing", name));
    auto parsed = parse_json(file->second);
    if (!parsed) return bad(fmt::format("{}: {}", name, parsed.error().message));
    return parsed;
  }

  Result<void> check_files() const {
    static const std::set<std::string, std::less<>> known = {"scope.json",  "step.txt",      "prompt.txt",
                                                             "answer.json", "findings.json", "view.md"};
    for (const auto& [name, bytes] : files_)
      if (!known.contains(name)) return bad(fmt::format("nothing reads the file {}", name));
    const bool checks = files_.contains("prompt.txt") || files_.contains("findings.json") || files_.contains("view.md");
    if (!checks) return bad("the case checks nothing: add prompt.txt, findings.json or view.md");
    return {};
  }

  Result<const Step*> chosen_step() const {
    if (const auto file = files_.find("step.txt"); file != files_.end()) {
      const Step* step = task_.step(trim(file->second));
      if (!step) return bad(fmt::format("step.txt names '{}', which is no step", trim(file->second)));
      return step;
    }
    const Step* last = nullptr;
    for (const Step& step : task_.steps)
      if (step.builtin.empty()) last = &step;
    return last;
  }

  Result<void> check_prompt(const Step* step) {
    if (!step) return bad("prompt.txt: the task asks nothing");
    PLANEXE_TRY_ASSIGN(std::string text, render(step->task_template, scope_, recipe_.fragments));
    text = trim(text);
    if (step->item_template) {
      PLANEXE_TRY_ASSIGN(const std::string item, render(*step->item_template, scope_, recipe_.fragments));
      if (!trim(item).empty()) text += "\n\n" + trim(item);
    }
    const std::string difference = first_difference(trim(files_.at("prompt.txt")), text);
    return difference.empty() ? Result<void>() : bad("prompt.txt: " + difference);
  }

  Result<void> check_findings(const Step* step) {
    if (!step) return bad("findings.json: the task asks nothing");
    PLANEXE_TRY_ASSIGN(const json::value answer, json_file("answer.json"));
    PLANEXE_TRY_ASSIGN(const json::value expected, json_file("findings.json"));
    if (!expected.is_array()) return bad("findings.json must be a list of {rule, path}");
    std::vector<AnswerProblem> got = judge_value(task_, *step, answer, scope_).problems;
    std::erase_if(got, [](const AnswerProblem& problem) { return problem.message.contains("cannot be checked:"); });
    std::string difference;
    for (const json::value& finding : expected.get_array())
      if (std::ranges::none_of(got, [&](const AnswerProblem& problem) { return is_meant(problem, finding); }))
        difference += fmt::format("\n  expected but not found: {}", to_json(finding));
    for (const AnswerProblem& problem : got)
      if (std::ranges::none_of(expected.get_array(),
                               [&](const json::value& finding) { return is_meant(problem, finding); }))
        difference += fmt::format("\n  not expected: {} at {}: {}", problem.rule, problem.pointer, problem.message);
    return difference.empty() ? Result<void>() : bad("findings:" + difference);
  }

  /// The place of a finding is written as in task.toml ("levers[].name") or as one concrete place ("levers[2].name").
  static bool is_meant(const AnswerProblem& problem, const json::value& finding) {
    const auto path = get_string(finding, "path").value_or("");
    return get_string(finding, "rule") == problem.rule &&
           (path == problem.path || place_to_pointer(path) == problem.pointer);
  }

  Result<void> check_view(const Step* step) {
    if (!task_.view) return bad("view.md: the task has no view");
    json::value own = json::object();
    if (step && files_.contains("answer.json")) {
      PLANEXE_TRY_ASSIGN(const json::value answer, json_file("answer.json"));
      const char* member = has_items(*step) ? "items" : "answer";
      own.get_object()[step->name] = json::object{{member, answer}};
      if (single_asked_step(task_) == step) own.get_object()[member] = answer;
    }
    Scope scope(&scope_);
    for (const auto& member : own.get_object()) scope.set(std::string(member.key()), &member.value());
    PLANEXE_TRY_ASSIGN(const std::string text, render(*task_.view, scope, recipe_.fragments));
    const std::string difference = first_difference(trim(files_.at("view.md")), trim(text));
    return difference.empty() ? Result<void>() : bad("view.md: " + difference);
  }

  const Recipe& recipe_;
  const Task& task_;
  const CaseFiles& files_;
  json::value values_;
  Scope scope_;
};

}  // namespace

std::vector<CaseResult> run_cases(const Recipe& recipe, std::string_view key) {
  std::vector<CaseResult> results;
  const Task* task = recipe.task(key);
  if (!task) return results;
  std::map<std::string, CaseFiles> cases;
  for (const RecipeFile& file : task->cases) {
    const std::size_t slash = file.path.find('/');
    if (slash == std::string::npos)
      results.push_back({file.path, false, "a case is a folder cases/NAME/"});
    else
      cases[file.path.substr(0, slash)].emplace(file.path.substr(slash + 1), file.bytes);
  }
  for (const auto& [name, files] : cases) {
    const auto outcome = Case(recipe, *task, files).run();
    results.push_back({name, outcome.has_value(), outcome ? "" : outcome.error().message});
  }
  return results;
}

}  // namespace planexe::recipe
