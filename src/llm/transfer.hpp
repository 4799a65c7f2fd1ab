#pragma once

#include <cstdint>
#include <string>

#include "llm/delay.hpp"

namespace planexe::llm {

/// Status line and headers of an answer.
struct ResponseHead {
  int status = 0;
  HeaderMap headers;
};

/// How a transfer ended.
struct TransferEnd {
  enum class Kind {
    clean,    ///< the whole answer came
    resolve,  ///< the name was not found
    connect,  ///< no connection: refused, unreachable, too late
    tls,      ///< no trusted connection
    broken,   ///< the connection ended or failed on the way
  };
  Kind kind = Kind::clean;
  bool reused_connection = false;
  std::string message;  ///< of the library, for people
};

}  // namespace planexe::llm
