#include "server/bundle.hpp"

#include <utility>

namespace planexe::server {

Result<std::shared_ptr<BundleBody>> BundleBody::open(plan::Bundle bundle) {
  std::shared_ptr<BundleBody> body(new BundleBody(std::move(bundle)));
  PLANEXE_TRY_ASSIGN(body->writer_, ZipWriter::to_sink([piece = &body->piece_](std::string_view bytes) -> Result<void> {
                       *piece += bytes;
                       return {};
                     }));
  return body;
}

Result<std::string> BundleBody::next() {
  while (!ended_ && piece_.size() < kPieceBytes) {
    PLANEXE_TRY_ASSIGN(const bool more, bundle_.write_next(*writer_));
    ended_ = !more;
  }
  return std::exchange(piece_, {});
}

}  // namespace planexe::server
