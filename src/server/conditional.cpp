#include "server/conditional.hpp"

#include <charconv>

#include "base/hash.hpp"

namespace planexe::server {
namespace {

std::string* find_header(Response& response, std::string_view name) {
  for (auto& [key, value] : response.headers)
    if (key == name) return &value;
  return nullptr;
}

/// The weak comparison of RFC 9110, 8.8.3.2, over a list of tags.
bool list_has(std::string_view list, std::string_view tag) {
  if (list == "*") return true;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    auto one = list.substr(0, comma);
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

struct ByteRange {
  std::size_t first = 0, last = 0;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  if (status == std::errc::result_out_of_range) return UINT64_MAX;  // beyond any file
  if (status != std::errc{}) return std::nullopt;
  return value;
}

enum class RangeKind { none, satisfiable, outside };

RangeKind read_range(std::string_view header, std::size_t size, ByteRange& range) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit) || header.find(',') != std::string_view::npos) return RangeKind::none;
  header.remove_prefix(kUnit.size());
  const auto dash = header.find('-');
  if (dash == std::string_view::npos) return RangeKind::none;
  const auto from = header.substr(0, dash);
  const auto to = header.substr(dash + 1);
  if (from.empty()) {
    const auto count = number_of(to);
    if (!count) return RangeKind::none;
    if (*count == 0 || size == 0) return RangeKind::outside;
    range = {size - static_cast<std::size_t>(std::min<std::uint64_t>(*count, size)), size - 1};
    return RangeKind::satisfiable;
  }
  const auto first = number_of(from);
  const auto last = to.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : number_of(to);
  if (!first || !last || *last < *first) return RangeKind::none;
  if (*first >= size) return RangeKind::outside;
  range = {static_cast<std::size_t>(*first), static_cast<std::size_t>(std::min<std::uint64_t>(*last, size - 1))};
  return RangeKind::satisfiable;
}

}  // namespace

void apply_condition(const Request& request, Response& response) {
  if (response.status != 200) return;
  std::string tag;
  if (const auto* given = find_header(response, "ETag")) {
    tag = *given;
  } else {
    tag = '"' + sha256_hex(response.body).substr(0, 32) + '"';
    response.with("ETag", tag);
  }
  const auto wanted = request.header("if-none-match");
  if (wanted.empty() || !list_has(wanted, tag)) return;
  response.status = 304;
  response.body.clear();
  response.content_type.clear();
  response.ranges = false;
}

void apply_range(const Request& request, Response& response) {
  if (response.status != 200) return;
  response.with("Accept-Ranges", "bytes");
  const auto header = request.header("range");
  if (header.empty() || request.method != "GET") return;
  if (const auto condition = request.header("if-range"); !condition.empty()) {
    const auto* tag = find_header(response, "ETag");
    if (tag == nullptr || condition != *tag) return;
  }
  ByteRange range;
  const auto kind = read_range(header, response.body.size(), range);
  if (kind == RangeKind::none) return;
  if (kind == RangeKind::outside) {
    const auto size = response.body.size();
    auto refusal = error_response(Error(ErrorCode::RangeNotSatisfiable, "The file is not that long."), request.id);
    refusal.with("Content-Range", fmt::format("bytes */{}", size)).with("Accept-Ranges", "bytes");
    response = std::move(refusal);
    return;
  }
  response.with("Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.last, response.body.size()));
  response.body = response.body.substr(range.first, range.last - range.first + 1);
  response.status = 206;
}

void set_retry_after(Response& response, std::chrono::seconds after) {
  const auto seconds = std::max<std::int64_t>(1, after.count());
  if (auto* header = find_header(response, "Retry-After")) *header = std::to_string(seconds);
  auto body = parse_json(response.body);
  if (!body || !body->is_object()) return;
  body->get_object()["retry_after_seconds"] = seconds;
  response.body = to_json(*body);
}

}  // namespace planexe::server
