#include "bench.hpp"

#include <cstdio>
#include <cstdlib>

#include "base/text.hpp"
#include "recipe/answer.hpp"

namespace planexe::faults {

void Checks::expect(bool held, const std::string& what) {
  ++checks_;
  if (held) return;
  passed_ = false;
  failed_.push_back("NOT " + what);
}

void Checks::note(const std::string& what) { notes_.push_back(what); }

std::string Checks::text() const {
  std::string all;
  for (const auto* list : {&failed_, &notes_})
    for (const auto& part : *list) all += (all.empty() ? "" : "; ") + part;
  return all;
}

void Host::attempt_ready(const llm::AttemptStart& start, std::function<void(bool, ErrorCode)> go) {
  const bool goes = !lets_go || lets_go(start);
  if (goes) starts.push_back(start);
  go(goes, ErrorCode::BudgetExceeded);
}

void Host::finished(llm::CallOutcome result) {
  outcome = std::move(result);
  finished_at = std::chrono::steady_clock::now();
  ++finished_count;
}

std::string Host::error_code() const {
  if (!outcome) return "not finished";
  return outcome->error ? std::string(to_string(outcome->error->code)) : "none";
}

std::string Host::history() const {
  std::string all;
  for (const auto& record : records) all += fmt::format("{}{} {}", all.empty() ? "" : ", ", to_string(record.reason), record.status);
  return all + (ok() ? "" : " -> " + error_code());
}

std::string Host::reason(std::size_t index) const { return index < starts.size() ? std::string(to_string(starts[index].reason)) : ""; }

Endpoint::Endpoint(boost::asio::io_context& loop, rehearsal::ServiceOptions options)
    : service(options, rehearsal::AnswerBook(std::make_shared<const recipe::Recipe>())), server(loop.get_executor(), service, clock) {
  const auto listening = server.listen("127.0.0.1", 0);
  PLANEXE_ASSERT(listening.has_value());
}

void Endpoint::script(const json::value& value) {
  const auto added = service.scripts().add(value);
  if (!added) std::fprintf(stderr, "%s\n", added.error().message.c_str());
  PLANEXE_ASSERT(added.has_value());
}

void Endpoint::next(std::vector<json::value> steps) { script(json::object{{"steps", json::array(steps.begin(), steps.end())}}); }

std::int64_t Endpoint::asked() { return static_cast<std::int64_t>(requests().size() + requests("POST", "/v1/chat/completions").size()); }

std::vector<json::object> Endpoint::requests(std::string_view method, std::string_view path) {
  std::vector<json::object> found;
  const auto all = service.journal().requests();
  for (const auto& request : all.at("data").as_array()) {
    const auto target = get_string(request, "target").value_or("");
    if (get_string(request, "method") == method && (path.empty() || target.substr(0, target.find('?')) == path)) found.push_back(request.as_object());
  }
  return found;
}

std::vector<json::value> Endpoint::bodies() {
  std::vector<json::value> found;
  for (const auto& request : requests()) found.push_back(parse_json(request.at("body").as_string()).value_or(json::value()));
  return found;
}

Bench::Bench() {
  secrets["TEST_KEY"] = "sk-fault-0123456789abcdef";
  settings.backoff_base = milliseconds(5);
  settings.backoff_max = milliseconds(20);
  settings.backoff_rate_limited_max = milliseconds(40);
  settings.server_delay_extra_max = milliseconds(2);
  settings.poll_first = milliseconds(10);
  settings.poll_max = milliseconds(20);
  settings.breaker_open_first = milliseconds(60);
  settings.breaker_open_max = milliseconds(400);
  settings.drain_timeout = milliseconds(200);
  settings.delta_interval = milliseconds(1);
  settings.headers_timeout_streaming = milliseconds(2'000);
  settings.liveness_timeout = milliseconds(2'000);
  settings.progress_timeout = milliseconds(4'000);
}

Bench::~Bench() {
  client_.reset();
  for (auto& server : servers_) server->server.stop();
  loop.restart();
  loop.run_for(milliseconds(20));
}

Endpoint& Bench::add_server(rehearsal::ServiceOptions options) {
  if (options.seed == 0) options.seed = 100 + servers_.size();
  servers_.push_back(std::make_unique<Endpoint>(loop, options));
  return *servers_.back();
}

llm::ModelEntry& Bench::add_model(const std::string& id, const std::string& base_url, const std::string& provider) {
  auto entry = llm::rehearsal_catalogue(base_url).models.front();
  entry.id = entry.model = id;
  entry.priority = static_cast<int>(catalogue.models.size());
  entry.provider = provider;
  entry.api_key_env = "TEST_KEY";
  entry.caps.background = "never";
  entry.price = llm::Price{1'000'000, 100'000, -1, 2'000'000, "test"};
  catalogue.models.push_back(std::move(entry));
  return catalogue.models.back();
}

Endpoint& Bench::one() {
  auto& server = add_server();
  add_model("m1", server.url());
  return server;
}

std::pair<Endpoint&, Endpoint&> Bench::two() {
  auto& first = one();
  auto& second = add_server();
  add_model("m2", second.url(), "other");
  return {first, second};
}

llm::ModelClient& Bench::client() {
  if (client_) return *client_;
  llm::ClientOptions options;
  options.catalogue = catalogue;
  options.prices = llm::PriceTable::embedded();
  options.settings = settings;
  options.store_responses = store;
  options.max_concurrent = max_concurrent;
  options.log_payloads = !payload_log.empty();
  options.payload_log_path = payload_log;
  options.secret = [this](const std::string& name) {
    const auto at = secrets.find(name);
    return at == secrets.end() ? std::string() : at->second;
  };
  auto made = llm::make_model_client(loop.get_executor(), std::move(options), clock ? *clock : system_clock_, random_);
  PLANEXE_ASSERT(made.has_value());
  client_ = std::move(*made);
  return *client_;
}

void Bench::drop_client() { client_.reset(); }

llm::CallSpec Bench::spec(const std::string& key) {
  llm::CallSpec spec;
  spec.plan_id = "plan-1";
  spec.task_key = key.substr(0, key.find('/'));
  spec.call_key = key;
  spec.schema_name = "one__main";
  spec.schema = risk_schema();
  spec.messages = {{llm::Message::Role::developer, {"Rules"}}, {llm::Message::Role::user, {"Name one risk"}}};
  spec.effort = "low";
  spec.max_output_tokens = 4'096;
  return spec;
}

HostPtr Bench::start(llm::CallSpec spec, llm::Judge judge) {
  auto host = std::make_shared<Host>();
  client().start(std::move(spec), judge ? std::move(judge) : schema_judge(), host);
  return host;
}

HostPtr Bench::ask(llm::CallSpec spec, llm::Judge judge, int deadline_ms) {
  auto host = start(std::move(spec), std::move(judge));
  run_until([&] { return host->outcome.has_value(); }, deadline_ms);
  return host;
}

bool Bench::run_until(const std::function<bool()>& done, int deadline_ms) {
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(deadline_ms);
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    loop.restart();
    loop.run_one_for(milliseconds(20));
  }
  return done();
}

void Bench::run_for(int ms) {
  loop.restart();
  loop.run_for(milliseconds(ms));
}

void Bench::without_breaker() {
  settings.breaker_failures_in_row = 1'000;
  settings.breaker_attempts_min = 1'000;
}

json::value risk_schema() {
  return json::parse(R"({"type":"object","properties":{"risk":{"type":"string","description":"One risk"}},
                         "required":["risk"],"additionalProperties":false})");
}

llm::Judge schema_judge() {
  return [](std::string_view text, const json::array&, bool) {
    recipe::Task task;
    recipe::Step step;
    step.schema = risk_schema();
    const auto verdict = recipe::judge_answer(task, step, text, recipe::Scope{});
    llm::Judgement judgement;
    judgement.accepted = verdict.accepted();
    judgement.value = verdict.value;
    if (judgement.accepted) return judgement;
    judgement.feedback = recipe::repair_text(verdict, step);
    judgement.error = verdict.problems.empty() ? "not accepted" : verdict.problems.front().pointer + ": " + verdict.problems.front().message;
    return judgement;
  };
}

namespace {

rehearsal::Request plain_request() {
  rehearsal::Request request;
  request.model = "m1";
  request.schema_name = "one__main";
  request.schema = risk_schema();
  return request;
}

rehearsal::Answer plain_answer(const std::string& text) {
  rehearsal::Answer answer;
  answer.id = "resp_scripted";
  answer.text = text;
  answer.input_tokens = 100;
  answer.cached_tokens = 40;
  answer.output_tokens = 20;
  return answer;
}

}  // namespace

std::vector<rehearsal::WireEvent> good_events(const std::string& text, std::size_t chunk) {
  return rehearsal::response_events(plain_request(), plain_answer(text), chunk);
}

json::array wire(const std::vector<rehearsal::WireEvent>& events) {
  json::array texts;
  for (const auto& event : events) texts.emplace_back(event.text());
  return texts;
}

json::object final_response(const std::string& text, std::string_view status) {
  auto answer = plain_answer(text);
  answer.status = status;
  return rehearsal::response_object(plain_request(), answer, status);
}

}  // namespace planexe::faults
