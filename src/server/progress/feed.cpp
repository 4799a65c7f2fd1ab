#include "server/progress/feed.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/ids.hpp"
#include "server/limits.hpp"
#include "server/metrics.hpp"
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
  bool too_many = false;
};

namespace {

/// Stored events that are read at once: a slow client must not make the server keep thousands for it.
constexpr int kStoredPage = 128;

bool has_ended(const store::PlanRow& plan) { return plan.status == "completed" || plan.status == "failed" || plan.status == "cancelled"; }

}  // namespace

ProgressFeed::ProgressFeed(const Services& services, std::string plan_id, std::string_view kind)
    : services_(services), plan_id_(std::move(plan_id)), kind_(kind), timer_(services.loop) {}

ProgressFeed::~ProgressFeed() {
  if (subscribed_) services_.hub->unsubscribe(plan_id_, *this);
}

void ProgressFeed::wake() { timer_.cancel(); }

void ProgressFeed::interrupt() {
  interrupted_ = true;
  timer_.cancel();
}

asio::awaitable<Result<ProgressFeed::View>> ProgressFeed::read(std::optional<std::int64_t> count_after) const {
  co_return co_await on_pool(services_, [this, count_after]() -> Result<View> {
    auto& store = *services_.store;
    View view;
    PLANEXE_TRY_ASSIGN(auto plan, store.plan(plan_id_));
    if (!plan) return fail(ErrorCode::PlanNotFound, "No plan has this id.");
    view.plan = std::move(*plan);
    PLANEXE_TRY_ASSIGN(view.last_seq, store.last_event_seq(plan_id_));
    PLANEXE_TRY_ASSIGN(view.tasks, store.tasks(plan_id_));
    PLANEXE_TRY_ASSIGN(view.response, plan_response(store, view.plan));
    if (!count_after) return view;
    PLANEXE_TRY_ASSIGN(const auto count, store.count_events(plan_id_, *count_after, limits::kReplayEventsMax + 1));
    view.too_many = count > limits::kReplayEventsMax;
    return view;
  });
}

asio::awaitable<Result<void>> ProgressFeed::open(std::optional<std::int64_t> after) {
  auto position = services_.hub->subscribe(plan_id_, *this, after);
  subscribed_ = true;
  auto view = co_await read(position.covered ? std::nullopt : after);
  if (view && !position.last_seq && services_.hub->last_seq(plan_id_)) {
    // The first message of this process came meanwhile. Now the hub knows where it stands.
    position = services_.hub->subscribe(plan_id_, *this, after);
    view = co_await read(position.covered ? std::nullopt : after);
  }
  if (!view) co_return std::unexpected(view.error());
  begin(*view, position, after);
  co_return Result<void>();
}

void ProgressFeed::begin(const View& view, const ProgressHub::Position& position, std::optional<std::int64_t> after) {
  notice_end(view);
  start_ = feed_start({after, position.last_seq, position.covered, view.last_seq, view.plan.seq_reserved, !end_state_.empty(), view.too_many});
  last_seq_ = start_.position;
  settled_ = end_state_.empty() ? std::max(start_.live_from, view.last_seq) : view.last_seq - 1;
  first_.push_back(unnumbered("connection", {{"status", "connected"},
                                             {"client_id", uuid4(*services_.random)},
                                             {"message", "Connected to the plan's progress."},
                                             {"resume", to_string(start_.way)},
                                             {"heartbeat_seconds", limits::kHeartbeat.count()}}));
  switch (start_.way) {
    case FeedStart::Way::ring: return;
    case FeedStart::Way::stored: {
      stored_to_ = start_.live_from;
      // Nothing runs in a plan that has ended.
      const auto seq = std::max(last_seq_, start_.live_from);
      if (end_state_.empty()) snapshot_ = Waiting{seq, snapshot(view, position.interactions, seq, "connect", 0)};
      return;
    }
    case FeedStart::Way::snapshot:
      first_.push_back(snapshot(view, position.interactions, last_seq_, start_.gap ? "gap" : "connect", 0));
      first_.push_back(unnumbered("status", snapshot_status(view.plan, view.response)));
      end_status_.reset();
  }
}

/// Remembers how a plan ended, for clients whom no message will tell.
void ProgressFeed::notice_end(const View& view) {
  if (!has_ended(view.plan)) return;
  end_state_ = view.plan.status;
  end_seq_ = view.last_seq;
  end_status_ = progress_message("status", plan_id_, view.last_seq, services_.clock->now(), snapshot_status(view.plan, view.response), false);
}

ProgressMessage ProgressFeed::unnumbered(std::string_view type, const json::object& payload) const {
  return progress_message(type, plan_id_, last_seq_, services_.clock->now(), payload, false);
}

ProgressMessage ProgressFeed::snapshot(const View& view, const json::array& interactions, std::int64_t seq, std::string_view reason,
                                       std::int64_t dropped) const {
  return progress_message("snapshot", plan_id_, seq, services_.clock->now(),
                          {{"reason", reason},
                           {"dropped", dropped},
                           {"plan", view.response},
                           {"tasks", snapshot_tasks(view.tasks)},
                           {"interactions", interactions}},
                          false);
}

asio::awaitable<std::optional<ProgressMessage>> ProgressFeed::next(Time until) {
  for (;;) {
    if (finished_) co_return std::nullopt;
    if (auto message = at_hand()) co_return message;
    if (must_read()) {
      co_await read_more();
      continue;
    }
    if (finished_ || interrupted_ || services_.clock->steady() >= until) {
      interrupted_ = false;
      co_return std::nullopt;
    }
    timer_.expires_at(until);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

ProgressFeed::Message ProgressFeed::at_hand() {
  for (auto* waiting : {&first_, &stored_}) {
    if (waiting->empty()) continue;
    auto message = std::move(waiting->front());
    waiting->pop_front();
    return give(std::move(message));
  }
  if (must_read()) return std::nullopt;
  if (auto message = from_hub()) return message;
  // From here on the client has everything that the hub has, or the hub has lost what it lacks.
  if (must_read()) return std::nullopt;
  if (deleted) {
    auto end = progress_message("stream_end", plan_id_, last_seq_ + 1, services_.clock->now(),
                                {{"message", "The plan was deleted."}, {"reason", "deleted"}});
    settled_ = last_seq_;
    return give(std::move(end));
  }
  if (end_state_.empty()) return std::nullopt;
  if (last_seq_ < end_seq_) {
    // Committed, but not published yet or in another process: the database has it.
    stored_to_ = end_seq_;
    return std::nullopt;
  }
  return end_of_plan();
}

bool ProgressFeed::must_read() const { return stored_to_.has_value() || queue.dropped() > 0 || snapshot_wanted_ || look; }

asio::awaitable<void> ProgressFeed::read_more() {
  if (stored_to_) co_return co_await read_stored();
  if (queue.dropped() > 0) co_return co_await replace_dropped();
  if (look) co_return co_await look_in_database();
  co_await take_snapshot();
}

/// What another process stored, and an end that nobody published.
asio::awaitable<void> ProgressFeed::look_in_database() {
  look = false;
  auto view = co_await read(std::nullopt);
  if (!view) co_return fail_now();
  notice_end(*view);
  const bool ours = services_.hub->last_seq(plan_id_).value_or(0) >= view->last_seq;
  if (!ours && view->last_seq > last_seq_) stored_to_ = view->last_seq;
}

asio::awaitable<void> ProgressFeed::read_stored() {
  const auto to = *stored_to_;
  auto rows = co_await on_pool(services_, [this] { return services_.store->events(plan_id_, last_seq_, kStoredPage); });
  if (!rows) co_return fail_now();
  for (const auto& row : *rows)
    if (row.seq <= to) stored_.push_back(progress_message(plan_id_, event_of(row)));
  if (stored_.size() == static_cast<std::size_t>(kStoredPage)) co_return;
  stored_to_.reset();
  if (stored_.empty()) last_seq_ = std::max(last_seq_, to);
}

/// One snapshot stands for everything that the client's queue could not hold.
asio::awaitable<void> ProgressFeed::replace_dropped() {
  const auto dropped = queue.dropped();
  queue.begin_snapshot();
  snapshot_wanted_ = false;
  snapshot_.reset();
  if (services_.metrics != nullptr) services_.metrics->messages_dropped(kind_, dropped);
  const auto position = services_.hub->position(plan_id_);
  auto view = co_await read(std::nullopt);
  if (!view) co_return fail_now();
  notice_end(*view);
  const auto seq = std::max(last_seq_, position.last_seq.value_or(view->last_seq));
  first_.push_back(snapshot(*view, position.interactions, seq, "slow_client", dropped));
}

asio::awaitable<void> ProgressFeed::take_snapshot() {
  snapshot_wanted_ = false;
  const auto position = services_.hub->position(plan_id_);
  auto view = co_await read(std::nullopt);
  if (!view) co_return fail_now();
  const auto seq = std::max(last_seq_, position.last_seq.value_or(view->last_seq));
  snapshot_ = Waiting{seq, snapshot(*view, position.interactions, seq, "requested", 0)};
}

/// Messages of the hub, with a waiting snapshot at its place among them.
ProgressFeed::Message ProgressFeed::from_hub() {
  for (;;) {
    if (queue.empty() && !deleted) services_.hub->refill(plan_id_, *this);
    if (queue.dropped() > 0) return std::nullopt;
    const auto seq = queue.first_seq();
    if (snapshot_ && (!seq || *seq > snapshot_->seq)) {
      auto message = std::move(snapshot_->message);
      snapshot_.reset();
      return give(std::move(message));
    }
    auto message = queue.pop();
    if (!message) return std::nullopt;
    // What the client already has from the database.
    if (message->seq > last_seq_) return give(std::move(*message));
  }
}

/// The end of a plan that was over before the client came, if what it got did not tell.
ProgressFeed::Message ProgressFeed::end_of_plan() {
  if (end_status_) {
    const auto status = std::exchange(end_status_, std::nullopt);
    return give(*status);
  }
  finished_ = true;
  return unnumbered("stream_end", {{"message", "The plan is " + end_state_ + "."}, {"reason", end_state_}});
}

ProgressFeed::Message ProgressFeed::give(ProgressMessage message) {
  last_seq_ = std::max(last_seq_, message.seq);
  if (message.type == "stream_end" && message.seq > settled_) finished_ = true;
  return message;
}

void ProgressFeed::fail_now() {
  // A plan that was deleted meanwhile has a proper end.
  if (deleted) {
    stored_to_.reset();
    return;
  }
  failed_ = true;
  finished_ = true;
}

}  // namespace planexe::server
