#include "engine/engine.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "base/ids.hpp"
#include "base/log.hpp"
#include "plan/builtin.hpp"

namespace planexe::engine {
namespace {

constexpr int kInteractionIdBlock = 256;
constexpr std::size_t kRecipesKept = 8;
constexpr auto kTick = std::chrono::seconds(1);

Error commit_error(const store::CommitResult& result) {
  if (result.error) return *result.error;
  switch (result.status) {
    case store::CommitStatus::fenced: return {ErrorCode::Locked, "another process took over this plan"};
    case store::CommitStatus::conflict: return {ErrorCode::Conflict, "the plan changed meanwhile; try again"};
    default: return {ErrorCode::DatabaseError, "the database did not confirm the change; look at the plan before repeating it"};
  }
}

}  // namespace

Engine::Engine(boost::asio::io_context& loop, store::Store& store, llm::ModelClient& client, const Clock& clock,
               Random& random, std::vector<recipe::RecipeFile> recipe_files, std::shared_ptr<const recipe::Recipe> recipe,
               EngineOptions options)
    : loop_(loop),
      store_(store),
      client_(client),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      recipe_(std::move(recipe)),
      packed_recipe_(recipe::pack_recipe(recipe_files)),
      files_(options_.run_dir, pool_),
      timer_(loop) {
  recipes_.emplace(recipe_->hash, recipe_);
}

Engine::~Engine() {
  timer_.cancel();
  pool_.join();
}

Result<store::PlanRow> Engine::create(CreateRequest request, std::string plan_id) {
  PLANEXE_TRY(check_request(request));
  if (plan_id.empty()) plan_id = new_plan_id(random_);
  if (!valid_id(plan_id)) return fail(ErrorCode::InvalidRequest, "A plan id has 1 to 128 characters of A-Z a-z 0-9 _ -.");
  auto result = store_.commit(make_plan(request, *recipe_, packed_recipe_, plan_id, clock_.now()));
  if (!result.ok()) return std::unexpected(commit_error(result));
  PLANEXE_TRY_ASSIGN(auto row, store_.plan(plan_id));
  PLANEXE_ASSERT(row.has_value());
  return *row;
}

Result<std::shared_ptr<const recipe::Recipe>> Engine::recipe_of(const store::PlanRow& plan) {
  if (const auto it = recipes_.find(plan.recipe_hash); it != recipes_.end()) return it->second;
  PLANEXE_TRY_ASSIGN(auto packed, store_.recipe(plan.recipe_hash));
  if (!packed) return fail(ErrorCode::RecipeInvalid, "The recipe this plan was made with is not in the database.");
  PLANEXE_TRY_ASSIGN(auto files, recipe::unpack_recipe(*packed));
  PLANEXE_TRY_ASSIGN(auto loaded, recipe::load_recipe(std::move(files)));
  auto shared = std::make_shared<const recipe::Recipe>(std::move(loaded));
  if (recipes_.size() >= kRecipesKept) recipes_.erase(recipes_.begin()->first == recipe_->hash ? std::next(recipes_.begin()) : recipes_.begin());
  recipes_.emplace(plan.recipe_hash, shared);
  return shared;
}

Result<std::int64_t> Engine::lease(const std::string& plan_id) {
  PLANEXE_TRY_ASSIGN(auto taken, store_.acquire_lease(plan_id, options_.owner, options_.lease_ttl, options_.exclusive));
  if (!taken) return fail(ErrorCode::Locked, "Another process is running this plan.");
  return taken->fencing;
}

std::int64_t Engine::next_interaction_id() {
  if (id_next_ == id_end_) {
    auto first = store_.reserve_interaction_ids(kInteractionIdBlock);
    // Ids only have to be unique; without the database nothing else would be stored either, and the commit says so.
    if (!first) {
      log_error("interaction ids could not be reserved", {{"error", first.error().message}});
      return static_cast<std::int64_t>(random_.next() >> 2);
    }
    id_next_ = *first;
    id_end_ = *first + kInteractionIdBlock;
  }
  return id_next_++;
}

Result<void> Engine::run(const std::string& plan_id) {
  if (runs_.contains(plan_id)) return fail(ErrorCode::PlanActive, "The plan is running already.");
  PLANEXE_TRY_ASSIGN(const auto fencing, lease(plan_id));
  PLANEXE_TRY_ASSIGN(auto snapshot, store_.snapshot(plan_id));
  if (snapshot.plan.status != "pending" && snapshot.plan.status != "running")
    return fail(ErrorCode::PlanNotResumable, "The plan is " + snapshot.plan.status + "; it runs again only after a resume or retry.");
  PLANEXE_TRY_ASSIGN(auto recipe, recipe_of(snapshot.plan));
  PLANEXE_TRY_ASSIGN(auto usage, store_.usage(plan_id));
  if (snapshot.plan.status == "running" && ++snapshot.plan.recovery_count > options_.recoveries_max)
    return abandon(snapshot, fencing);
  RunConfig config;
  config.recipe = recipe.get();
  config.builtins = &plan::builtins();
  config.model = snapshot.plan.llm_model;
  config.effort = snapshot.plan.reasoning_effort;
  config.rehearsal = snapshot.plan.rehearsal;
  config.timeout = options_.run_timeout;
  config.next_interaction_id = [this] { return next_interaction_id(); };
  RunnerServices services{loop_.get_executor(), &pool_, &store_, &client_, &clock_, &files_};
  PlanRunner::Callbacks callbacks{
      [this](const std::string& id, const std::vector<Event>& events) {
        if (event_sink_) event_sink_(id, events);
      },
      [this](const std::string& id, const RunEnded& end) {
        boost::asio::post(loop_, [this, id, end] { ended(id, end); });
      }};
  auto machine = std::make_unique<PlanRun>(std::move(config), std::move(snapshot), usage, fencing, clock_.now());
  auto runner = std::make_shared<PlanRunner>(services, std::move(recipe), std::move(machine), std::move(callbacks));
  runs_[plan_id] = {runner, clock_.steady() + options_.lease_ttl, false};
  runner->start();
  keep_alive();
  return {};
}

namespace {

std::vector<Event> events_of(const store::Transaction& transaction) {
  std::vector<Event> events;
  for (const auto& write : transaction.writes)
    if (const auto* append = std::get_if<store::AppendEvents>(&write))
      for (const auto& row : append->events) events.push_back({row.seq, row.type, row.created_at, row.payload.get_object(), row.interaction_id});
  return events;
}

}  // namespace

Result<void> Engine::abandon(const store::RunSnapshot& snapshot, std::int64_t fencing) {
  auto transaction = make_abandon(snapshot, clock_.now());
  transaction.fencing = fencing;
  const auto events = events_of(transaction);
  const auto result = store_.commit(std::move(transaction));
  if (!result.ok()) return std::unexpected(commit_error(result));
  if (event_sink_) event_sink_(snapshot.plan.plan_id, events);
  return fail(ErrorCode::RunAbandoned, "The run broke off several times in a row without a new result.");
}

Result<store::CommitResult> Engine::fenced_commit(const std::string& plan_id, store::Transaction transaction) {
  PLANEXE_TRY_ASSIGN(const auto fencing, lease(plan_id));
  transaction.fencing = fencing;
  transaction.writes.push_back(store::ReleaseLease{});
  const auto events = events_of(transaction);
  auto result = store_.commit(std::move(transaction));
  if (!result.ok()) return std::unexpected(commit_error(result));
  // No run tells watchers what is stored here.
  if (event_sink_ && !events.empty()) event_sink_(plan_id, events);
  return result;
}

namespace {

Result<store::RunSnapshot> existing(store::Store& store, const std::string& plan_id) {
  PLANEXE_TRY_ASSIGN(auto row, store.plan(plan_id));
  if (!row) return fail(ErrorCode::PlanNotFound, "No plan has the id \"" + plan_id + "\".");
  return store.snapshot(plan_id);
}

}  // namespace

Result<store::PlanRow> Engine::resume(const std::string& plan_id, const ResumeOptions& options) {
  PLANEXE_TRY_ASSIGN(auto snapshot, existing(store_, plan_id));
  // A run that died without an end needs no new attempt: it goes on where it was.
  const bool interrupted = snapshot.plan.status == "running" && !runs_.contains(plan_id);
  if (interrupted || (snapshot.plan.status == "pending" && !runs_.contains(plan_id))) {
    if (snapshot.plan.recovery_count == 0 && options.empty()) return snapshot.plan;
    // Somebody asked for it: what broke off before does not count against this run.
    snapshot.plan.recovery_count = 0;
    apply_options(snapshot.plan, options);
    PLANEXE_TRY(fenced_commit(plan_id, {plan_id, std::nullopt, {store::PutPlan{snapshot.plan}}, "resume"}));
    return snapshot.plan;
  }
  PLANEXE_TRY_ASSIGN(auto recipe, recipe_of(snapshot.plan));
  PLANEXE_TRY_ASSIGN(auto transaction, make_resume(snapshot, *recipe, options, clock_.now()));
  PLANEXE_TRY(fenced_commit(plan_id, std::move(transaction)));
  PLANEXE_TRY_ASSIGN(auto row, store_.plan(plan_id));
  return *row;
}

void Engine::retry(const std::string& plan_id, const std::string& task, const RetryOptions& options, Retried done) {
  const auto it = runs_.find(plan_id);
  if (it == runs_.end()) return done(retry_ended(plan_id, task, options));
  auto& runner = *it->second.runner;
  const auto recipe = recipe_of(runner.run().plan());
  if (!recipe) return done(std::unexpected(recipe.error()));
  auto reset = std::make_shared<Result<std::vector<std::string>>>();
  const auto key = canonical_task_key(**recipe, task).value_or(task);
  *reset = runner.retry(key, options, [reset, done](Result<void> stored) {
    if (!stored) return done(std::unexpected(stored.error()));
    done(std::move(*reset));
  });
  if (!*reset) done(std::move(*reset));
}

Result<std::vector<std::string>> Engine::retry_ended(const std::string& plan_id, const std::string& task, const RetryOptions& options) {
  PLANEXE_TRY_ASSIGN(auto snapshot, existing(store_, plan_id));
  PLANEXE_TRY_ASSIGN(auto recipe, recipe_of(snapshot.plan));
  const auto key = canonical_task_key(*recipe, task).value_or(task);
  PLANEXE_TRY_ASSIGN(auto retry, make_retry(snapshot, *recipe, key, options, clock_.now()));
  PLANEXE_TRY(fenced_commit(plan_id, std::move(retry.transaction)));
  return retry.reset_tasks;
}

Result<store::PlanRow> Engine::cancel(const std::string& plan_id) {
  PLANEXE_TRY_ASSIGN(auto row, store_.plan(plan_id));
  if (!row) return fail(ErrorCode::PlanNotFound, "No plan has the id \"" + plan_id + "\".");
  if (row->status == "cancelled") return *row;
  if (row->status == "completed" || row->status == "failed")
    return fail(ErrorCode::PlanNotCancellable, "The plan is " + row->status + "; there is nothing to cancel.");
  const auto result = store_.commit({plan_id, std::nullopt, {store::RequestCancel{clock_.now()}}, "cancel_request"});
  if (!result.ok()) return std::unexpected(commit_error(result));
  if (const auto it = runs_.find(plan_id); it != runs_.end()) it->second.runner->cancel();
  PLANEXE_TRY_ASSIGN(row, store_.plan(plan_id));
  return *row;
}

Result<void> Engine::remove(const std::string& plan_id) {
  PLANEXE_TRY_ASSIGN(auto row, store_.plan(plan_id));
  if (!row) return fail(ErrorCode::PlanNotFound, "No plan has the id \"" + plan_id + "\".");
  if (const auto it = runs_.find(plan_id); it != runs_.end()) {
    it->second.runner->lease_lost();
    runs_.erase(it);
  }
  // Taking the lease by force raises the fencing number: late writes of any run fail.
  PLANEXE_TRY(store_.acquire_lease(plan_id, options_.owner + "/delete", options_.lease_ttl, true));
  const auto result = store_.commit({plan_id, std::nullopt, {store::DeletePlan{}}, "delete"});
  if (!result.ok()) return std::unexpected(commit_error(result));
  files_.flush();
  files_.remove(plan_id);
  return {};
}

const PlanRun* Engine::find(const std::string& plan_id) const {
  const auto it = runs_.find(plan_id);
  return it == runs_.end() ? nullptr : &it->second.runner->run();
}

void Engine::keep_alive() {
  if (timer_running_ || runs_.empty()) return;
  timer_running_ = true;
  timer_.expires_after(options_.control_poll);
  timer_.async_wait([this](const boost::system::error_code& error) {
    timer_running_ = false;
    if (error) return;
    const auto now = clock_.steady();
    if (now >= next_renewal_) {
      next_renewal_ = now + options_.lease_renewal;
      renew_leases();
    }
    if (now >= next_tick_) {
      next_tick_ = now + kTick;
      for (auto& [id, run] : std::map<std::string, Run>(runs_)) run.runner->tick();
    }
    poll_control();
    keep_alive();
  });
}

void Engine::renew_leases() {
  const auto now = clock_.steady();
  for (auto& [id, run] : std::map<std::string, Run>(runs_)) {
    if (now > run.lease_until) {
      run.runner->lease_lost();
      continue;
    }
    if (run.renewing) continue;
    runs_.at(id).renewing = true;
    boost::asio::post(pool_, [this, plan_id = id, fencing = run.runner->run().fencing(), asked = now] {
      auto lease = store_.acquire_lease(plan_id, options_.owner, options_.lease_ttl, false);
      boost::asio::post(loop_, [this, plan_id, fencing, asked, lease = std::move(lease)] {
        const auto it = runs_.find(plan_id);
        if (it == runs_.end()) return;
        it->second.renewing = false;
        if (!lease) return;  // the database may come back before the lease ends
        if (!*lease || (*lease)->fencing != fencing) {
          it->second.runner->lease_lost();
        } else {
          it->second.lease_until = asked + options_.lease_ttl;
        }
      });
    });
  }
}

void Engine::poll_control() {
  auto wanted = store_.cancel_requests();
  if (!wanted) return;
  for (const auto& id : *wanted)
    if (const auto it = runs_.find(id); it != runs_.end()) it->second.runner->cancel();
}

void Engine::ended(const std::string& plan_id, const RunEnded& end) {
  runs_.erase(plan_id);
  if (end_sink_) end_sink_(plan_id, end);
}

void Engine::shut_down() {
  for (auto& [id, run] : std::map<std::string, Run>(runs_)) run.runner->shut_down();
}

}  // namespace planexe::engine
