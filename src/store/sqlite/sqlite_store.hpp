#pragma once

#include <filesystem>
#include <memory>

#include "store/store.hpp"

namespace planexe::store::sqlite {

/// Opens the file for open_store(): creates and migrates it as the options say.
Result<std::unique_ptr<Store>> open(const std::filesystem::path& file, const OpenOptions& options);

/// For schema_status().
Result<SchemaStatus> status(const std::filesystem::path& file);

}  // namespace planexe::store::sqlite
