#include "server/state_tag.hpp"

#include "base/version.hpp"

namespace planexe::server {
namespace {

constexpr std::size_t kTagChars = 32;

std::string number(auto value) { return std::to_string(value); }
std::string time(TimePoint at) { return number(at.time_since_epoch().count()); }

}  // namespace

StateTag::StateTag(std::string_view answer) { add(answer).add(kVersion); }

StateTag& StateTag::add(std::string_view text) {
  // With its length, so that two texts never look like one.
  hash_.update(number(text.size())).update(":").update(text);
  return *this;
}

StateTag& StateTag::add(const store::PlanRow& plan) {
  return add(plan.plan_id).add(plan.title).add(plan.recipe_hash).add(plan.status).add(time(plan.updated_at));
}

StateTag& StateTag::add(const std::vector<store::TaskRow>& tasks) {
  add(number(tasks.size()));
  for (const auto& task : tasks)
    add(task.task_key)
        .add(task.state)
        .add(task.state_reason)
        .add(task.error_message)
        .add(number(task.units_total))
        .add(number(task.units_done))
        .add(task.degraded ? "degraded" : "whole");
  return *this;
}

StateTag& StateTag::add(const std::vector<store::ContentRow>& files) {
  add(number(files.size()));
  for (const auto& file : files)
    add(file.filename)
        .add(number(file.version))
        .add(file.sha256)
        .add(number(file.size_bytes))
        .add(time(file.created_at))
        .add(file.stale ? "stale" : "current");
  return *this;
}

std::string StateTag::text() { return '"' + hash_.hex().substr(0, kTagChars) + '"'; }

std::optional<Response> unchanged(const Request& request, const std::string& tag) {
  if (request.header("if-none-match").find(tag) == std::string_view::npos) return std::nullopt;
  auto response = empty_response(304);
  response.with("ETag", tag);
  response.tagged = true;
  return response;
}

}  // namespace planexe::server
