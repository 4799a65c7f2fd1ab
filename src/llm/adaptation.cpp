#include "llm/adaptation.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace planexe::llm {

namespace {

constexpr std::array<std::string_view, 7> kEfforts{"none", "minimal", "low", "medium", "high", "xhigh", "max"};

int rank_of(std::string_view effort) {
  const auto at = std::find(kEfforts.begin(), kEfforts.end(), effort);
  return at == kEfforts.end() ? -1 : static_cast<int>(at - kEfforts.begin());
}

/// Names of other transports and of the parts of a parameter, mapped to the parameter that is left out.
constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kDroppable{{
    {"reasoning.summary", "reasoning.summary"},
    {"reasoning.effort", "reasoning.effort"},
    {"reasoning_effort", "reasoning.effort"},
    {"reasoning", "reasoning"},
    {"text.verbosity", "text.verbosity"},
    {"verbosity", "text.verbosity"},
    {"temperature", "temperature"},
    {"top_p", "top_p"},
    {"stream_options", "stream_options"},
    {"stream_options.include_obfuscation", "stream_options"},
    {"include_obfuscation", "stream_options"},
    {"stream_options.include_usage", "stream_options"},
    {"prompt_cache_key", "prompt_cache_key"},
    {"metadata", "metadata"},
    {"background", "background"},
    {"store", "store"},
    {"include", "include"},
    {"reasoning.encrypted_content", "include"},
    {"provider", "provider"},
    {"require_parameters", "provider"},
    {"safety_identifier", "safety_identifier"},
    {"strict", "strict"},
    {"text.format.strict", "strict"},
    {"response_format.json_schema.strict", "strict"},
}};

std::vector<std::string> quoted_words(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = text.find_first_of("'`\"", at)) != std::string_view::npos) {
    const std::size_t end = text.find(text[at], at + 1);
    if (end == std::string_view::npos) break;
    const std::string_view word = text.substr(at + 1, end - at - 1);
    const bool plain = !word.empty() && word.find_first_of(" \t\n") == std::string_view::npos;
    if (plain) words.emplace_back(word);
    at = plain ? end + 1 : at + 1;
  }
  return words;
}

/// The values that a message lists behind "Supported values are".
std::vector<std::string> listed_efforts(std::string_view message) {
  const std::size_t list = message.find("upported values");
  if (list == std::string_view::npos) return {};
  std::vector<std::string> efforts;
  for (std::string& word : quoted_words(message.substr(list))) {
    if (rank_of(word) >= 0) efforts.push_back(std::move(word));
  }
  return efforts;
}

bool rename_max_tokens(const ProviderError& error, Adaptations& adaptations) {
  if (!adaptations.max_tokens_name.empty()) return false;
  const bool wants_new = error.message.find("max_completion_tokens") != std::string::npos &&
                         refused_parameter(error) != "max_completion_tokens";
  adaptations.max_tokens_name = wants_new ? "max_completion_tokens" : "max_tokens";
  return true;
}

}  // namespace

std::string refused_parameter(const ProviderError& error) {
  if (!error.param.empty()) return error.param;
  const auto words = quoted_words(error.message);
  if (!words.empty()) return words.front();
  // "Unrecognized request argument supplied: name"
  const std::size_t colon = error.message.rfind(": ");
  if (colon == std::string::npos) return {};
  std::string name = error.message.substr(colon + 2);
  while (!name.empty() && (name.back() == '.' || name.back() == ' ')) name.pop_back();
  return name.find(' ') == std::string::npos ? name : std::string{};
}

bool adapt(const ProviderError& error, Adaptations& adaptations) {
  const std::string parameter = refused_parameter(error);
  if (parameter == "max_tokens" || parameter == "max_completion_tokens") return rename_max_tokens(error, adaptations);
  const auto known = std::find_if(kDroppable.begin(), kDroppable.end(),
                                  [&](const auto& entry) { return entry.first == parameter; });
  if (known == kDroppable.end()) return false;
  const std::string_view name = known->second;
  if (name == "reasoning.effort" && !adaptations.effort_values) {
    if (auto efforts = listed_efforts(error.message); !efforts.empty()) {
      adaptations.effort_values = std::move(efforts);
      return true;
    }
  }
  return adaptations.dropped.emplace(name).second;
}

std::string adapt_effort(std::string_view wanted, const std::vector<std::string>& accepted) {
  if (wanted.empty() || accepted.empty()) return {};
  const int rank = rank_of(wanted);
  const std::string* best = nullptr;
  const std::string* highest = nullptr;
  for (const std::string& value : accepted) {
    if (value == wanted) return value;
    const int r = rank_of(value);
    if (highest == nullptr || r > rank_of(*highest)) highest = &value;
    if (r >= rank && (best == nullptr || r < rank_of(*best))) best = &value;
  }
  return best != nullptr ? *best : *highest;
}

std::optional<std::string> lower_effort(std::string_view current, const std::vector<std::string>& accepted) {
  const std::string* best = nullptr;
  for (const std::string& value : accepted) {
    const int r = rank_of(value);
    if (r < rank_of(current) && (best == nullptr || r > rank_of(*best))) best = &value;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

const std::vector<std::string>& effort_values_of(const ModelEntry& model, const Adaptations& adaptations) {
  return adaptations.effort_values ? *adaptations.effort_values : model.caps.effort_values;
}

}  // namespace planexe::llm
