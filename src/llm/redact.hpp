#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace planexe::llm {

/// Masks keys in what providers say: error bodies quote keys, sometimes with their middle starred out.
class Redactor {
 public:
  /// A key of this process. Also masked in the log of the process from now on.
  void add_secret(std::string_view secret);

  /// Without any known key, beginning or end of one, and without what looks like a key or a bearer token.
  [[nodiscard]] std::string operator()(std::string_view text) const;

 private:
  std::vector<std::string> secrets_;
};

}  // namespace planexe::llm
