#include "base/ids.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/limits.hpp"

namespace planexe {

namespace {

using Uuid = std::array<unsigned char, 16>;

bool is_dash_position(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid bytes{};
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash_position(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const auto digit = hex_digit(text[i]);
    if (!digit) return std::nullopt;
    bytes[nibble / 2] = static_cast<unsigned char>(bytes[nibble / 2] << 4 | *digit);
    ++nibble;
  }
  return bytes;
}

std::string format_uuid(Uuid bytes, unsigned version) {
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | version << 4);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return hex.substr(0, 8) + '-' + hex.substr(8, 4) + '-' + hex.substr(12, 4) + '-' + hex.substr(16, 4) + '-' +
         hex.substr(20);
}

}  // namespace

std::string uuid4(Random& random) {
  Uuid bytes{};
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t bits = random.next();
    for (std::size_t i = 0; i < 8; ++i, bits >>= 8) bytes[half * 8 + i] = static_cast<unsigned char>(bits & 0xff);
  }
  return format_uuid(bytes, 4);
}

std::string uuid5(std::string_view namespace_uuid, std::string_view name) {
  const auto space = parse_uuid(namespace_uuid);
  PLANEXE_ASSERT(space.has_value());
  std::string input(reinterpret_cast<const char*>(space->data()), space->size());
  input += name;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  PLANEXE_ASSERT(EVP_Digest(input.data(), input.size(), digest.data(), nullptr, EVP_sha1(), nullptr) == 1);
  Uuid bytes{};
  std::copy_n(digest.begin(), bytes.size(), bytes.begin());
  return format_uuid(bytes, 5);
}

std::string new_plan_id(Random& random) { return "PlanExe_" + uuid4(random); }

bool valid_id(std::string_view id) {
  if (id.empty() || id.size() > limits::kIdCharsMax) return false;
  for (const char c : id) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!alphanumeric && c != '_' && c != '-') return false;
  }
  return true;
}

bool valid_uuid(std::string_view text) { return parse_uuid(text).has_value(); }

}  // namespace planexe
