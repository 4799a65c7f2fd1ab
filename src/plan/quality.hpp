#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "plan/schedule.hpp"

namespace planexe::plan {

/// A section as its readers see it.
struct QualitySection {
  std::string id;
  std::string title;
  std::string markdown;  ///< "" when missing
  bool present = true;
  bool prose = true;  ///< false: not counted (charts, the prompt itself)
};

/// What the sections are held against.
struct QualityContext {
  std::string prompt;
  json::value stated_limits;           ///< [{kind, quote, value}] or null
  const Schedule* schedule = nullptr;  ///< null when there is none
};

/// How often the most frequent value of one labelled field or table column occurs.
struct ClassShare {
  std::string field;
  std::string value;
  int count = 0;
  int total = 0;
};

/// Figures of one section. None of them is a verdict: they say where to look.
struct SectionQuality {
  std::string id;
  std::string title;
  bool present = true;
  int words = 0;
  int sentences = 0;
  int specific = 0;                        ///< sentences with a name, number or rare word of this prompt
  int figures = 0;                         ///< quantities
  int figures_with_basis = 0;              ///< from the prompt, the schedule, another section, or marked as assumed
  int references = 0;                      ///< ids such as L3, R2, FM1
  std::vector<std::string> unresolved;     ///< ids that no section defines
  std::vector<std::string> banned_uses;    ///< sentences that use a banned word
  int banned_mentions = 0;                 ///< places that only repeat the ban
  int duplicates = 0;                      ///< sentences that stand elsewhere in the report or twice here
  int opener_share = 0;                    ///< percent of blocks that begin with the most common three words
  std::vector<ClassShare> classes;         ///< nearly everything in one class
  std::vector<std::string> dates_outside;  ///< days before the start or after the end of the plan
  std::string length;                      ///< "short", "long" or ""
  std::vector<std::string> attention;      ///< what a reader should act on, one sentence each
};

/// A limit of the user and whether the plan keeps it.
struct LimitQuality {
  std::string kind;
  std::string quote;
  std::string verdict;  ///< "kept", "broken" or "not checked"
  std::string detail;   ///< one sentence
};

struct QualityReport {
  std::vector<SectionQuality> sections;
  std::vector<LimitQuality> limits;
};

/// Measures the report. Language-neutral where it can be: the lists of denying and assuming words know the common
/// European languages and Chinese; other languages give fewer hits, never wrong ones in red.
QualityReport assess_quality(const std::vector<QualitySection>& sections, const QualityContext& context);

json::value quality_to_json(const QualityReport& report);

/// The appendix of the report: one line per section, one per limit. Safe HTML.
std::string quality_html(const QualityReport& report);

}  // namespace planexe::plan
