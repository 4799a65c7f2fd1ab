#include "plan/quality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include <re2/re2.h>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/limit_words.hpp"
#include "plan/markdown.hpp"
#include "plan/money.hpp"
#include "plan/quality_parts.hpp"
#include "plan/sentences.hpp"

namespace planexe::plan {
namespace {

// Below this many blocks a share means nothing.
constexpr int kSentencesMin = 10;
constexpr int kDuplicateWordsMin = 8;
constexpr int kSpecificPercentMin = 20;
constexpr int kOpenerPercentMax = 40;

std::vector<std::string> limit_texts(const json::value& limits, std::string_view kind) {
  std::vector<std::string> texts;
  if (!limits.is_array()) return texts;
  for (const json::value& limit : limits.get_array()) {
    if (!kind.empty() && text(limit, "kind") != kind) continue;
    const std::string value = text(limit, "value");
    texts.push_back(value.empty() || kind.empty() ? text(limit, "quote") : value);
  }
  return texts;
}

struct Prepared {
  const QualitySection* section = nullptr;
  std::string text;
  std::vector<std::string> sentences;
  std::vector<std::vector<Figure>> figures;  // by sentence
};

class Assessor {
 public:
  Assessor(const std::vector<QualitySection>& sections, const QualityContext& context)
      : context_(context),
        terms_(context.prompt, limit_texts(context.stated_limits, "")),
        banned_statements_(limit_texts(context.stated_limits, "banned_word")),
        banned_(banned_words(banned_statements_)) {
    for (const QualitySection& section : sections) {
      prepared_.push_back(prepare(section));
      if (section.present && section.prose) collect_defined_ids(section.markdown, defined_);
    }
    for (const std::string& id : defined_) prefixes_.insert(id_prefix(id));
    collect_basis();
  }

  QualityReport run() {
    QualityReport report;
    for (const Prepared& section : prepared_) report.sections.push_back(assess(section));
    report.limits = assess_limits(report.sections);
    return report;
  }

 private:
  static Prepared prepare(const QualitySection& section) {
    Prepared prepared{&section, section.present && section.prose ? markdown_to_text(section.markdown) : "", {}, {}};
    prepared.sentences = sentences_of(prepared.text);
    for (const std::string& sentence : prepared.sentences) prepared.figures.push_back(figures_of(sentence));
    return prepared;
  }

  void collect_basis() {
    for (const Figure& figure : figures_of(context_.prompt)) known_figures_.insert(figure.value);
    if (context_.schedule != nullptr) {
      for (const Activity& row : context_.schedule->activities) {
        known_figures_.insert(std::to_string(row.duration_days));
        if (row.estimate) known_figures_.insert({std::to_string(row.estimate->min), std::to_string(row.estimate->max)});
      }
      known_figures_.insert({std::to_string(context_.schedule->lengths.critical_days),
                             std::to_string(context_.schedule->lengths.chained_days)});
    }
    for (const Prepared& section : prepared_) {
      std::set<std::string> here;
      for (const auto& list : section.figures)
        for (const Figure& figure : list) here.insert(figure.value);
      for (const std::string& value : here) ++figure_sections_[value];
    }
  }

  SectionQuality assess(const Prepared& prepared) {
    SectionQuality quality;
    quality.id = prepared.section->id;
    quality.title = prepared.section->title;
    quality.present = prepared.section->present;
    if (!quality.present) {
      quality.attention.emplace_back("The section is missing.");
      return quality;
    }
    if (!prepared.section->prose) return quality;
    quality.words = static_cast<int>(words_of(prepared.text).size());
    quality.length = length_against_norm(quality.id, quality.words);
    for (std::size_t i = 0; i < prepared.sentences.size(); ++i)
      sentence(prepared.sentences[i], prepared.figures[i], quality);
    references(prepared, quality);
    quality.opener_share = repeated_opener_percent(prepared.section->markdown);
    quality.classes = one_sided_classes(prepared.section->markdown);
    add_attention(quality);
    return quality;
  }

  void sentence(const std::string& text, const std::vector<Figure>& figures, SectionQuality& quality) {
    const std::vector<std::string> words = words_of(text);
    if (words.size() >= 4) {
      ++quality.sentences;
      quality.specific += terms_.specific(text) ? 1 : 0;
    }
    const bool assumed = marks_assumption(text);
    for (const Figure& figure : figures) {
      if (!figure.quantity) continue;
      ++quality.figures;
      const bool basis = assumed || known_figures_.contains(figure.value) || figure_sections_[figure.value] >= 2;
      quality.figures_with_basis += basis ? 1 : 0;
    }
    for (const BannedHit& hit : banned_hits(text, banned_, banned_statements_)) {
      if (hit.mention)
        ++quality.banned_mentions;
      else
        quality.banned_uses.push_back(cut_code_points(hit.sentence, 200));
    }
    if (words.size() >= kDuplicateWordsMin && !seen_sentences_.insert(normalize_name(text)).second)
      ++quality.duplicates;
    dates(text, quality);
  }

  void dates(const std::string& text, SectionQuality& quality) const {
    if (context_.schedule == nullptr || text.find_first_of("0123456789") == std::string::npos) return;
    const Horizon& horizon = context_.schedule->horizon;
    const Date last = std::max(context_.schedule->lengths.chained_finish_date, horizon.target.value_or(Date{}));
    for (const Date date : exact_dates(text))
      if (date < context_.schedule->calendar.start() || date > last) quality.dates_outside.push_back(format_date(date));
  }

  void references(const Prepared& prepared, SectionQuality& quality) const {
    static const RE2 pattern(R"(\b([A-Z]{1,2}\d{1,3})\b)");
    std::set<std::string> missing;
    re2::StringPiece rest(prepared.text);
    std::string id;
    while (RE2::FindAndConsume(&rest, pattern, &id)) {
      if (!prefixes_.contains(id_prefix(id))) continue;
      ++quality.references;
      if (!defined_.contains(id)) missing.insert(id);
    }
    quality.unresolved.assign(missing.begin(), missing.end());
  }

  static void add_attention(SectionQuality& quality) {
    const auto add = [&](bool condition, std::string text) {
      if (condition) quality.attention.push_back(std::move(text));
    };
    add(!quality.banned_uses.empty(),
        fmt::format("Uses a banned word: “{}”", quality.banned_uses.empty() ? "" : quality.banned_uses.front()));
    add(!quality.unresolved.empty(),
        fmt::format("Refers to {}, which no section defines.", fmt::join(quality.unresolved, ", ")));
    add(!quality.dates_outside.empty(),
        fmt::format("Dates outside the plan: {}.", fmt::join(quality.dates_outside, ", ")));
    add(quality.sentences >= kSentencesMin && quality.specific * 100 < quality.sentences * kSpecificPercentMin,
        "Few sentences name anything of this plan.");
    add(quality.duplicates * 20 > quality.sentences && quality.duplicates >= 3,
        fmt::format("{} sentences stand elsewhere in the report.", quality.duplicates));
    add(quality.opener_share >= kOpenerPercentMax,
        fmt::format("{} % of the items begin with the same words.", quality.opener_share));
    for (const ClassShare& share : quality.classes)
      quality.attention.push_back(
          fmt::format("{}: {} of {} are “{}”.", share.field, share.count, share.total, share.value));
  }

  std::vector<LimitQuality> assess_limits(const std::vector<SectionQuality>& sections) const {
    std::vector<LimitQuality> limits;
    if (!context_.stated_limits.is_array()) return limits;
    for (const json::value& limit : context_.stated_limits.get_array()) {
      LimitQuality quality{text(limit, "kind"), text(limit, "quote"), "not checked", "Judge it by reading."};
      if (quality.kind == "banned_word") banned_limit(sections, quality);
      if (quality.kind == "horizon" || quality.kind == "end_date") horizon_limit(quality);
      if (quality.kind == "place") place_limit(text(limit, "value"), quality);
      if (quality.kind == "budget") budget_limit(text(limit, "value"), quality);
      limits.push_back(std::move(quality));
    }
    return limits;
  }

  static void banned_limit(const std::vector<SectionQuality>& sections, LimitQuality& quality) {
    std::size_t uses = 0;
    for (const SectionQuality& section : sections) uses += section.banned_uses.size();
    quality.verdict = uses == 0 ? "kept" : "broken";
    quality.detail =
        uses == 0 ? "No section uses a banned word." : fmt::format("Sentences that use a banned word: {}.", uses);
  }

  void horizon_limit(LimitQuality& quality) const {
    if (context_.schedule == nullptr) return;
    for (const HorizonStatement& statement : context_.schedule->horizon.statements) {
      if (statement.quote != quality.quote || !statement.target) continue;
      const int late = days_between(*statement.target, context_.schedule->lengths.finish_date);
      quality.verdict = late > 0 ? "broken" : "kept";
      quality.detail =
          late > 0
              ? fmt::format("The computed finish {} is {} days after {}.",
                            format_date(context_.schedule->lengths.finish_date), late, format_date(*statement.target))
              : fmt::format("The computed finish {} is not after {}.",
                            format_date(context_.schedule->lengths.finish_date), format_date(*statement.target));
    }
  }

  void place_limit(const std::string& value, LimitQuality& quality) const {
    const std::string place = normalize_name(value.empty() ? quality.quote : value);
    const auto names_it = [&](const Prepared& section) {
      return normalize_name(section.text).find(place) != std::string::npos;
    };
    const auto count = std::ranges::count_if(prepared_, names_it);
    quality.verdict = count > 0 ? "kept" : "broken";
    quality.detail = count == 0 ? "No section names it." : fmt::format("Sections that name it: {}.", count);
  }

  // A larger sum may be income or a market, so this counts and does not judge.
  void budget_limit(const std::string& value, LimitQuality& quality) const {
    const auto budget = money_of(value.empty() ? quality.quote : value);
    if (!budget) return;
    int larger = 0;
    for (const Prepared& section : prepared_)
      for (const std::string& sentence : section.sentences)
        for (const Money& money : money_in(sentence))
          larger += money.currency == budget->currency && money.amount > budget->amount * 1.0001 ? 1 : 0;
    quality.detail =
        larger == 0 ? fmt::format("No sum in {} is larger.", budget->currency)
                    : fmt::format("{} sums in {} are larger; see whether they are costs.", larger, budget->currency);
  }

  const QualityContext& context_;
  PlanTerms terms_;
  std::vector<std::string> banned_statements_;
  std::vector<std::string> banned_;
  std::vector<Prepared> prepared_;
  std::set<std::string> defined_;
  std::set<std::string> prefixes_;
  std::set<std::string> known_figures_;
  std::map<std::string, int> figure_sections_;
  std::set<std::string> seen_sentences_;
};

}  // namespace

QualityReport assess_quality(const std::vector<QualitySection>& sections, const QualityContext& context) {
  return Assessor(sections, context).run();
}

}  // namespace planexe::plan
