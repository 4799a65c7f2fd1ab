#include <fmt/format.h>

#include "llm/classify.hpp"
#include "llm/client.hpp"
#include "llm/curl_multi.hpp"
#include "llm/curl_transfer.hpp"
#include "llm/endpoint_address.hpp"
#include "llm/redact.hpp"

namespace planexe::llm {

namespace {

/// Lists of large providers have some hundred KiB.
constexpr std::size_t kListBytesMax = 8U << 20U;

std::size_t collect(char* bytes, std::size_t size, std::size_t count, void* target) {
  auto& body = *static_cast<std::string*>(target);
  if (body.size() + size * count > kListBytesMax) return 0;
  body.append(bytes, size * count);
  return size * count;
}

/// "model" or "vendor/model" in the list {"data": [{"id": …}]}.
bool lists_model(const json::value& list, std::string_view model) {
  const json::array* data = get_array(list, "data");
  if (data == nullptr) return false;
  for (const json::value& entry : *data) {
    const auto id = get_string(entry, "id");
    // Some servers put a folder in front.
    if (id && (*id == model || id->ends_with(fmt::format("/{}", model)))) return true;
  }
  return false;
}

Result<std::string> judge(const ModelEntry& model, int status, const std::string& body, const Redactor& redact) {
  const Result<json::value> parsed = parse_json(body);
  if (status >= 200 && status < 300) {
    if (!parsed) return fail(ErrorCode::ProviderError, fmt::format("{}: the model list is not JSON", model.id));
    return lists_model(*parsed, model.model)
               ? fmt::format("{}: key and model are accepted", model.id)
               : fmt::format("{}: the key is accepted; the endpoint does not list \"{}\"", model.id, model.model);
  }
  FailureSignal signal;
  signal.status = status;
  if (parsed) signal.error = read_provider_error(*parsed).value_or(ProviderError{});
  const Classification failure = classify(signal, ClientSettings{}, TimePoint{});
  return fail(failure.code, fmt::format("{}: {}", model.id, redact(failure.message)));
}

}  // namespace

Result<std::string> probe_model(const ClientOptions& options, const std::string& model_id) {
  const ModelEntry* model = options.catalogue.find(model_id);
  if (model == nullptr) return fail(ErrorCode::ModelUnavailable, fmt::format("model \"{}\" is not in the catalogue", model_id));
  if (!is_configured(*model, options.secret)) {
    return fail(ErrorCode::ProviderNotConfigured, fmt::format("{}: set {}", model_id, fmt::join(needed_variables(*model), " and ")));
  }
  PLANEXE_TRY(check_keys(options.catalogue, options.secret));
  PLANEXE_TRY_ASSIGN(const std::string url, endpoint_url(*model, options.secret, "/models"));
  Redactor redact;
  for (const std::string& value : secret_values(options.catalogue, options.secret)) redact.add_secret(value);

  init_curl();
  const CurlEasy easy(curl_easy_init());
  PLANEXE_ASSERT(easy != nullptr);
  set_common_options(easy.get(), TransportOptions{options.settings, options.ca_file, options.proxy, 1});
  const CurlList headers = make_header_list(endpoint_headers(*model, options.secret));
  std::string body;
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(options.settings.probe_timeout.count()));
  const CURLcode result = curl_easy_perform(easy.get());
  if (result != CURLE_OK) {
    return fail(ErrorCode::ProviderUnavailable, fmt::format("{}: {}", model_id, curl_easy_strerror(result)));
  }
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  return judge(*model, static_cast<int>(status), body, redact);
}

}  // namespace planexe::llm
