#pragma once

#include <string>
#include <string_view>

#include "base/random.hpp"

namespace planexe {

/// A random UUID (RFC 9562, version 4), lower case.
std::string uuid4(Random& random);

/// The UUID of a name in a namespace (RFC 9562, version 5): the same input always gives the same id. The namespace must
/// be a UUID; anything else is a bug and aborts.
std::string uuid5(std::string_view namespace_uuid, std::string_view name);

/// The namespace of all ids that this program derives from names.
inline constexpr std::string_view kIdNamespace = "5b0c8f52-6d5e-5c53-9a54-1f2a9f0d7c11";

/// "PlanExe_" and a random UUID.
std::string new_plan_id(Random& random);

/// True for 1 to 128 characters of A-Z a-z 0-9 _ -: what may stand for an id in a path.
bool valid_id(std::string_view id);

/// True for the 36 characters of a UUID in either case.
bool valid_uuid(std::string_view text);

}  // namespace planexe
