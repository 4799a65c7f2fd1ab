#pragma once

#include <memory>
#include <string>

#include "store/store.hpp"

namespace planexe::store::postgresql {

/// Opens the database of a URL for open_store(): migrates it as the options say.
Result<std::unique_ptr<Store>> open(const std::string& url, const OpenOptions& options);

/// For schema_status().
Result<SchemaStatus> status(const std::string& url);

}  // namespace planexe::store::postgresql
