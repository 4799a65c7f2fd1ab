#include "journal.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace planexe::rehearsal {
namespace {

constexpr std::size_t kRequestsMax = 5'000;
constexpr std::size_t kRequestBytesMax = std::size_t{64} << 20U;
/// A plan has some hundred calls; load tests many thousand.
constexpr std::size_t kCallsMax = 200'000;
constexpr std::size_t kFailuresMax = 200;

bool secret_header(std::string_view name) { return name == "authorization" || name == "api-key" || name == "x-api-key" || name == "cookie"; }

json::object count_object(const Journal::CallCount& count) {
  return {{"received", count.received}, {"completed", count.completed}, {"fetched", count.fetched}, {"attempts", count.attempts}};
}

}  // namespace

Result<void> Journal::log_to(const std::string& path) {
  log_.open(path, std::ios::app);
  if (!log_) return fail(ErrorCode::IoError, "Cannot write the log " + path);
  return {};
}

void Journal::keep(const HttpRequest& request, TimePoint at) {
  ++total_;
  if (log_.is_open()) {
    const json::object line{{"at", format_iso(at)}, {"method", to_valid_utf8(request.method)}, {"path", to_valid_utf8(request.path())}, {"bytes", request.body.size()}};
    log_ << to_json(line) << std::endl;
  }
  Kept kept{at, request, request.body.size() + request.target.size() + 512};
  for (auto& [name, value] : kept.request.headers)
    if (secret_header(name)) value = "***";
  kept_bytes_ += kept.bytes;
  kept_.push_back(std::move(kept));
  while (kept_.size() > kRequestsMax || (kept_bytes_ > kRequestBytesMax && kept_.size() > 1)) {
    kept_bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
}

Journal::CallCount& Journal::call(const std::string& key) {
  if (key.empty() || (calls_.size() >= kCallsMax && !calls_.contains(key))) return others_;
  return calls_[key];
}

void Journal::begin_answer() { running_max_ = std::max(running_max_, ++running_); }

void Journal::end_answer() { --running_; }

void Journal::fault_of_client(std::string rule, std::string detail) {
  ++failures_;
  if (failure_list_.size() < kFailuresMax) failure_list_.emplace_back(std::move(rule), std::move(detail));
}

json::object Journal::counters() const {
  json::object calls;
  CallCount sum = others_;
  for (const auto& [key, count] : calls_) {
    calls[key] = count_object(count);
    sum.received += count.received;
    sum.completed += count.completed;
    sum.fetched += count.fetched;
    sum.attempts = std::max(sum.attempts, count.attempts);
  }
  json::array failures;
  for (const auto& [rule, detail] : failure_list_) failures.push_back(json::object{{"rule", rule}, {"detail", detail}});
  return {{"requests", total_},
          {"answers", count_object(sum)},
          {"running", running_},
          {"running_max", running_max_},
          {"assertion_failures", failures_},
          {"assertions", std::move(failures)},
          {"calls", std::move(calls)}};
}

json::object Journal::requests() const {
  json::array list;
  for (const auto& kept : kept_) {
    json::object headers;
    for (const auto& [name, value] : kept.request.headers) headers[to_valid_utf8(name)] = to_valid_utf8(value);
    list.push_back(json::object{{"at", format_iso(kept.at)},
                                {"method", to_valid_utf8(kept.request.method)},
                                {"target", to_valid_utf8(kept.request.target)},
                                {"headers", std::move(headers)},
                                {"body", to_valid_utf8(kept.request.body)}});
  }
  return {{"object", "list"}, {"total", total_}, {"data", std::move(list)}};
}

void Journal::clear() {
  const int running = running_;
  auto log = std::move(log_);
  *this = Journal();
  log_ = std::move(log);
  running_ = running_max_ = running;
}

}  // namespace planexe::rehearsal
