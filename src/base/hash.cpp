#include "base/hash.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>

#include "base/error.hpp"

namespace planexe {

struct Sha256::Context {
  Context() : md(EVP_MD_CTX_new()) {
    PLANEXE_ASSERT(md != nullptr);
    PLANEXE_ASSERT(EVP_DigestInit_ex(md, EVP_sha256(), nullptr) == 1);
  }
  ~Context() { EVP_MD_CTX_free(md); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_MD_CTX* md;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::string_view bytes) {
  PLANEXE_ASSERT(context_ != nullptr);
  PLANEXE_ASSERT(EVP_DigestUpdate(context_->md, bytes.data(), bytes.size()) == 1);
  return *this;
}

std::string Sha256::hex() {
  PLANEXE_ASSERT(context_ != nullptr);
  std::array<unsigned char, 32> digest{};
  unsigned length = 0;
  PLANEXE_ASSERT(EVP_DigestFinal_ex(context_->md, digest.data(), &length) == 1);
  PLANEXE_ASSERT(length == digest.size());
  context_.reset();
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string sha256_hex(std::string_view bytes) { return Sha256{}.update(bytes).hex(); }

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace planexe
