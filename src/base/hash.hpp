#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace planexe {

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

/// SHA-256 of bytes that come in pieces. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::string_view bytes);

  /// The digest in hexadecimal. Ends the computation: a further update or hex aborts.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Compares without a time that depends on where the texts differ. The lengths are not kept secret.
bool constant_time_equal(std::string_view a, std::string_view b);

/// Lower-case hexadecimal digits of the bytes.
std::string to_hex(std::string_view bytes);

}  // namespace planexe
