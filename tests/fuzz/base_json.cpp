#include <cstdint>
#include <string_view>

#include "base/json.hpp"

/// What is accepted can be written and read again, to the same value, in every form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto value = planexe::parse_json({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  for (const std::string& text :
       {planexe::to_json(*value), planexe::to_json_pretty(*value), planexe::canonical_json(*value)}) {
    const auto again = planexe::parse_json(text);
    PLANEXE_ASSERT(again.has_value());
    PLANEXE_ASSERT(planexe::canonical_json(*again) == planexe::canonical_json(*value));
  }
  return 0;
}
