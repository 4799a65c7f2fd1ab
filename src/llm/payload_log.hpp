#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"

namespace planexe::llm {

/// Requests and answers as lines of JSON in a file that only the owner may read, for people who debug prompts. Ends
/// itself at a size limit. One thread.
class PayloadLog {
 public:
  /// Appends to `path`. Error: IO_ERROR.
  static Result<PayloadLog> open(const std::string& path);

  void write(const json::object& line);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit PayloadLog(std::FILE* file) : file_(file) {}

  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t written_ = 0;
};

}  // namespace planexe::llm
