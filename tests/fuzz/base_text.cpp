#include <cstdint>
#include <string_view>

#include "base/log.hpp"
#include "base/settings.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

/// The functions that clean what users and models wrote take any bytes and give what they promise.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string stripped = planexe::strip_control(text);
  PLANEXE_ASSERT(planexe::valid_utf8(stripped));
  PLANEXE_ASSERT(planexe::strip_control(stripped) == stripped);
  PLANEXE_ASSERT(planexe::valid_utf8(planexe::to_valid_utf8(text)));
  PLANEXE_ASSERT(planexe::code_points(planexe::cut_code_points(text, 10)) <= 10);
  const std::string name = planexe::normalize_name(text);
  PLANEXE_ASSERT(planexe::normalize_name(name) == name);
  static_cast<void>(planexe::cut_at_paragraph(text, size / 2));
  static_cast<void>(planexe::trim(text));
  static_cast<void>(planexe::redact(text));
  static_cast<void>(planexe::parse_env_file(text, ".env"));
  if (const auto time = planexe::parse_iso(text)) {
    PLANEXE_ASSERT(planexe::parse_iso(planexe::format_iso(*time)).has_value());
  }
  return 0;
}
