#include <fmt/format.h>

#include <algorithm>

#include "base/embedded.hpp"
#include "llm/catalogue.hpp"

namespace planexe::llm {

namespace {

/// A thousand dollars per million tokens: above it the unit was mistaken.
constexpr std::int64_t kPriceMax = 1'000'000'000;

Result<std::int64_t> price_member(const json::value& entry, std::string_view key, std::int64_t absent,
                                  std::string_view place) {
  const json::value* member = find(entry, key);
  if (member == nullptr || member->is_null()) return absent;
  const auto value = as_int(*member);
  if (!value || *value < 0 || *value > kPriceMax) {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("{}: {} must be a whole number of micro-dollars per million tokens, 0 to {}", place, key, kPriceMax));
  }
  return *value;
}

/// "name-2025-08-07" -> "name"; nothing for an undated name.
std::string_view family_of(std::string_view model) {
  constexpr std::string_view kShape = "-dddd-dd-dd";
  if (model.size() <= kShape.size()) return {};
  const std::string_view date = model.substr(model.size() - kShape.size());
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = date[i] >= '0' && date[i] <= '9';
    if (kShape[i] == 'd' ? !digit : date[i] != kShape[i]) return {};
  }
  return model.substr(0, model.size() - kShape.size());
}

}  // namespace

Result<PriceTable> PriceTable::parse(std::string_view text, std::string_view source_name) {
  const Result<json::value> document = parse_json(text);
  if (!document) {
    return fail(ErrorCode::InvalidConfig, fmt::format("{}: {}", source_name, document.error().message));
  }
  if (const auto currency = get_string(*document, "currency"); currency && *currency != "USD") {
    return fail(ErrorCode::InvalidConfig, fmt::format("{}: currency must be USD", source_name));
  }
  const json::array* entries = get_array(*document, "entries");
  if (entries == nullptr) return fail(ErrorCode::InvalidConfig, fmt::format("{}: the list \"entries\" is missing", source_name));
  PriceTable table;
  const std::string version(get_string(*document, "version").value_or(""));
  for (std::size_t i = 0; i < entries->size(); ++i) {
    PLANEXE_TRY(table.add_entry((*entries)[i], version, fmt::format("{}: entries[{}]", source_name, i)));
  }
  if (const json::array* tiers = get_array(*document, "tiers")) {
    for (const json::value& tier : *tiers) {
      const auto factor = get_double(tier, "factor");
      if (!factor || !(*factor >= 0) || *factor > 100) {
        return fail(ErrorCode::InvalidConfig, fmt::format("{}: a tier's factor must be a number from 0 to 100", source_name));
      }
      table.tiers_.push_back({std::string(get_string(tier, "provider").value_or("")),
                              std::string(get_string(tier, "tier").value_or("")), *factor});
    }
  }
  return table;
}

Result<void> PriceTable::add_entry(const json::value& value, const std::string& version, std::string_view place) {
  Entry entry;
  entry.provider = get_string(value, "provider").value_or("");
  entry.model = get_string(value, "model").value_or("");
  entry.valid_from = get_string(value, "valid_from").value_or("1970-01-01");
  if (entry.provider.empty() || entry.model.empty()) {
    return fail(ErrorCode::InvalidConfig, fmt::format("{}: provider and model are required", place));
  }
  if (!parse_date(entry.valid_from)) {
    return fail(ErrorCode::InvalidConfig, fmt::format("{}: valid_from must be a date YYYY-MM-DD", place));
  }
  PLANEXE_TRY_ASSIGN(entry.price.input, price_member(value, "input", 0, place));
  PLANEXE_TRY_ASSIGN(entry.price.cached_input, price_member(value, "cached_input", entry.price.input, place));
  PLANEXE_TRY_ASSIGN(entry.price.cache_write, price_member(value, "cache_write", -1, place));
  PLANEXE_TRY_ASSIGN(entry.price.output, price_member(value, "output", 0, place));
  entry.price.version = version;
  entries_.push_back(std::move(entry));
  return {};
}

PriceTable PriceTable::embedded() {
  const embedded::File* file = embedded::find("llm", "prices.json");
  PLANEXE_ASSERT(file != nullptr);
  auto table = parse(file->bytes, "prices.json (built in)");
  PLANEXE_ASSERT(table.has_value());
  return std::move(*table);
}

std::optional<Price> PriceTable::price(std::string_view provider, std::string_view model, TimePoint at) const {
  const std::string day = format_date(date_of(at));
  const auto latest = [&](std::string_view name) -> const Entry* {
    const Entry* best = nullptr;
    for (const Entry& entry : entries_) {
      if (entry.provider != provider || entry.model != name || entry.valid_from > day) continue;
      if (best == nullptr || entry.valid_from >= best->valid_from) best = &entry;
    }
    return best;
  };
  const Entry* found = latest(model);
  if (const std::string_view family = family_of(model); found == nullptr && !family.empty()) found = latest(family);
  if (found == nullptr) found = latest("*");
  if (found == nullptr) return std::nullopt;
  return found->price;
}

double PriceTable::tier_factor(std::string_view provider, std::string_view tier) const {
  for (const Tier& entry : tiers_) {
    if (entry.provider == provider && entry.tier == tier) return entry.factor;
  }
  return 1.0;
}

}  // namespace planexe::llm
