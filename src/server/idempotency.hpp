#pragma once

#include <set>
#include <string>

#include "server/message.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// What makes two requests the same one; without a key every request is another.
struct IdempotentRequest {
  std::string identity, key, body_hash;
};

/// Reads the header Idempotency-Key. VALIDATION_FAILED for a key that is none.
Result<IdempotentRequest> read_idempotency(const Request& request);

/// The stored reply of the first such request. IDEMPOTENCY_KEY_REUSED when that had another body. Any thread.
Result<std::optional<store::IdempotencyRow>> find_reply(store::Store& store, const IdempotentRequest& request, TimePoint now);

/// What is stored beside the plan; nothing without a key.
std::optional<store::IdempotencyRow> idempotency_row(const IdempotentRequest& request, const std::string& plan_id,
                                                     const std::string& reply, TimePoint now);

/// Keys whose first request is in work. On the loop's thread.
class IdempotencyGate {
 public:
  class Pass {
   public:
    Pass(IdempotencyGate& gate, const IdempotentRequest& request)
        : gate_(gate), name_(request.key.empty() ? "" : request.identity + "\n" + request.key) {
      granted_ = name_.empty() || gate_.busy_.insert(name_).second;
    }
    ~Pass() {
      if (granted_ && !name_.empty()) gate_.busy_.erase(name_);
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    [[nodiscard]] bool granted() const { return granted_; }

   private:
    IdempotencyGate& gate_;
    std::string name_;
    bool granted_ = false;
  };

 private:
  std::set<std::string> busy_;
};

}  // namespace planexe::server
