#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "base/random.hpp"
#include "base/zip.hpp"
#include "engine/import_plan.hpp"
#include "server/handlers.hpp"
#include "server/plan_recipes.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::ServerPlan;
using Pairs = std::vector<std::pair<std::string, std::string>>;

/// The handlers that read, with everything they need, without the server around them.
class ServerReadHandlers : public testing::Test {
 protected:
  ServerReadHandlers() {
    services_.loop = loop_.get_executor();
    services_.pool = &pool_;
    services_.store = &plan_.store();
    services_.engine = &engine_;
    services_.recipe = recipe_;
    services_.clock = &clock_;
    add_task_handlers(handlers_, services_);
    add_file_handlers(handlers_, services_);
    add_report_handlers(handlers_, services_);
  }

  Response get(const std::string& operation, Pairs parameters = {}, Pairs query = {}, Pairs headers = {}) {
    Request request;
    request.method = "GET";
    request.id = "test";
    request.plan = plan_.plan();
    request.query = std::move(query);
    for (auto& [name, value] : parameters) request.parameters[name] = value;
    for (auto& [name, value] : headers) request.headers[name] = value;
    const auto* handler = handlers_.find(operation);
    if (handler == nullptr) {
      ADD_FAILURE() << operation;
      return {};
    }
    Response response;
    const auto work = boost::asio::make_work_guard(loop_);
    boost::asio::co_spawn(loop_, (*handler)(request), [&](std::exception_ptr failure, Response made) {
      EXPECT_EQ(failure, nullptr);
      response = std::move(made);
      loop_.stop();
    });
    loop_.restart();
    loop_.run();
    while (response.more) {
      const auto piece = response.more->next();
      EXPECT_TRUE(piece);
      if (!piece || piece->empty()) break;
      response.body += *piece;
    }
    return response;
  }

  static std::string header(const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return {};
  }
  static json::value body(const Response& response) {
    auto parsed = parse_json(response.body);
    EXPECT_TRUE(parsed) << response.body.substr(0, 200);
    return parsed ? *std::move(parsed) : json::value();
  }
  static void expect_error(const Response& response, int status, std::string_view code) {
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(body(response).at("code"), json::value(code));
    EXPECT_FITS(body(response), "Error");
  }

  ServerPlan plan_;
  boost::asio::io_context loop_;
  boost::asio::thread_pool pool_{1};
  FixedClock clock_{ServerPlan::kNow};
  Random random_{1};
  std::shared_ptr<const recipe::Recipe> recipe_ = std::make_shared<const recipe::Recipe>(test::real_recipe());
  std::unique_ptr<llm::ModelClient> client_ = engine::make_offline_client(loop_.get_executor());
  engine::Engine engine_{loop_,    plan_.store(),
                         *client_, clock_,
                         random_,  {},
                         recipe_,  engine::EngineOptions{"test", plan_.folder() / "run"}};
  Services services_;
  Handlers handlers_{services_};
};

TEST_F(ServerReadHandlers, APlanThatHasJustBegunAnswersEverywhere) {
  EXPECT_FITS(body(get("listTasks")), "TaskList");
  EXPECT_FITS(body(get("listInteractions")), "InteractionList");
  EXPECT_FITS(body(get("listArtefacts")), "ArtefactList");
  EXPECT_FITS(body(get("listFiles")), "FileList");
  EXPECT_FITS(body(get("getAssembledDocument")), "AssembledDocument");
  EXPECT_FITS(body(get("getDetails")), "PlanDetails");
  expect_error(get("getReport"), 404, "REPORT_NOT_FOUND");
  expect_error(get("getReport", {}, {{"format", "json"}}), 404, "REPORT_NOT_FOUND");
  expect_error(get("getFallbackReport"), 404, "CONTENT_NOT_FOUND");
  expect_error(get("downloadBundle"), 404, "CONTENT_NOT_FOUND");
  expect_error(get("downloadFile", {{"filename", "029-report.html"}}), 404, "FILE_NOT_FOUND");
  expect_error(get("viewContent", {{"filename", "log.txt"}}), 404, "FILE_NOT_FOUND");
  expect_error(get("getInteraction", {{"interaction_id", "1"}}), 404, "INTERACTION_NOT_FOUND");
}

TEST_F(ServerReadHandlers, AFinishedPlanAnswersEverywhere) {
  plan_.complete();
  plan_.log(900, "Plan is complete");
  EXPECT_FITS(body(get("listTasks")), "TaskList");
  EXPECT_FITS(body(get("listArtefacts")), "ArtefactList");
  const auto files = body(get("listFiles"));
  EXPECT_FITS(files, "FileList");
  EXPECT_TRUE(files.at("has_report").as_bool());
  EXPECT_FITS(body(get("getReport", {}, {}, {{"accept", "application/json"}})), "StructuredReport");
  EXPECT_FITS(body(get("getFallbackReport")), "FallbackReport");
  EXPECT_FITS(body(get("getAssembledDocument")), "AssembledDocument");
  EXPECT_FITS(body(get("getDetails")), "PlanDetails");
  const auto bundle = get("downloadBundle", {}, {{"raw", "false"}});
  EXPECT_EQ(bundle.content_type, "application/zip");
  const auto entries = read_zip_bytes(bundle.body);
  ASSERT_TRUE(entries);
  EXPECT_GT(entries->size(), 40u);
}

TEST_F(ServerReadHandlers, TheHtmlReportIsSandboxed) {
  plan_.complete();
  const auto report = get("getReport");
  EXPECT_EQ(report.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(header(report, "Content-Disposition"), std::string("attachment; filename=\"") + ServerPlan::kId +
                                                       "-report.html\"; filename*=UTF-8''" + ServerPlan::kId +
                                                       "-report.html");
  EXPECT_TRUE(header(report, "Content-Security-Policy").starts_with("sandbox allow-scripts; default-src 'none'; "));
  EXPECT_EQ(header(report, "Vary"), "Accept");
  EXPECT_EQ(header(report, "X-PlanExe-Stale"), "");
  plan_.write({store::MarkStale{"report"}});
  EXPECT_EQ(header(get("getReport"), "X-PlanExe-Stale"), "true");
  EXPECT_EQ(header(get("getReport", {}, {{"format", "json"}}), "X-PlanExe-Stale"), "true");
  const auto neither = get("getReport", {}, {}, {{"accept", "image/png"}});
  expect_error(neither, 406, "NOT_ACCEPTABLE");
  EXPECT_EQ(header(neither, "Vary"), "Accept");
}

TEST_F(ServerReadHandlers, FilesAreAttachmentsAndContentIsShownInASandbox) {
  plan_.put_output("014-2-swot_analysis.md", "text");
  plan_.put_output("026-1-schedule_gantt_mermaid.html", "<p>x</p>");
  const auto markdown = get("downloadFile", {{"filename", "014-2-swot_analysis.md"}});
  EXPECT_EQ(markdown.body, "text");
  EXPECT_EQ(markdown.content_type, "text/markdown; charset=utf-8");
  EXPECT_TRUE(markdown.tagged && markdown.ranges);
  EXPECT_EQ(header(markdown, "Content-Disposition"),
            "attachment; filename=\"014-2-swot_analysis.md\"; filename*=UTF-8''014-2-swot_analysis.md");
  EXPECT_EQ(header(markdown, "Content-Security-Policy"), "");
  EXPECT_EQ(header(get("downloadFile", {{"filename", "026-1-schedule_gantt_mermaid.html"}}), "Content-Security-Policy"),
            "sandbox");
  const auto shown = get("viewContent", {{"filename", "014-2-swot_analysis.md"}});
  EXPECT_TRUE(header(shown, "Content-Disposition").starts_with("inline; "));
  EXPECT_TRUE(header(shown, "Content-Security-Policy").starts_with("sandbox; default-src 'none';"));

  plan_.put_output("014-2-swot_analysis.md", "newer");
  EXPECT_EQ(get("downloadFile", {{"filename", "014-2-swot_analysis.md"}}, {{"version", "1"}}).body, "text");
  expect_error(get("downloadFile", {{"filename", "014-2-swot_analysis.md"}}, {{"version", "3"}}), 404,
               "FILE_NOT_FOUND");
  expect_error(get("downloadFile", {{"filename", "a..b"}}), 404, "FILE_NOT_FOUND");
  expect_error(get("downloadFile", {{"filename", "014-2-swot_analysis.md"}}, {{"version", "99999999999"}}), 404,
               "FILE_NOT_FOUND");
}

TEST_F(ServerReadHandlers, WhoHasTheTagGetsNothingAgain) {
  plan_.complete();
  for (const auto* operation : {"getDetails", "getFallbackReport", "getAssembledDocument"}) {
    const auto first = get(operation);
    const auto tag = header(first, "ETag");
    EXPECT_EQ(tag.size(), 34u) << operation;
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(get(operation, {}, {}, {{"if-none-match", tag}}).status, 304) << operation;
    EXPECT_EQ(get(operation).body, first.body) << operation << ": a strong tag stands for the very bytes";
  }
  const auto tag = header(get("getDetails"), "ETag");
  EXPECT_EQ(get("getDetails", {}, {{"include", "log"}}, {{"if-none-match", tag}}).status, 200);
  plan_.log(901, "more");
  EXPECT_EQ(get("getDetails", {}, {}, {{"if-none-match", tag}}).status, 200);
}

TEST_F(ServerReadHandlers, ListsGoOnWithTheirCursor) {
  plan_.complete();
  std::size_t seen = 0;
  std::string cursor;
  do {
    Pairs query{{"limit", "40"}};
    if (!cursor.empty()) query.emplace_back("cursor", cursor);
    const auto page = get("listArtefacts", {}, query);
    ASSERT_EQ(page.status, 200);
    seen += body(page).at("artefacts").as_array().size();
    cursor = header(page, "X-Next-Cursor");
    EXPECT_EQ(body(page).at("next_cursor"), cursor.empty() ? json::value(nullptr) : json::value(cursor));
  } while (!cursor.empty());
  EXPECT_EQ(seen, body(get("listArtefacts")).at("artefacts").as_array().size());
  expect_error(get("listArtefacts", {}, {{"cursor", "x"}}), 422, "CURSOR_INVALID");
  expect_error(get("listFiles", {}, {{"cursor", "x"}}), 422, "CURSOR_INVALID");
  expect_error(get("listInteractions", {}, {{"cursor", "x"}}), 422, "CURSOR_INVALID");
}

TEST_F(ServerReadHandlers, CallsAreFoundInTheirPlanOnly) {
  const store::TextBlock context{sha256_hex("context"), "context"}, task{sha256_hex("Do it."), "Do it."};
  plan_.write({store::PutBlocks{{context, task}}});
  std::vector<std::int64_t> ids;
  for (int number = 1; number <= 3; ++number) {
    store::InteractionRow call;
    call.id = *plan_.store().reserve_interaction_ids(1);
    call.stage = number == 3 ? "premortem" : "swot_analysis";
    call.call_key = call.stage + "/main/" + std::to_string(number);
    call.attempt_reason = "first";
    call.status = number == 2 ? "failed" : "completed";
    call.response_text = "{}";
    call.prompt_blocks = {context.sha256, task.sha256};
    plan_.write({store::PutInteraction{call}});
    ids.push_back(call.id);
  }
  const auto list = body(get("listInteractions"));
  EXPECT_FITS(list, "InteractionList");
  ASSERT_EQ(list.at("interactions").as_array().size(), 3u);
  EXPECT_EQ(list.at("interactions").at(0).at("prompt_preview"), "Do it.");
  EXPECT_EQ(body(get("listInteractions", {}, {{"task_key", "premortem"}})).at("interactions").as_array().size(), 1u);
  EXPECT_EQ(body(get("listInteractions", {}, {{"status", "failed"}})).at("interactions").as_array().size(), 1u);
  const auto page = get("listInteractions", {}, {{"limit", "2"}});
  EXPECT_FALSE(header(page, "X-Next-Cursor").empty());
  const auto detail = body(get("getInteraction", {{"interaction_id", std::to_string(ids[0])}}));
  EXPECT_FITS(detail, "InteractionDetail");
  EXPECT_EQ(detail.at("prompt_text"), "context\n\nDo it.");
  EXPECT_EQ(detail.at("prompt_preview"), "Do it.");

  store::InteractionRow foreign;
  foreign.id = *plan_.store().reserve_interaction_ids(1);
  foreign.owner_kind = "conversation";
  foreign.owner_id = "conv_1";
  foreign.stage = "intake";
  ASSERT_TRUE(plan_.store().commit({"", std::nullopt, {store::PutInteraction{foreign}}, "test"}).ok());
  expect_error(get("getInteraction", {{"interaction_id", std::to_string(foreign.id)}}), 404, "INTERACTION_NOT_FOUND");
}

TEST_F(ServerReadHandlers, APlanIsShownWithTheNamesOfItsOwnRecipe) {
  auto files = recipe::read_recipe_folder(std::string(PLANEXE_SOURCE_DIR) + "/tests/recipe/fixtures/small");
  ASSERT_TRUE(files);
  const auto packed = recipe::pack_recipe(*files);
  const auto small = recipe::load_recipe(*std::move(files));
  ASSERT_TRUE(small);
  PlanRecipes recipes(services_);
  auto row = plan_.plan();
  EXPECT_EQ(recipes.of(row), recipe_);
  row.recipe_hash = small->hash;
  EXPECT_EQ(recipes.of(row), recipe_) << "it is not stored";

  plan_.write({store::PutRecipe{small->hash, packed}});
  PlanRecipes others(services_);
  const auto own = others.of(row);
  EXPECT_EQ(own->hash, small->hash);
  EXPECT_EQ(others.of(row), own) << "it is kept";
  plan_.write({store::PutRecipe{"damaged", "no recipe"}});
  row.recipe_hash = "damaged";
  EXPECT_EQ(others.of(row), recipe_);
  row.recipe_hash.clear();
  EXPECT_EQ(others.of(row), recipe_) << "plans of older versions have none";
}

}  // namespace
}  // namespace planexe::server
