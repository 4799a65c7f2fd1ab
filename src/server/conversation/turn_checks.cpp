#include "server/conversation/turn_checks.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "server/conversation/intake_schema.hpp"
#include "server/model_choice.hpp"

namespace planexe::server {

Result<void> check_streaming(const Services& services) {
  if (services.settings->streaming_enabled) return {};
  return fail(ErrorCode::StreamingDisabled, "Streaming is switched off on this server.", "STREAMING_ENABLED is false.");
}

Result<void> check_model(const Services& services, const std::string& model_key) {
  PLANEXE_TRY(check_model_choice(services, model_key));
  // A conversation names its model; automatic choice is for plans.
  if (model_key.empty() || model_key == "auto") return fail(ErrorCode::ModelUnavailable, "Name a text model of the catalogue; GET /api/models lists them.");
  return {};
}

Result<void> check_schema_names(const json::value& body) {
  for (const char* key : {"schema_name", "schema_model"})
    if (!known_schema(get_string(body, key).value_or("")))
      return fail(ErrorCode::SchemaModelInvalid, "Only the intake form can be asked for.", std::string(key) + " names something else.");
  return {};
}

bool asks_for_form(const json::value& body) {
  return !get_string(body, "schema_name").value_or("").empty() || !get_string(body, "schema_model").value_or("").empty();
}

std::string new_token(const char* prefix) {
  SystemRandom random;  // seeded by the operating system for each token, so that no token tells another
  return prefix + replace_all(uuid4(random), "-", "");
}

}  // namespace planexe::server
