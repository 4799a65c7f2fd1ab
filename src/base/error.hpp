#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>

namespace planexe {

// clang-format off
/// Every stable code: enumerator and the text that clients and the database see. A code is never renamed or reused.
#define PLANEXE_ERROR_CODES(X)                                 \
  /* answers of the HTTP interface */                          \
  X(InvalidJson, "INVALID_JSON")                               \
  X(InvalidRequest, "INVALID_REQUEST")                         \
  X(Unauthorized, "UNAUTHORIZED")                              \
  X(HostNotAllowed, "HOST_NOT_ALLOWED")                        \
  X(OriginNotAllowed, "ORIGIN_NOT_ALLOWED")                    \
  X(StreamingDisabled, "STREAMING_DISABLED")                   \
  X(NotFound, "NOT_FOUND")                                     \
  X(PlanNotFound, "PLAN_NOT_FOUND")                            \
  X(TaskNotFound, "TASK_NOT_FOUND")                            \
  X(FileNotFound, "FILE_NOT_FOUND")                            \
  X(ReportNotFound, "REPORT_NOT_FOUND")                        \
  X(ContentNotFound, "CONTENT_NOT_FOUND")                      \
  X(InteractionNotFound, "INTERACTION_NOT_FOUND")              \
  X(ConversationNotFound, "CONVERSATION_NOT_FOUND")            \
  X(SessionNotFound, "SESSION_NOT_FOUND")                      \
  X(SessionMismatch, "SESSION_MISMATCH")                       \
  X(MethodNotAllowed, "METHOD_NOT_ALLOWED")                    \
  X(NotAcceptable, "NOT_ACCEPTABLE")                           \
  X(RequestTimeout, "REQUEST_TIMEOUT")                         \
  X(PlanActive, "PLAN_ACTIVE")                                 \
  X(PlanNotResumable, "PLAN_NOT_RESUMABLE")                    \
  X(PlanNotCancellable, "PLAN_NOT_CANCELLABLE")                \
  X(TaskNotRetryable, "TASK_NOT_RETRYABLE")                    \
  X(ConversationBusy, "CONVERSATION_BUSY")                     \
  X(IdempotencyInProgress, "IDEMPOTENCY_IN_PROGRESS")          \
  X(SessionExpired, "SESSION_EXPIRED")                         \
  X(PayloadTooLarge, "PAYLOAD_TOO_LARGE")                      \
  X(UriTooLong, "URI_TOO_LONG")                                \
  X(UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")            \
  X(RangeNotSatisfiable, "RANGE_NOT_SATISFIABLE")              \
  X(UpgradeRequired, "UPGRADE_REQUIRED")                       \
  X(HeadersTooLarge, "HEADERS_TOO_LARGE")                      \
  X(ValidationFailed, "VALIDATION_FAILED")                     \
  X(CursorInvalid, "CURSOR_INVALID")                           \
  X(ModelUnavailable, "MODEL_UNAVAILABLE")                     \
  X(SchemaModelInvalid, "SCHEMA_MODEL_INVALID")                \
  X(IdempotencyKeyReused, "IDEMPOTENCY_KEY_REUSED")            \
  X(RateLimited, "RATE_LIMITED")                               \
  X(QueueFull, "QUEUE_FULL")                                   \
  X(Internal, "INTERNAL")                                      \
  X(ProviderError, "PROVIDER_ERROR")                           \
  X(ProviderTimeout, "PROVIDER_TIMEOUT")                       \
  X(DatabaseUnavailable, "DATABASE_UNAVAILABLE")               \
  X(ProviderNotConfigured, "PROVIDER_NOT_CONFIGURED")          \
  X(ShuttingDown, "SHUTTING_DOWN")                             \
  /* stored on plans and tasks */                              \
  X(PromptRefused, "PROMPT_REFUSED")                           \
  X(TaskFailed, "TASK_FAILED")                                 \
  X(UpstreamFailed, "UPSTREAM_FAILED")                         \
  X(ModelRefused, "MODEL_REFUSED")                             \
  X(ContentFiltered, "CONTENT_FILTERED")                       \
  X(OutputTruncated, "OUTPUT_TRUNCATED")                       \
  X(SchemaRepairExhausted, "SCHEMA_REPAIR_EXHAUSTED")          \
  X(ContextTooLong, "CONTEXT_TOO_LONG")                        \
  X(ProviderAuth, "PROVIDER_AUTH")                             \
  X(ProviderQuota, "PROVIDER_QUOTA")                           \
  X(ProviderUnavailable, "PROVIDER_UNAVAILABLE")               \
  X(BudgetExceeded, "BUDGET_EXCEEDED")                         \
  X(RunTimeout, "RUN_TIMEOUT")                                 \
  X(RunAbandoned, "RUN_ABANDONED")                             \
  X(Cancelled, "CANCELLED")                                    \
  /* inside the program and at its command line */             \
  X(InvalidConfig, "INVALID_CONFIG")                           \
  X(InvalidArgument, "INVALID_ARGUMENT")                       \
  X(IoError, "IO_ERROR")                                       \
  X(LimitExceeded, "LIMIT_EXCEEDED")                           \
  X(Locked, "LOCKED")                                          \
  X(Timeout, "TIMEOUT")                                        \
  X(RecipeInvalid, "RECIPE_INVALID")                           \
  X(DatabaseError, "DATABASE_ERROR")                           \
  X(DatabaseTooNew, "DATABASE_TOO_NEW")                        \
  X(Conflict, "CONFLICT")                                      \
  X(Fenced, "FENCED")
// clang-format on

/// What went wrong, for programs. The HTTP codes are those of the HTTP contract; InvalidConfig and below never
/// cross the wire. Fenced: the caller's lease was lost. Conflict: a conditional statement changed no row.
/// Locked: another process holds the lock. LimitExceeded: an own limit of base/limits.hpp.
enum class ErrorCode : std::uint8_t {
#define PLANEXE_ERROR_ENUMERATOR(name, text) name,
  PLANEXE_ERROR_CODES(PLANEXE_ERROR_ENUMERATOR)
#undef PLANEXE_ERROR_ENUMERATOR
};

/// The stable text of a code, such as "PLAN_NOT_FOUND".
std::string_view to_string(ErrorCode code);

/// The code of a stable text, or nothing for a text that is none.
std::optional<ErrorCode> error_code_from(std::string_view text);

/// A failure as a value. `message` is one line fit to be shown to a user: what, where, what to do. `detail` may be
/// longer. Neither contains secrets. `where` is the place that made the error, for logs only.
struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;
  std::string detail;
  std::source_location where;

  Error(ErrorCode error_code, std::string error_message, std::string error_detail = {},
        std::source_location location = std::source_location::current());
};

/// "CODE: message (detail)" in one line, for logs and the command line.
std::string to_string(const Error& error);

/// A value or an error.
template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(code, "message");` from a function that gives a Result.
std::unexpected<Error> fail(ErrorCode code, std::string message, std::string detail = {},
                            std::source_location where = std::source_location::current());

/// Logs the failed condition with its place and aborts. Called by PLANEXE_ASSERT only.
[[noreturn]] void assertion_failed(const char* condition, std::source_location where) noexcept;

}  // namespace planexe

#define PLANEXE_CONCAT_INNER(a, b) a##b
#define PLANEXE_CONCAT(a, b) PLANEXE_CONCAT_INNER(a, b)

/// Statement: evaluates a Result and returns its error, if any, from the enclosing function.
#define PLANEXE_TRY(...)                                             \
  do {                                                               \
    if (auto planexe_try = (__VA_ARGS__); !planexe_try) [[unlikely]] \
      return std::unexpected(std::move(planexe_try).error());        \
  } while (false)

/// PLANEXE_TRY_ASSIGN(auto x, f()); returns the error of f() or declares x with its value.
#define PLANEXE_TRY_ASSIGN(decl, ...) \
  PLANEXE_TRY_ASSIGN_IMPL(PLANEXE_CONCAT(planexe_result_, __COUNTER__), return, decl, __VA_ARGS__)

/// The same two for coroutines.
#define PLANEXE_CO_TRY(...)                                          \
  do {                                                               \
    if (auto planexe_try = (__VA_ARGS__); !planexe_try) [[unlikely]] \
      co_return std::unexpected(std::move(planexe_try).error());     \
  } while (false)
#define PLANEXE_CO_TRY_ASSIGN(decl, ...) \
  PLANEXE_TRY_ASSIGN_IMPL(PLANEXE_CONCAT(planexe_result_, __COUNTER__), co_return, decl, __VA_ARGS__)

#define PLANEXE_TRY_ASSIGN_IMPL(name, give_back, decl, ...) \
  auto name = (__VA_ARGS__);                                \
  if (!name) [[unlikely]]                                   \
    give_back std::unexpected(std::move(name).error());     \
  decl = *std::move(name)

/// Stays on in release. For what is a bug of this program; input, database and model can never trigger one.
#define PLANEXE_ASSERT(cond)                                               \
  do {                                                                     \
    if (!(cond)) [[unlikely]]                                              \
      ::planexe::assertion_failed(#cond, std::source_location::current()); \
  } while (false)
