#include "base/error.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace planexe {

namespace {

constexpr std::array kTexts{
#define PLANEXE_ERROR_TEXT(name, text) std::string_view{text},
    PLANEXE_ERROR_CODES(PLANEXE_ERROR_TEXT)
#undef PLANEXE_ERROR_TEXT
};

}  // namespace

std::string_view to_string(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  PLANEXE_ASSERT(index < kTexts.size());
  return kTexts[index];
}

std::optional<ErrorCode> error_code_from(std::string_view text) {
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    if (kTexts[i] == text) return static_cast<ErrorCode>(i);
  }
  return std::nullopt;
}

Error::Error(ErrorCode error_code, std::string error_message, std::string error_detail, std::source_location location)
    : code(error_code), message(std::move(error_message)), detail(std::move(error_detail)), where(location) {}

std::string to_string(const Error& error) {
  std::string text{to_string(error.code)};
  text += ": ";
  text += error.message;
  if (!error.detail.empty()) text += " (" + error.detail + ")";
  return text;
}

std::unexpected<Error> fail(ErrorCode code, std::string message, std::string detail, std::source_location where) {
  return std::unexpected<Error>(std::in_place, code, std::move(message), std::move(detail), where);
}

void assertion_failed(const char* condition, std::source_location where) noexcept {
  std::fprintf(stderr, "planexe: assertion failed: %s at %s:%u in %s\n", condition, where.file_name(), where.line(),
               where.function_name());
  std::fflush(stderr);
  std::abort();
}

}  // namespace planexe
