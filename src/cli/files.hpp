#pragma once

#include <filesystem>

#include "store/store.hpp"

namespace planexe::cli {

/// Writes all current files of a plan into a folder (made if absent); `raw` false leaves out *_raw.json.
Result<void> copy_plan_files(store::Store& store, const std::string& plan_id, const std::filesystem::path& folder, bool raw = true);

/// Starts the desktop's browser if there is one; never fails loudly.
void open_in_browser(const std::filesystem::path& file);

/// A whole text file, or standard input for "-"; at most `limit_bytes`.
Result<std::string> read_text(const std::string& path, std::uint64_t limit_bytes);

}  // namespace planexe::cli
