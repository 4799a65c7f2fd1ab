#include "machine/engine_fixture.hpp"

#include <gtest/gtest.h>

namespace planexe::test {
namespace {

constexpr TimePoint kNow{std::chrono::milliseconds(1767258000000)};

std::string schema(std::string_view properties, std::string_view required) {
  return std::string(R"({"type":"object","additionalProperties":false,"properties":{)") + std::string(properties) + R"(},"required":[)" +
         std::string(required) + "]}";
}

std::string one_text(std::string_view field) {
  return schema("\"" + std::string(field) + R"(":{"type":"string","description":"A text."})", "\"" + std::string(field) + "\"");
}

recipe::RecipeFile file(std::string path, std::string bytes) { return {std::move(path), std::move(bytes)}; }

}  // namespace

std::vector<recipe::RecipeFile> small_recipe_files() {
  const auto task = [](const std::string& key, const std::string& rest) { return file("tasks/" + key + "/task.toml", rest); };
  const std::string list_schema = schema(R"("names":{"type":"array","description":"Names.","items":{"type":"string","description":"A name."}})", "\"names\"");
  return {
      file("recipe.toml", "name = \"Small\"\nversion = \"1\"\nformat = 1\ngate = \"gate\"\n"
                          "tasks = [\"setup\", \"gate\", \"list\", \"detail\", \"rounds\", \"extra\", \"page\", \"report\"]\n[defaults]\neffort = \"medium\"\n"),
      file("fragments/system.md", "You plan.\n"),
      file("fragments/safety_framing.md", "Stay general.\n"),
      task("setup", "title = \"Setup\"\nphase = \"setup\"\nkind = \"given\"\n[outputs]\nprompt = \"001-prompt.txt\"\n[finish]\nbuiltin = \"setup\"\n"),
      task("gate", "title = \"Gate\"\nphase = \"initial_analysis\"\n[outputs]\nraw = \"002-gate.json\"\n"),
      file("tasks/gate/prompt.md", "# context\n\n# task\nJudge the prompt.\n"),
      file("tasks/gate/answer.schema.json",
           schema(R"("rationale_short":{"type":"string","description":"Why."},"verdict":{"type":"string","enum":["ALLOW","ALLOW_WITH_SAFETY_FRAMING","REFUSE"],"description":"Verdict."})",
                  R"("rationale_short","verdict")")),
      file("tasks/gate/example.json", R"({"rationale_short":"Harmless.","verdict":"ALLOW"})"),
      task("list", "title = \"List\"\nphase = \"strategic_planning\"\n[outputs]\nraw = \"003-list.json\"\n[[assert]]\npath = \"names\"\nlen = [1, 5]\n"),
      file("tasks/list/prompt.md", "# context\n\n# task\nName things.\n"),
      file("tasks/list/answer.schema.json", list_schema),
      file("tasks/list/example.json", R"({"names":["one","two","three"]})"),
      task("detail", "title = \"Detail\"\nphase = \"strategic_planning\"\n[outputs]\nraw = \"004-detail.json\"\nmarkdown = \"004-detail.md\"\n"
                     "[map]\nover = \"list.answer.names\"\nas = \"name\"\nlimit = { fast = 1 }\n"),
      file("tasks/detail/prompt.md", "# context\n- list.raw\n\n# task\nDescribe one thing.\n\n# item\nThing: {{name}}\n"),
      file("tasks/detail/answer.schema.json", one_text("text")),
      file("tasks/detail/example.json", R"([{"text":"first"},{"text":"second"},{"text":"third"}])"),
      file("tasks/detail/view.md", "{{#each items as item}}\n- {{item.key}} {{item.state}}\n{{/each}}\n"),
      task("rounds", "title = \"Rounds\"\nphase = \"strategic_planning\"\nrounds = 3\nmin_rounds = 2\n[outputs]\nraw = \"005-rounds.json\"\n"),
      file("tasks/rounds/prompt.md", "# context\n- list.raw\n\n# task\nSay more.\n\n# item\nBefore: {{previous | json}}\n"),
      file("tasks/rounds/answer.schema.json", one_text("more")),
      file("tasks/rounds/example.json", R"([{"more":"a"},{"more":"b"},{"more":"c"}])"),
      task("extra", "title = \"Extra\"\nphase = \"reporting\"\nrequired = false\n[outputs]\nraw = \"006-extra.json\"\n"),
      file("tasks/extra/prompt.md", "# context\n- list.raw\n\n# task\nAdd something.\n"),
      file("tasks/extra/answer.schema.json", one_text("extra")),
      file("tasks/extra/example.json", R"({"extra":"more"})"),
      task("page", "title = \"Page\"\nphase = \"reporting\"\nkind = \"view\"\n[outputs]\nmarkdown = \"007-page.md\"\n"),
      file("tasks/page/view.md", "{{detail.markdown}}\n{{#each rounds.items as r}}{{r.state}} {{/each}}\n"),
      task("report", "title = \"Report\"\nphase = \"reporting\"\nkind = \"builtin\"\n[outputs]\nhtml = \"008-report.html\"\n[finish]\nbuiltin = \"report\"\n"
                     "reads = [\"page.markdown?\", \"extra.raw?\", \"gate.answer?\"]\n"),
  };
}

recipe::Recipe small_recipe() {
  auto loaded = recipe::load_recipe(small_recipe_files());
  EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().message + "\n" + loaded.error().detail);
  return loaded ? std::move(*loaded) : recipe::Recipe{};
}

const std::map<std::string, plan::Builtin, std::less<>>& small_builtins() {
  static const std::map<std::string, plan::Builtin, std::less<>> all{
      {"setup",
       [](const plan::BuiltinInput& in) -> Result<plan::BuiltinResult> {
         plan::BuiltinResult out;
         out.outputs["prompt"] = in.plan.at("prompt");
         return out;
       }},
      {"report", [](const plan::BuiltinInput& in) -> Result<plan::BuiltinResult> {
         plan::BuiltinResult out;
         out.outputs["html"] = json::string("<p>" + to_json(in.reads) + "</p>");
         return out;
       }}};
  return all;
}

RunDriver::RunDriver(const recipe::Recipe& recipe, Answer answer, std::string redline, std::string speed)
    : recipe_(recipe), answer_(std::move(answer)) {
  engine::CreateRequest request;
  request.prompt = "Plan a small thing";
  request.redline_mode = std::move(redline);
  request.speed = std::move(speed);
  EXPECT_TRUE(engine::check_request(request).has_value());
  database.commit(engine::make_plan(request, recipe, "{}", "PlanExe_test", kNow));
}

void RunDriver::start() {
  engine::RunConfig config;
  config.recipe = &recipe_;
  config.builtins = &small_builtins();
  config.next_interaction_id = [this] { return ++last_id_; };
  queue.clear();
  waiting.clear();
  ended.reset();
  machine = std::make_unique<engine::PlanRun>(std::move(config), database.snapshot(), store::UsageTotals{}, database.fencing, kNow);
  take(machine->start(kNow));
}

bool RunDriver::step() {
  if (!machine) return false;
  if (!queue.empty()) {
    auto action = std::move(queue.front());
    queue.pop_front();
    std::visit([this](auto& one) { perform(one); }, action);
    return true;
  }
  if (waiting.empty()) return false;
  answer(shuffle ? order() % waiting.size() : 0);
  return true;
}

void RunDriver::run() {
  for (int i = 0; i < 100000 && step(); ++i) {
  }
}

void RunDriver::crash() {
  machine.reset();
  queue.clear();
  waiting.clear();
  ++database.fencing;
}

void RunDriver::cancel() { take(machine->on_cancel(kNow)); }

void RunDriver::resume() {
  auto transaction = engine::make_resume(database.snapshot(), recipe_, {}, kNow);
  ASSERT_TRUE(transaction.has_value()) << transaction.error().message;
  database.commit(*transaction);
  start();
}

void RunDriver::retry(const std::string& task, engine::RetryItems items) {
  engine::RetryOptions options;
  options.items = items;
  auto retry = engine::make_retry(database.snapshot(), recipe_, task, options, kNow);
  ASSERT_TRUE(retry.has_value()) << retry.error().message;
  database.commit(retry->transaction);
  start();
}

Result<std::vector<std::string>> RunDriver::retry_now(const std::string& task, engine::RetryItems items) {
  engine::RetryOptions options;
  options.items = items;
  PLANEXE_TRY_ASSIGN(auto retried, machine->on_retry(task, options, 7, kNow));
  take(std::move(retried.actions));
  return std::move(retried.reset_tasks);
}

void RunDriver::take(engine::Actions actions) {
  for (auto& action : actions) queue.push_back(std::move(action));
}

void RunDriver::perform(engine::Commit& action) {
  ++commits;
  const auto fate = commit_fate ? commit_fate(commits) : store::CommitStatus::committed;
  store::CommitResult result{fate, std::nullopt};
  if (fate == store::CommitStatus::committed || fate == store::CommitStatus::unknown) {
    result = database.commit(*action.transaction);
    if (result.ok()) result.status = fate;
  }
  if (machine) take(machine->on_commit(action.token, result, kNow));
}

void RunDriver::perform(engine::Wake&) { take(machine->on_wake(kNow)); }

void RunDriver::perform(engine::LetGo& action) {
  if (action.go) let_go_.insert(action.unit);
}

void RunDriver::perform(engine::CancelCall& action) {
  const auto had = std::erase_if(waiting, [&](const auto& call) { return call.unit == action.unit; });
  if (had == 0) return;
  llm::CallOutcome outcome;
  outcome.error = Error(ErrorCode::Cancelled, "cancelled");
  take(machine->on_call_finished(action.unit, outcome, kNow));
}

void RunDriver::perform(engine::Compute& action) { take(machine->on_computed(action.task, action.work(), kNow)); }

void RunDriver::perform(engine::Publish& action) {
  for (auto& event : action.events) {
    if (!published.empty()) EXPECT_GT(event.seq, published.back().seq);
    published.push_back(std::move(event));
  }
}

void RunDriver::answer(std::size_t index) {
  auto call = std::move(waiting.at(index));
  waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(index));
  llm::AttemptStart begin;
  begin.attempt = call.spec.first_attempt;
  begin.model = begin.provider = "test";
  begin.reason = call.spec.recovery ? llm::AttemptReason::recovery : llm::AttemptReason::first;
  take(machine->on_attempt_ready(call.unit, begin, kNow));
  asked.push_back(call.unit);
  Reply reply;
  if (answer_) {
    reply = answer_(call.unit, call.spec);
  } else {
    const auto& task = *recipe_.task(call.spec.task_key);
    const auto& step = task.steps.front();
    const auto slash = call.unit.rfind('/');
    const auto tail = call.unit.substr(slash + 1);
    const bool many = step.map || step.has_rounds();
    const auto number = many ? static_cast<std::size_t>(std::stoi(tail)) - 1 : 0;
    reply.text = to_json(many ? step.example.as_array().at(number) : step.example);
  }
  llm::AttemptRecord record;
  record.attempt = begin.attempt;
  record.model = record.provider = "test";
  record.text = reply.text;
  record.status = reply.error ? "failed" : "completed";
  if (reply.error) record.error = Error(*reply.error, "the test says so");
  llm::CallOutcome outcome;
  outcome.model = outcome.provider = "test";
  if (!reply.error) {
    auto judged = call.judge(reply.text, {}, true);
    outcome.ok = judged.accepted;
    outcome.value = std::move(judged.value);
    if (!outcome.ok) outcome.error = Error(ErrorCode::SchemaRepairExhausted, judged.error);
  } else {
    outcome.error = Error(*reply.error, "the test says so");
  }
  take(machine->on_attempt_ended(call.unit, record, kNow));
  take(machine->on_call_finished(call.unit, outcome, kNow));
}

}  // namespace planexe::test
