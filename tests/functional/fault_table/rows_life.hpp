#pragma once

#include "bench.hpp"

namespace planexe::faults {

std::vector<Row> process_rows();   // 58, 59, 61, 62, 63

}  // namespace planexe::faults
