#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>

#include "base/json.hpp"
#include "base/limits.hpp"

namespace planexe {

namespace {

/// Builds the value like Boost's own handler, and refuses what that one lets pass: repeated keys, NUL, infinite
/// numbers. It also reads doubles exactly, which the parser of Boost 1.81 does not.
class StrictHandler {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = limits::kJsonKeyBytesMax;
  static constexpr std::size_t max_string_size = limits::kJsonBytesMax;
  using Ec = json::error_code;

  bool on_document_begin(Ec&) { return true; }
  bool on_document_end(Ec&) { return true; }

  bool on_object_begin(Ec&) {
    object_starts_.push_back(keys_.size());
    return true;
  }

  bool on_object_end(std::size_t n, Ec& ec) {
    const auto start = keys_.begin() + static_cast<std::ptrdiff_t>(object_starts_.back());
    std::sort(start, keys_.end());
    if (const auto twin = std::adjacent_find(start, keys_.end()); twin != keys_.end()) {
      return refuse("the key \"" + *twin + "\" stands twice in one object", ec);
    }
    keys_.erase(start, keys_.end());
    object_starts_.pop_back();
    stack_.push_object(n);
    return true;
  }

  bool on_array_begin(Ec&) { return true; }
  bool on_array_end(std::size_t n, Ec&) {
    stack_.push_array(n);
    return true;
  }

  bool on_key_part(json::string_view part, std::size_t, Ec& ec) {
    key_ += std::string_view(part.data(), part.size());
    stack_.push_chars(part);
    return check_nul(part, ec);
  }
  bool on_key(json::string_view part, std::size_t, Ec& ec) {
    key_ += std::string_view(part.data(), part.size());
    keys_.push_back(std::move(key_));
    key_.clear();
    stack_.push_key(part);
    return check_nul(part, ec);
  }
  bool on_string_part(json::string_view part, std::size_t, Ec& ec) {
    stack_.push_chars(part);
    return check_nul(part, ec);
  }
  bool on_string(json::string_view part, std::size_t, Ec& ec) {
    stack_.push_string(part);
    return check_nul(part, ec);
  }

  bool on_number_part(json::string_view part, Ec&) {
    number_ += std::string_view(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, json::string_view, Ec&) {
    number_.clear();
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, Ec&) {
    number_.clear();
    stack_.push_uint64(value);
    return true;
  }
  bool on_double(double value, json::string_view part, Ec& ec) {
    number_ += std::string_view(part.data(), part.size());
    double exact = 0;
    const auto [end, status] = std::from_chars(number_.data(), number_.data() + number_.size(), exact);
    if (status == std::errc{} && end == number_.data() + number_.size()) value = exact;
    number_.clear();
    if (!std::isfinite(value)) return refuse("the number is too large", ec);
    stack_.push_double(value);
    return true;
  }

  bool on_bool(bool value, Ec&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(Ec&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, Ec&) { return true; }
  bool on_comment(json::string_view, Ec&) { return true; }

  void start() { stack_.reset(); }
  json::value release() { return stack_.release(); }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  bool check_nul(json::string_view part, Ec& ec) {
    if (part.find('\0') == json::string_view::npos) return true;
    return refuse("a text contains a NUL character", ec);
  }

  bool refuse(std::string reason, Ec& ec) {
    reason_ = std::move(reason);
    ec = json::error::syntax;
    return false;
  }

  json::value_stack stack_;
  std::vector<std::string> keys_;
  std::vector<std::size_t> object_starts_;
  std::string key_;
  std::string number_;
  std::string reason_;
};

std::string position(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(offset - line_start + 1);
}

std::string describe(const json::error_code& ec, const std::string& reason) {
  if (!reason.empty()) return reason;
  if (ec == json::error::too_deep) {
    return "nested deeper than " + std::to_string(limits::kJsonDepthMax) + " levels";
  }
  if (ec == json::error::incomplete) return "the text ends too early";
  if (ec == json::error::extra_data) return "there is more text behind the value";
  return ec.message();
}

std::unexpected<Error> refused(std::string_view text, std::size_t offset, const std::string& why) {
  return fail(ErrorCode::InvalidJson, "The text is not valid JSON: " + why + " (" + position(text, offset) + ").");
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  if (text.size() > limits::kJsonBytesMax) {
    return fail(ErrorCode::InvalidJson,
                "The JSON text is longer than " + std::to_string(limits::kJsonBytesMax / limits::kMiB) + " MiB.");
  }
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  json::basic_parser<StrictHandler> parser(options);
  parser.handler().start();
  json::error_code ec;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size()) ec = json::error::extra_data;
  if (ec) return refused(text, used, describe(ec, parser.handler().reason()));
  return parser.handler().release();
}

}  // namespace planexe
