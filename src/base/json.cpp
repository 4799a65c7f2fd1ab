#include "base/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

namespace planexe {

namespace {

enum class Order { kept, sorted };

class Writer {
 public:
  Writer(Order order, int indent) : order_(order), indent_(indent) {}

  std::string take() && { return std::move(out_); }

  void write(const json::value& value) {
    switch (value.kind()) {
      case json::kind::null: out_ += "null"; return;
      case json::kind::bool_: out_ += value.get_bool() ? "true" : "false"; return;
      case json::kind::int64: write_number(value.get_int64()); return;
      case json::kind::uint64: write_number(value.get_uint64()); return;
      case json::kind::double_: write_double(value.get_double()); return;
      case json::kind::string: write_string(value.get_string()); return;
      case json::kind::array: write_array(value.get_array()); return;
      case json::kind::object: write_object(value.get_object()); return;
    }
  }

 private:
  template <class T>
  void write_number(T number) {
    char buffer[40];
    const auto [end, status] = std::to_chars(std::begin(buffer), std::end(buffer), number);
    PLANEXE_ASSERT(status == std::errc{});
    out_.append(buffer, end);
  }

  void write_double(double number) {
    if (!std::isfinite(number)) {
      out_ += "null";
      return;
    }
    const std::size_t start = out_.size();
    write_number(number);
    // "2" would be read back as an integer.
    if (out_.find_first_of(".e", start) == std::string::npos) out_ += ".0";
  }

  void write_string(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out_ += '"';
    std::size_t plain = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c >= 0x20 && c != '"' && c != '\\') continue;
      out_ += text.substr(plain, i - plain);
      plain = i + 1;
      out_ += '\\';
      switch (c) {
        case '"': out_ += '"'; break;
        case '\\': out_ += '\\'; break;
        case '\n': out_ += 'n'; break;
        case '\r': out_ += 'r'; break;
        case '\t': out_ += 't'; break;
        case '\b': out_ += 'b'; break;
        case '\f': out_ += 'f'; break;
        default:
          out_ += "u00";
          out_ += kHex[c >> 4];
          out_ += kHex[c & 15];
      }
    }
    out_ += text.substr(plain);
    out_ += '"';
  }

  void write_array(const json::array& array) {
    out_ += '[';
    ++depth_;
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (i > 0) out_ += ',';
      new_line();
      write(array[i]);
    }
    --depth_;
    if (!array.empty()) new_line();
    out_ += ']';
  }

  void write_object(const json::object& object) {
    std::vector<const json::key_value_pair*> members;
    members.reserve(object.size());
    for (const auto& member : object) members.push_back(&member);
    if (order_ == Order::sorted) {
      std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return a->key() < b->key(); });
    }
    out_ += '{';
    ++depth_;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out_ += ',';
      new_line();
      write_string(members[i]->key());
      out_ += indent_ > 0 ? ": " : ":";
      write(members[i]->value());
    }
    --depth_;
    if (!members.empty()) new_line();
    out_ += '}';
  }

  void new_line() {
    if (indent_ <= 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * depth_, ' ');
  }

  Order order_;
  int indent_;
  std::size_t depth_ = 0;
  std::string out_;
};

std::string write(const json::value& value, Order order, int indent) {
  Writer writer(order, indent);
  writer.write(value);
  return std::move(writer).take();
}

}  // namespace

std::string to_json(const json::value& value) { return write(value, Order::kept, 0); }

std::string to_json_pretty(const json::value& value, int indent) { return write(value, Order::kept, indent); }

std::string canonical_json(const json::value& value) { return write(value, Order::sorted, 0); }

const json::value* find(Members members, std::string_view key) { return members.find(key); }

std::optional<std::string_view> get_string(Members members, std::string_view key) {
  const json::value* member = members.find(key);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return std::string_view(member->get_string());
}

std::optional<std::int64_t> as_int(const json::value& value) {
  if (const auto* number = value.if_int64()) return *number;
  if (const auto* number = value.if_uint64()) {
    if (*number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return static_cast<std::int64_t>(*number);
  }
  const double* number = value.if_double();
  // 2^63 itself is no int64; every double in the half-open range converts without loss of range.
  constexpr double kLimit = 9223372036854775808.0;
  if (number == nullptr || !(*number >= -kLimit && *number < kLimit) || std::trunc(*number) != *number) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*number);
}

std::optional<std::int64_t> get_int(Members members, std::string_view key) {
  const json::value* member = members.find(key);
  return member == nullptr ? std::nullopt : as_int(*member);
}

std::optional<double> get_double(Members members, std::string_view key) {
  const json::value* member = members.find(key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  return member->to_number<double>();
}

std::optional<bool> get_bool(Members members, std::string_view key) {
  const json::value* member = members.find(key);
  if (member == nullptr || !member->is_bool()) return std::nullopt;
  return member->get_bool();
}

const json::object* get_object(Members members, std::string_view key) {
  const json::value* member = members.find(key);
  return member == nullptr ? nullptr : member->if_object();
}

const json::array* get_array(Members members, std::string_view key) {
  const json::value* member = members.find(key);
  return member == nullptr ? nullptr : member->if_array();
}

}  // namespace planexe
