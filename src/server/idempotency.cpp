#include "server/idempotency.hpp"

#include "base/hash.hpp"
#include "server/limits.hpp"

namespace planexe::server {
namespace {

constexpr std::size_t kKeyCharsMax = 255;

bool printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7E; });
}

}  // namespace

Result<IdempotentRequest> read_idempotency(const Request& request) {
  if (!request.headers.contains("idempotency-key")) return IdempotentRequest{};
  const auto key = request.header("idempotency-key");
  if (key.empty() || key.size() > kKeyCharsMax || !printable_ascii(key))
    return fail(ErrorCode::ValidationFailed, "Idempotency-Key must have 1 to 255 printable ASCII characters.");
  const auto& identity = request.identity.empty() ? std::string("anonymous") : request.identity;
  return IdempotentRequest{identity, std::string(key), sha256_hex(canonical_json(request.json))};
}

Result<std::optional<store::IdempotencyRow>> find_reply(store::Store& store, const IdempotentRequest& request, TimePoint now) {
  if (request.key.empty()) return std::optional<store::IdempotencyRow>();
  PLANEXE_TRY_ASSIGN(auto row, store.idempotency_key(request.identity, request.key));
  if (!row || row->expires_at <= now) return std::optional<store::IdempotencyRow>();
  if (row->body_hash != request.body_hash)
    return fail(ErrorCode::IdempotencyKeyReused, "This Idempotency-Key was used with another body.");
  return row;
}

std::optional<store::IdempotencyRow> idempotency_row(const IdempotentRequest& request, const std::string& plan_id,
                                                     const std::string& reply, TimePoint now) {
  if (request.key.empty()) return std::nullopt;
  return store::IdempotencyRow{request.identity, request.key, request.body_hash, plan_id, reply, now + limits::kIdempotencyLife};
}

}  // namespace planexe::server
