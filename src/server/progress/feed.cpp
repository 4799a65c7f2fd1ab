#include "server/progress/feed.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/ids.hpp"
#include "server/limits.hpp"
#include "server/plan_view.hpp"
#include "server/progress/snapshot_view.hpp"

namespace planexe::server {

namespace asio = boost::asio;

/// What the database says about the plan at one moment.
struct ProgressFeed::View {
  store::PlanRow plan;
  json::object response;
  std::vector<store::TaskRow> tasks;
  std::int64_t last_seq = 0;
  std::vector<store::EventRow> events;
  bool too_many = false;
};

namespace {

bool has_ended(const store::PlanRow& plan) { return plan.status == "completed" || plan.status == "failed" || plan.status == "cancelled"; }

}  // namespace

ProgressFeed::ProgressFeed(const Services& services, std::string plan_id)
    : services_(services), plan_id_(std::move(plan_id)), timer_(services.loop) {}

ProgressFeed::~ProgressFeed() {
  if (subscribed_) services_.hub->unsubscribe(plan_id_, *this);
}

void ProgressFeed::wake() { timer_.cancel(); }

void ProgressFeed::interrupt() {
  interrupted_ = true;
  timer_.cancel();
}

asio::awaitable<Result<ProgressFeed::View>> ProgressFeed::read(std::optional<std::int64_t> events_after) const {
  co_return co_await on_pool(services_, [this, events_after]() -> Result<View> {
    auto& store = *services_.store;
    View view;
    PLANEXE_TRY_ASSIGN(auto plan, store.plan(plan_id_));
    if (!plan) return fail(ErrorCode::PlanNotFound, "No plan has this id.");
    view.plan = std::move(*plan);
    PLANEXE_TRY_ASSIGN(view.last_seq, store.last_event_seq(plan_id_));
    PLANEXE_TRY_ASSIGN(view.tasks, store.tasks(plan_id_));
    PLANEXE_TRY_ASSIGN(view.response, plan_response(store, view.plan));
    if (!events_after) return view;
    PLANEXE_TRY_ASSIGN(view.events, store.events(plan_id_, *events_after, limits::kReplayEventsMax + 1));
    view.too_many = view.events.size() > static_cast<std::size_t>(limits::kReplayEventsMax);
    return view;
  });
}

asio::awaitable<Result<void>> ProgressFeed::open(std::optional<std::int64_t> after) {
  const auto subscription = services_.hub->subscribe(plan_id_, *this, after);
  subscribed_ = true;
  const bool replay = after && !subscription.covered;
  auto view = co_await read(replay ? after : std::nullopt);
  if (!view) co_return std::unexpected(view.error());
  begin(*view, subscription, after);
  co_return Result<void>();
}

void ProgressFeed::begin(const View& view, const ProgressHub::Subscription& subscription, std::optional<std::int64_t> after) {
  if (has_ended(view.plan)) terminal_ = view.plan.status;
  // Where live messages begin. Without any in this process the database tells; what came meanwhile is in the queue.
  std::int64_t live_from = subscription.last_seq.value_or(view.last_seq);
  if (!subscription.last_seq)
    if (const auto first = queue.first_seq()) live_from = std::min(live_from, *first - 1);
  const bool beyond = after && *after > std::max(view.last_seq, live_from);
  nothing_left_ = after && !terminal_.empty() && !beyond && *after >= std::max(view.last_seq, live_from);
  const bool stored = after && !subscription.covered && !view.too_many && !beyond;
  const std::string_view way = subscription.covered ? "ring" : stored ? "stored" : "snapshot";
  last_seq_ = after && !beyond ? *after : live_from;
  beginning_.push_back(unnumbered("connection", {{"status", "connected"},
                                                 {"client_id", uuid4(*services_.random)},
                                                 {"message", "Connected to the plan's progress."},
                                                 {"resume", way},
                                                 {"heartbeat_seconds", limits::kHeartbeat.count()}}));
  if (subscription.covered) return;
  if (stored) {
    for (const auto& row : view.events)
      if (row.seq <= live_from) beginning_.push_back(progress_message(plan_id_, event_of(row)));
    last_seq_ = live_from;
    beginning_.push_back(snapshot(view, subscription.interactions, "connect", 0));
  } else {
    last_seq_ = live_from;
    beginning_.push_back(snapshot(view, subscription.interactions, after ? "gap" : "connect", 0));
    beginning_.push_back(status(view));
  }
  queue.drop_until(live_from);
}

ProgressMessage ProgressFeed::unnumbered(std::string_view type, const json::object& payload) const {
  return progress_message(type, plan_id_, last_seq_, services_.clock->now(), payload, false);
}

ProgressMessage ProgressFeed::snapshot(const View& view, const json::array& interactions, std::string_view reason, std::int64_t dropped) const {
  return unnumbered("snapshot", {{"reason", reason},
                                 {"dropped", dropped},
                                 {"plan", view.response},
                                 {"tasks", snapshot_tasks(view.tasks)},
                                 {"interactions", interactions}});
}

ProgressMessage ProgressFeed::status(const View& view) const { return unnumbered("status", snapshot_status(view.plan, view.response)); }

asio::awaitable<std::optional<ProgressMessage>> ProgressFeed::fresh_snapshot() {
  const bool slow = queue.dropped() > 0;
  const auto dropped = queue.dropped();
  queue.begin_snapshot();
  snapshot_wanted_ = false;
  const auto position = services_.hub->position(plan_id_);
  auto view = co_await read(std::nullopt);
  if (!view) {
    finished_ = true;  // deleted meanwhile, or the database is gone: the client comes back
    co_return std::nullopt;
  }
  last_seq_ = position.last_seq.value_or(view->last_seq);
  queue.drop_until(last_seq_);
  co_return snapshot(*view, position.interactions, slow ? "slow_client" : "requested", dropped);
}

std::optional<ProgressMessage> ProgressFeed::give(ProgressMessage message) {
  last_seq_ = std::max(last_seq_, message.seq);
  if (message.type == "stream_end" && beginning_.empty() && queue.empty()) finished_ = true;
  return message;
}

/// The end of a plan that was over before the client came, if what it got did not tell.
std::optional<ProgressMessage> ProgressFeed::end_of_ended_plan() {
  finished_ = true;
  return unnumbered("stream_end", {{"message", "The plan is " + terminal_ + "."}, {"reason", terminal_}});
}

asio::awaitable<std::optional<ProgressMessage>> ProgressFeed::next(Time until) {
  for (;;) {
    if (finished_) co_return std::nullopt;
    if (!beginning_.empty()) {
      auto message = std::move(beginning_.front());
      beginning_.pop_front();
      co_return give(std::move(message));
    }
    if (queue.dropped() > 0 || snapshot_wanted_) co_return co_await fresh_snapshot();
    if (auto message = queue.pop()) co_return give(std::move(*message));
    if (!terminal_.empty()) co_return end_of_ended_plan();
    if (ended) finished_ = true;
    if (ended || interrupted_ || services_.clock->steady() >= until) {
      interrupted_ = false;
      co_return std::nullopt;
    }
    timer_.expires_at(until);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace planexe::server
