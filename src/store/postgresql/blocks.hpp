#pragma once

#include <span>

#include "store/job.hpp"
#include "store/postgresql/connection.hpp"

namespace planexe::store::postgresql {

/// Stores the texts that the PutBlocks of these jobs name and holds them against deletion until the transaction ends.
/// Several writers put the same texts at the same time; all of them take them in the order of their hashes, before
/// anything else, so that none waits in a circle. Texts that cannot be stored are left to their job's own failure.
Result<void> store_blocks(Connection& db, std::span<const Job> jobs);

}  // namespace planexe::store::postgresql
