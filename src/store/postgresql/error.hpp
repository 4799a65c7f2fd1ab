#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "store/postgresql/address.hpp"

namespace planexe::store::postgresql {

/// What an SQLSTATE (https://www.postgresql.org/docs/15/errcodes-appendix.html) means for a user. "" = the connection
/// broke without an answer. `detail` is the server's own text. Codes: DATABASE_UNAVAILABLE, DATABASE_ERROR, IO_ERROR,
/// INVALID_CONFIG, LIMIT_EXCEEDED.
Error make_error(std::string_view sqlstate, std::string_view detail, const Address& address);

/// The SQLSTATE in a message of libpq with verbose errors ("FATAL:  28P01: password …"); "" when it has none.
std::string sqlstate_in(std::string_view message);

/// The connection is of no use any more: broken, or the server ends it.
bool ends_connection(std::string_view sqlstate);

/// Another transaction was in the way: the same work may succeed a moment later.
bool is_conflict(std::string_view sqlstate);

}  // namespace planexe::store::postgresql
