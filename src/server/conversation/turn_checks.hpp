#pragma once

#include <string>

#include "base/error.hpp"
#include "base/json.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// STREAMING_DISABLED when the server does not stream.
Result<void> check_streaming(const Services& services);

/// The model can be talked to. MODEL_UNAVAILABLE for an unknown one, one that writes no text, or one without its key;
/// PROVIDER_NOT_CONFIGURED when no model of the catalogue could be used.
Result<void> check_model(const Services& services, const std::string& model_key);

/// `schema_name` and `schema_model` of a request: nothing, or the form. SCHEMA_MODEL_INVALID.
Result<void> check_schema_names(const json::value& body);

/// True when one of them names the form.
bool asks_for_form(const json::value& body);

/// A token that cannot be guessed, with a prefix that tells what it opens.
std::string new_token(const char* prefix);

}  // namespace planexe::server
