#include "store/postgresql/values.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "base/text.hpp"

namespace planexe::store::postgresql {
namespace {

/// Types by their fixed numbers,
/// https://github.com/postgres/postgres/blob/REL_15_STABLE/src/include/catalog/pg_type.dat
enum Type : Oid {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kOid = 26,
  kFloat4 = 700,
  kFloat8 = 701,
  kTimestamp = 1114,
  kTimestampTz = 1184,
  kNumeric = 1700,
};

enum Format : int { kText = 0, kBinary = 1 };

/// Big-endian, as many bytes as the field has.
std::uint64_t unsigned_of(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8U | static_cast<unsigned char>(byte);
  return number;
}

std::int64_t signed_of(std::string_view bytes) {
  switch (bytes.size()) {
    case 2: return static_cast<std::int16_t>(unsigned_of(bytes));
    case 4: return static_cast<std::int32_t>(unsigned_of(bytes));
    case 8: return static_cast<std::int64_t>(unsigned_of(bytes));
    default: return static_cast<std::int64_t>(unsigned_of(bytes.substr(0, 8)));
  }
}

/// A number of base 10000: count of digits, weight of the first, sign, digits behind the point, then the digits
/// (numeric_send in src/backend/utils/adt/numeric.c). Sums of integers come so.
double numeric_of(std::string_view bytes) {
  constexpr std::size_t kHeader = 8;
  constexpr std::uint64_t kNegative = 0x4000;
  constexpr std::uint64_t kSpecial = 0xC000;
  constexpr double kBase = 10'000.0;
  if (bytes.size() < kHeader) return 0;
  const auto weight = static_cast<std::int16_t>(unsigned_of(bytes.substr(2, 2)));
  const auto sign = unsigned_of(bytes.substr(4, 2));
  if ((sign & kSpecial) == kSpecial) return std::nan("");
  double value = 0;
  int power = weight;
  for (std::size_t at = kHeader; at + 2 <= bytes.size(); at += 2, --power)
    value += static_cast<double>(unsigned_of(bytes.substr(at, 2))) * std::pow(kBase, power);
  return sign == kNegative ? -value : value;
}

std::string_view field(const PGresult* result, int row, int column) {
  return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
}

}  // namespace

struct Bound::Add {
  Bound& bound;

  void operator()(std::monostate) const {
    bound.values_.push_back(nullptr);
    bound.lengths_.push_back(0);
    bound.formats_.push_back(kText);
  }
  void operator()(bool flag) const { bound.add_words(flag ? "t" : "f"); }
  void operator()(std::int64_t number) const { bound.add_words(std::to_string(number)); }
  void operator()(double number) const { bound.add_words(fmt::format("{}", number)); }
  void operator()(TimePoint time) const { bound.add_words(format_iso(time)); }
  void operator()(sql::Blob blob) const { bound.add_bytes(blob.bytes); }
  void operator()(const std::string& text) const { (*this)(std::string_view(text)); }
  /// Valid UTF-8 without NUL. Nearly always the text itself.
  void operator()(std::string_view text) const {
    if (text.find('\0') == std::string_view::npos && valid_utf8(text)) return bound.add_bytes(text);
    bound.add_bytes(bound.storage_.emplace_back(to_valid_utf8(text)));
  }
};

Bound::Bound(sql::Params params) {
  values_.reserve(params.size());
  lengths_.reserve(params.size());
  formats_.reserve(params.size());
  for (const auto& param : params) std::visit(Add{*this}, param.value());
}

void Bound::add_bytes(std::string_view bytes) {
  values_.push_back(bytes.data() == nullptr ? "" : bytes.data());
  lengths_.push_back(static_cast<int>(bytes.size()));
  formats_.push_back(kBinary);
}

void Bound::add_words(std::string words) {
  values_.push_back(storage_.emplace_back(std::move(words)).c_str());
  lengths_.push_back(0);
  formats_.push_back(kText);
}

std::int64_t read_integer(const PGresult* result, int row, int column) {
  const auto bytes = field(result, row, column);
  switch (PQftype(result, column)) {
    case kBool:
    case kInt2:
    case kInt4:
    case kInt8: return signed_of(bytes);
    case kOid: return static_cast<std::int64_t>(unsigned_of(bytes));
    case kFloat4:
    case kFloat8:
    case kNumeric: return std::llround(read_real(result, row, column));
    default: return 0;
  }
}

double read_real(const PGresult* result, int row, int column) {
  const auto bytes = field(result, row, column);
  switch (PQftype(result, column)) {
    case kFloat8: return bytes.size() == 8 ? std::bit_cast<double>(unsigned_of(bytes)) : 0;
    case kFloat4: return bytes.size() == 4 ? std::bit_cast<float>(static_cast<std::uint32_t>(unsigned_of(bytes))) : 0;
    case kNumeric: return numeric_of(bytes);
    default: return static_cast<double>(read_integer(result, row, column));
  }
}

bool read_boolean(const PGresult* result, int row, int column) { return read_integer(result, row, column) != 0; }

std::optional<TimePoint> read_time(const PGresult* result, int row, int column) {
  using std::chrono::microseconds;
  constexpr auto kEpoch = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
  const auto type = PQftype(result, column);
  const auto bytes = field(result, row, column);
  if ((type != kTimestampTz && type != kTimestamp) || bytes.size() != 8) return std::nullopt;
  const auto count = signed_of(bytes);
  // The ends of the range mean "infinity"; the rest of the range lies far inside of ours.
  if (count == std::numeric_limits<std::int64_t>::max() || count == std::numeric_limits<std::int64_t>::min())
    return std::nullopt;
  return std::chrono::floor<std::chrono::milliseconds>(kEpoch + microseconds(count));
}

std::string_view read_text(const PGresult* result, int row, int column, std::deque<std::string>& storage) {
  if (PQgetisnull(result, row, column) != 0) return {};
  switch (PQftype(result, column)) {
    case kBool:
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid: return storage.emplace_back(std::to_string(read_integer(result, row, column)));
    case kFloat4:
    case kFloat8:
    case kNumeric: return storage.emplace_back(fmt::format("{}", read_real(result, row, column)));
    case kTimestamp:
    case kTimestampTz: {
      const auto time = read_time(result, row, column);
      return storage.emplace_back(time ? format_iso(*time) : std::string());
    }
    default: return field(result, row, column);
  }
}

}  // namespace planexe::store::postgresql
