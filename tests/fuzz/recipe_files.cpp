#include <cstddef>
#include <cstdint>
#include <string_view>

#include "recipe/cases.hpp"
#include "recipe/docs.hpp"
#include "recipe/lint.hpp"
#include "recipe/report.hpp"

namespace {

constexpr const char* kSchema =
    R"({"type":"object","additionalProperties":false,"required":["list"],"properties":{"list":{"type":"array","description":"d","items":{"type":"string","description":"d"}}}})";

/// A small recipe with one file of each kind; the fuzzer replaces one of them.
std::vector<planexe::recipe::RecipeFile> files() {
  return {{"recipe.toml", "name = \"f\"\nformat = 1\ngate = \"a\"\ntasks = [\"a\", \"b\"]\n"},
          {"fragments/system.md", "s"},
          {"fragments/x.md", "{{plan.prompt}}"},
          {"tasks/a/task.toml",
           "title = \"A\"\nphase = \"setup\"\n[outputs]\nraw = \"001-1-a.json\"\nm = \"001-2-a.md\"\n[[assert]]\npath "
           "= \"list[]\"\nwords = [1, 3]\n"},
          {"tasks/a/prompt.md", "# task\n{{> x}}\n"},
          {"tasks/a/answer.schema.json", kSchema},
          {"tasks/a/example.json", R"({"list": ["one"]})"},
          {"tasks/a/view.md", "{{#each answer.list as x}}\n- {{x}}\n{{/each}}\n"},
          {"tasks/a/cases/c/findings.json", "[]"},
          {"tasks/a/cases/c/answer.json", R"({"list": []})"},
          {"tasks/a/cases/c/scope.json", "{}"},
          {"tasks/b/task.toml",
           "title = \"B\"\nphase = \"reporting\"\n[outputs]\nraw = \"002-1-{n}-b.json\"\n[map]\nover = "
           "\"a.answer.list\"\nas = \"one\"\n[complete]\nlist = \"list\"\ncount = 2\n"},
          {"tasks/b/prompt.md", "# context\n- a.m? | limit 50\n# task\nt\n# item\n{{one}}\n"},
          {"tasks/b/answer.schema.json", kSchema},
          {"tasks/b/example.json", R"([{"list": ["x", "y"]}])"}};
}

}  // namespace

/// Any bytes as one file of a recipe: reading, lint, cases and docs report problems and never crash. The first byte
/// chooses the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace planexe::recipe;
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<RecipeFile> recipe_files = files();
  recipe_files[data[0] % recipe_files.size()].bytes = bytes;
  const Inspection inspection = inspect_recipe(recipe_files);
  bool cycle = false;
  for (const LintMessage& problem : inspection.problems) cycle = cycle || problem.message.starts_with("tasks wait");
  (void)lint(inspection.recipe, {"f"});
  for (const Task& task : inspection.recipe.tasks) (void)run_cases(inspection.recipe, task.key);
  if (!cycle) (void)docs_pages(inspection.recipe);
  if (const auto unpacked = unpack_recipe(bytes)) (void)load_recipe(*unpacked);
  return 0;
}
