#pragma once

#include <memory>
#include <string>

#include "base/zip.hpp"
#include "plan/export.hpp"
#include "server/message.hpp"

namespace planexe::server {

/// The archive of a plan as a body that is made while it is sent. In memory are one file and what of the archive was not
/// taken yet, about a piece.
class BundleBody final : public BodySource {
 public:
  /// A piece is sent when it has grown to this size.
  static constexpr std::size_t kPieceBytes = 256 * limits::kKiB;

  static Result<std::shared_ptr<BundleBody>> open(plan::Bundle bundle);
  Result<std::string> next() override;

 private:
  explicit BundleBody(plan::Bundle bundle) : bundle_(std::move(bundle)) {}

  plan::Bundle bundle_;
  std::string piece_;
  std::optional<ZipWriter> writer_;
  bool ended_ = false;
};

}  // namespace planexe::server
