#include "llm/endpoint_address.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace planexe::llm {

namespace {

std::string key_of(const ModelEntry& model, const Secrets& secrets) {
  return model.api_key_env.empty() || !secrets ? std::string() : trim(secrets(model.api_key_env));
}

/// Words of a header's text that are long enough to be a key. Those of ordinary headers have other characters or are short.
std::vector<std::string_view> long_words(std::string_view text) {
  constexpr std::size_t kKeyCharsMin = 16;
  const auto is_key_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("_-.~+=").find(c) != std::string_view::npos;
  };
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    if (word.size() >= kKeyCharsMin && std::ranges::all_of(word, is_key_char)) words.push_back(word);
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return words;
}

}  // namespace

Result<std::string> endpoint_url(const ModelEntry& model, const Secrets& secrets, const std::string& path) {
  auto base = expand_variables(model.base_url, secrets);
  if (!base) {
    return fail(ErrorCode::InvalidConfig, fmt::format("model \"{}\": a variable in base_url {} is not set", model.id, model.base_url));
  }
  while (base->ends_with('/')) base->pop_back();
  return *base + path;
}

HeaderList endpoint_headers(const ModelEntry& model, const Secrets& secrets) {
  HeaderList headers;
  if (const std::string key = key_of(model, secrets); !key.empty()) {
    switch (model.auth) {
      case AuthStyle::bearer: headers.emplace_back("Authorization", "Bearer " + key); break;
      case AuthStyle::api_key: headers.emplace_back("api-key", key); break;
      case AuthStyle::x_api_key: headers.emplace_back("x-api-key", key); break;
    }
  }
  for (const auto& [name, value] : model.headers) {
    if (auto expanded = expand_variables(value, secrets)) headers.emplace_back(name, std::move(*expanded));
  }
  return headers;
}

std::vector<std::string> secret_values(const Catalogue& catalogue, const Secrets& secrets) {
  std::vector<std::string> values;
  const auto add = [&](const std::string& value) {
    if (!value.empty()) values.push_back(value);
  };
  for (const ModelEntry& model : catalogue.models) {
    add(key_of(model, secrets));
    for (const auto& [name, value] : model.headers) {
      expand_variables(value, [&](const std::string& variable) {
        std::string secret = secrets ? secrets(variable) : std::string();
        add(secret);
        return secret;
      });
      for (const auto word : long_words(value)) add(std::string(word));
    }
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

Result<void> check_keys(const Catalogue& catalogue, const Secrets& secrets) {
  for (const ModelEntry& model : catalogue.models) {
    const std::string key = key_of(model, secrets);
    const bool clean = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!clean) {
      return fail(ErrorCode::InvalidConfig, fmt::format("{} has characters that a key cannot have", model.api_key_env));
    }
  }
  return {};
}

}  // namespace planexe::llm
