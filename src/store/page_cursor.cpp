#include "store/page_cursor.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/hash.hpp"
#include "store/limits.hpp"

namespace planexe::store {
namespace {

constexpr std::size_t kCheckChars = 8;

std::string body_of(std::string_view kind, const std::vector<std::int64_t>& keys) {
  std::string body(kind);
  for (const auto key : keys) fmt::format_to(std::back_inserter(body), ".{}", key);
  return body;
}

std::string check_of(std::string_view body) {
  return sha256_hex(fmt::format("planexe cursor {}", body)).substr(0, kCheckChars);
}

}  // namespace

std::string make_cursor(std::string_view kind, const std::vector<std::int64_t>& keys) {
  const std::string body = body_of(kind, keys);
  return body + "." + check_of(body);
}

Result<std::vector<std::int64_t>> read_cursor(std::string_view kind, std::size_t keys, std::string_view cursor) {
  const auto invalid = [] {
    return fail(ErrorCode::CursorInvalid, "The cursor is not one of this list; ask for the first page again.");
  };
  if (cursor.size() > limits::kCursorBytesMax || !cursor.starts_with(kind)) return invalid();
  std::vector<std::int64_t> values;
  std::string_view rest = cursor.substr(kind.size());
  while (values.size() < keys) {
    if (!rest.starts_with('.')) return invalid();
    rest.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc()) return invalid();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    values.push_back(value);
  }
  if (make_cursor(kind, values) != cursor) return invalid();
  return values;
}

}  // namespace planexe::store
