#include <cstdint>
#include <string_view>

#include "base/zip.hpp"

/// Whatever the bytes are, the limits hold and every name stays inside the folder.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const planexe::ZipLimits limits{.entries_max = 20, .entry_bytes_max = 100'000, .total_bytes_max = 200'000};
  const auto entries = planexe::read_zip_bytes({reinterpret_cast<const char*>(data), size}, limits);
  if (!entries) return 0;
  PLANEXE_ASSERT(entries->size() <= limits.entries_max);
  std::size_t total = 0;
  for (const planexe::ZipEntry& entry : *entries) {
    PLANEXE_ASSERT(planexe::safe_entry_name(entry.name));
    total += entry.bytes.size();
  }
  PLANEXE_ASSERT(total <= limits.total_bytes_max);
  return 0;
}
