#include "cli/exit_code.hpp"

#include <fmt/core.h>

#include "base/log.hpp"
#include "base/text.hpp"

namespace planexe::cli {

Exit exit_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::ValidationFailed:
    case ErrorCode::InvalidRequest:
    case ErrorCode::InvalidArgument:
    case ErrorCode::InvalidJson:
    case ErrorCode::CursorInvalid:
    case ErrorCode::TaskNotFound:
    case ErrorCode::PlanNotFound:
      return Exit::usage;
    case ErrorCode::InvalidConfig:
    case ErrorCode::ModelUnavailable:
    case ErrorCode::RecipeInvalid:
    case ErrorCode::DatabaseTooNew:
    case ErrorCode::DatabaseError:
    case ErrorCode::DatabaseUnavailable:
    case ErrorCode::ProviderAuth:
    case ErrorCode::ProviderQuota:
    case ErrorCode::ProviderNotConfigured:
    case ErrorCode::IoError:
      return Exit::configuration;
    case ErrorCode::Cancelled:
      return Exit::interrupted;
    default:
      return Exit::plan_failed;
  }
}

Exit report(const Error& error) {
  fmt::print(stderr, "planexe: {}\n", strip_control(redact(error.message)));
  if (!error.detail.empty() && error.detail != error.message) {
    const auto detail = strip_control(redact(error.detail));
    for (const auto line : split_lines(detail)) fmt::print(stderr, "  {}\n", line);
  }
  return exit_for(error.code);
}

}  // namespace planexe::cli
