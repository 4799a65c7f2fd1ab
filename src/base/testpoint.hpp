#pragma once

#include <atomic>
#include <string_view>

#include "base/error.hpp"

/// Named places where a test can stop the process or inject a failure. They are compiled into every build, so that
/// what is tested is what is shipped, and cost one relaxed load while off.
///
/// PLANEXE_TESTPOINTS="name=kill@3,other=exit,third=error@2,fourth=error@2+": at the n-th hit (default 1) of that name
/// the process kills itself (SIGKILL), ends (status 86) or the point is true, so that the code there fails. With '+'
/// every hit from the n-th on is true. A name that ends with '*' stands for all names that begin so, counted together.
namespace planexe::testpoint {

extern std::atomic<bool> armed;

/// Counts the hit and acts. True: the code at this place shall fail as if the real fault had happened.
bool hit(std::string_view name);

/// Replaces the set of armed points; an empty text disarms all. For tests. Error: INVALID_CONFIG.
Result<void> configure(std::string_view spec);

}  // namespace planexe::testpoint

/// `if (PLANEXE_TESTPOINT("store.before_commit")) return fail(...);` or as a plain statement.
#define PLANEXE_TESTPOINT(name) \
  (::planexe::testpoint::armed.load(std::memory_order_relaxed) && ::planexe::testpoint::hit(name))
