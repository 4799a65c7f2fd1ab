#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "llm/adaptation.hpp"
#include "llm/catalogue.hpp"
#include "llm/stream_accumulator.hpp"
#include "llm/types.hpp"

namespace planexe::llm {

/// The transport of a call: structured ones go where the schema is enforced.
Wire choose_wire(const ModelEntry& model, bool structured);

/// True when the provider holds the model to the schema on this transport; else the schema also goes into the prompt.
bool enforces_schema(const ModelEntry& model, Wire wire);

/// One request as the call machine decided it.
struct RequestInput {
  const CallSpec& spec;
  const ModelEntry& model;
  const Adaptations& adaptations;
  Wire wire = Wire::responses;
  std::span<const Message> messages;   ///< the whole conversation
  std::size_t known = 0;               ///< so many of them the provider has under `parent_id`
  std::string parent_id;               ///< "" = the whole conversation is sent
  std::string effort;                  ///< already adapted; "" = not sent
  int max_output_tokens = 16384;
  bool background = false;
  bool store = false;
  int attempt = 1;
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// A request to an endpoint: path below its base URL, and the body of a POST.
struct Request {
  std::string method = "POST";
  std::string path;
  std::string body;
  HeaderList headers;
  bool streaming = true;
  bool fresh_connection = false;   ///< after a kept connection that was dead: the others of the pool may be dead too
};

/// The create request, always streaming. Input goes from stable to variable, so that equal prefixes stay equal bytes.
Request build_request(const RequestInput& input);

/// GET of a response as it is now.
Request fetch_request(const std::string& response_id);

/// GET of a background response's event stream behind number `after` (-1: from its beginning).
Request continue_request(const std::string& response_id, std::int64_t after);

/// Stops a background response at the provider.
Request cancel_request(const std::string& response_id);

/// SHA-256 over model, canonical messages, schema and the parameters that affect the answer; not over budgets, ids,
/// attempt numbers and the way the conversation is sent.
std::string request_hash(const RequestInput& input);

}  // namespace planexe::llm
