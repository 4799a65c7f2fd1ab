#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.hpp"
#include "server/message.hpp"
#include "store/rows.hpp"

namespace planexe::server {

/// A strong tag from the state that an answer is made from: clients that ask again and again are told that nothing has
/// changed before anything is read or rendered. It must get everything that the answer depends on.
class StateTag {
 public:
  /// `answer` names the operation and its variant. The version of the program is part of the tag, since it makes the
  /// answers.
  explicit StateTag(std::string_view answer);

  StateTag& add(std::string_view text);
  StateTag& add(const store::PlanRow& plan);
  StateTag& add(const std::vector<store::TaskRow>& tasks);
  StateTag& add(const std::vector<store::ContentRow>& files);

  /// The tag in its quotes. Nothing can be added afterwards.
  [[nodiscard]] std::string text();

 private:
  Sha256 hash_;
};

/// The 304 for a client that has this tag; nothing for all others.
std::optional<Response> unchanged(const Request& request, const std::string& tag);

}  // namespace planexe::server
