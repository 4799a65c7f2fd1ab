#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "reply.hpp"
#include "service.hpp"

namespace planexe::rehearsal {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kItemsMax = 100, kItemsDefault = 20;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The pace that makes the stored answer end when it was promised.
Pace pace_of(const StoredResponse& stored) {
  Pace pace;
  pace.headers = stored.queued_for;
  pace.first_event = stored.first_text_after - stored.queued_for;
  const auto talk = stored.ready_after - stored.first_text_after;
  if (talk.count() > 0) pace.tokens_per_second = static_cast<int>(std::max<std::int64_t>(1, 1'000 * stored.answer.output_tokens / talk.count()));
  return pace;
}

}  // namespace

/// A background response answers at once: with its object, or with its events as they become due.
WirePlan Service::background_reply(const StoredResponse& stored, bool stream, std::int64_t after, Now now) {
  if (!stream) return json_plan(200, headers(), stored.object(now.steady), milliseconds(0));
  const auto pace = pace_of(stored);
  auto pieces = timed_events(response_events(*stored.request, stored.answer, delta_chars(pace)), pace);
  const auto skipped = static_cast<std::size_t>(std::clamp<std::int64_t>(after + 1, 0, static_cast<std::int64_t>(pieces.size())));
  const auto last = pieces.empty() ? 0 : pieces.size() - 1;
  pieces.erase(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(skipped));
  // The first two events say that the response exists; they do not wait for it to leave the queue.
  if (skipped == 0)
    for (std::size_t i = 0; i < std::min<std::size_t>(2, pieces.size()); ++i) pieces[i].at = milliseconds(0);
  const auto elapsed = std::chrono::duration_cast<milliseconds>(now.steady - stored.begun);
  auto plan = stream_plan(headers(), pieces, milliseconds(0), elapsed);
  plan.stop = stored.stop;
  // A stream of a cancelled response ends with the response as it is then.
  const WireEvent cancelled{"response.cancelled", {{"type", "response.cancelled"},
                                                   {"sequence_number", static_cast<std::int64_t>(last)},
                                                   {"response", response_object(*stored.request, stored.answer, "in_progress")}}};
  auto final_event = cancelled;
  final_event.data["response"].as_object()["status"] = "cancelled";
  plan.at_stop = http_chunk(final_event.text()) + std::string(kLastChunk);
  return plan;
}

WirePlan Service::fetch(const HttpRequest& request, const std::string& id, Now now) {
  const auto& stored = *responses_.find(id);
  journal_.call(stored.request->call).fetched++;
  if (request.query("stream") != "true") return json_plan(200, headers(), stored.object(now.steady), milliseconds(0));
  if (!stored.request->background)
    return error(400, "This response cannot be streamed because it was not created with background=true.", "invalid_request_error", "", "stream");
  const auto text = request.query("starting_after");
  const auto after = text.empty() ? std::optional<std::int64_t>(-1) : number(text);
  if (!after) return error(400, "Invalid type for 'starting_after': expected an integer.", "invalid_request_error", "invalid_type", "starting_after");
  return background_reply(stored, true, *after, now);
}

WirePlan Service::cancel(const std::string& id, Now now) {
  auto& stored = *responses_.find(id);
  if (!stored.request->background)
    return error(400, "Cannot cancel a synchronous response.", "invalid_request_error", "");
  const auto status = stored.status(now.steady);
  if (status == "queued" || status == "in_progress") *stored.stop = true;
  return json_plan(200, headers(), stored.object(now.steady), milliseconds(0));
}

WirePlan Service::input_items(const HttpRequest& request, const std::string& id, Now) {
  const auto& stored = *responses_.find(id);
  const auto limit = request.query("limit").empty() ? std::optional<std::int64_t>(kItemsDefault) : number(request.query("limit"));
  if (!limit || *limit < 1 || *limit > kItemsMax)
    return error(400, fmt::format("Invalid 'limit': expected 1 to {}.", kItemsMax), "invalid_request_error", "", "limit");
  json::array items;
  for (const auto& item : stored.request->input) {
    auto copy = item.is_object() ? item.as_object() : json::object{};
    copy["id"] = fmt::format("msg_{}_{}", id.substr(id.find('_') + 1), items.size());
    items.push_back(std::move(copy));
  }
  if (request.query("order") != "asc") std::reverse(items.begin(), items.end());
  if (const auto after = request.query("after"); !after.empty()) {
    const auto at = std::find_if(items.begin(), items.end(), [&](const json::value& item) { return get_string(item, "id") == after; });
    if (at == items.end()) return error(404, "Item not found.", "invalid_request_error", "", "after");
    items.erase(items.begin(), at + 1);
  }
  const bool more = items.size() > static_cast<std::size_t>(*limit);
  if (more) items.erase(items.begin() + *limit, items.end());
  const auto edge = [&](bool first) -> json::value { return items.empty() ? json::value(nullptr) : (first ? items.front() : items.back()).at("id"); };
  const auto first = edge(true), last = edge(false);
  return json_plan(200, headers(), json::object{{"object", "list"}, {"data", std::move(items)}, {"first_id", first}, {"last_id", last}, {"has_more", more}},
                   milliseconds(0));
}

WirePlan Service::input_tokens(const HttpRequest& request) {
  const auto body = parse_json(request.body);
  if (!body) return error(400, "We could not parse the JSON body of your request.", "invalid_request_error", "");
  auto read = read_responses_request(*body);
  if (!read) return refused(read.error());
  if (const auto joined = join_parent(*read); !joined) return refused(joined.error());
  std::int64_t tokens = 0;
  for (const auto& part : read->parts) tokens += estimate_tokens(part);
  return json_plan(200, headers(), json::object{{"object", "response.input_tokens"}, {"input_tokens", tokens}}, milliseconds(0));
}

/// Scripts, counters and what was asked: for tests and load generators.
WirePlan Service::control(const HttpRequest& request) {
  const auto path = request.path();
  const auto good = [](json::value body) { return json_plan(200, {}, body, milliseconds(0)); };
  if (request.method == "GET" && path == "/control/requests") return good(journal_.requests());
  if (request.method == "GET" && path == "/control/counters") return good(journal_.counters());
  if (request.method != "POST") return json_plan(404, {}, error_object("No such control.", "invalid_request_error", ""), milliseconds(0));
  if (path == "/control/reset") {
    scripts_.clear();
    journal_.clear();
    responses_.clear();
    stopped_ = false;
    return good(json::object{{"reset", true}});
  }
  if (path == "/control/stop") {
    stopped_ = true;
    return good(json::object{{"stopped", true}});
  }
  const auto body = parse_json(request.body);
  if (!body) return json_plan(400, {}, error_object(body.error().message, "invalid_request_error", "invalid_json"), milliseconds(0));
  if (path == "/control/scripts") {
    if (const auto added = scripts_.add(*body); !added)
      return json_plan(400, {}, error_object(added.error().message, "invalid_request_error", "invalid_script"), milliseconds(0));
    return good(json::object{{"scripts", scripts_.size()}});
  }
  if (path == "/control/seed") {
    const auto seed = get_int(*body, "seed");
    if (!seed) return json_plan(400, {}, error_object("'seed' is an integer.", "invalid_request_error", ""), milliseconds(0));
    options_.seed = static_cast<std::uint64_t>(*seed);
    random_ = Random(options_.seed);
    if (const auto rate = get_double(*body, "fault_rate")) options_.fault_rate = std::clamp(*rate, 0.0, 1.0);
    return good(json::object{{"seed", *seed}, {"fault_rate", options_.fault_rate}});
  }
  return json_plan(404, {}, error_object("No such control.", "invalid_request_error", ""), milliseconds(0));
}

}  // namespace planexe::rehearsal
