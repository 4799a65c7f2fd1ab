#pragma once

#include "store/sql.hpp"

/// Taking over a database of the reference implementation: five tables without keys between them, made by an older
/// program that let several of its faults through. The steps run inside the transaction of the first migration.
namespace planexe::store {

/// True when the tables `plans` and the others look like the reference's.
Result<bool> is_reference_database(sql::Connection& db);

/// Renames the reference's tables so that ours can be made under their names.
Result<void> set_reference_tables_aside(sql::Connection& db);

/// Copies the rows into our tables and drops the old ones:
///  - speed values become those of the contract, progress is kept within its bounds;
///  - plans left pending or running become failed (RUN_ABANDONED);
///  - times without a zone are read as UTC;
///  - of several rows of one file the newest is current, the others stay as earlier versions, with real sizes and
///  hashes;
///  - interactions whose plan id is no plan move to the owner "conversation" or "analysis";
///  - files, contents and metrics of plans that do not exist are dropped;
///  - sums are computed from the ledger.
Result<void> copy_reference_tables(sql::Connection& db);

}  // namespace planexe::store
