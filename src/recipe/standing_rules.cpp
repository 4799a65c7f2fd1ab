#include <fmt/format.h>

#include <set>

#include <re2/re2.h>

#include "base/text.hpp"
#include "recipe/rules.hpp"
#include "recipe/schema_walk.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kProblemsMax = 5;

/// A text that is nothing but a bracket with words in it, a row of dots or of underscores: a blank that was left, in
/// any language.
const RE2& blank_pattern() {
  static const RE2 pattern(
      R"(^\s*(?:\[[^\[\]]*\pL[^\[\]]*\]|<[^<>]*\pL[^<>]*>|\{+[^{}]*\pL[^{}]*\}+|…|\.{3,}|_{3,}|-{3,}|(?i:string|tbd|todo|n\.n\.|lorem ipsum.*))\s*$)");
  return pattern;
}

/// A blank inside a text: double braces, a row of underscores, or a bracket that tells the reader to fill it.
const RE2& inner_pattern() {
  static const RE2 pattern(
      R"(\{\{[^{}]*\}\}|_{4,}|(?i:\[\s*(?:insert|enter|your|fill|specify|add|placeholder|tbd|to be|x{2,}|einf[üu]gen|hier|ihr|ihre|nom|votre|ins[ée]rer|su|tu|inserte|nombre|inserire|nome|seu|sua|inserir|invullen|uw)\b[^\]\n]*\]))");
  return pattern;
}

void collect_descriptions(const json::value& schema, std::set<std::string>& out) {
  if (schema.is_array())
    for (const json::value& element : schema.get_array()) collect_descriptions(element, out);
  if (!schema.is_object()) return;
  for (const auto& member : schema.get_object()) {
    if (member.key() == "description" && member.value().is_string())
      out.insert(normalize_name(member.value().get_string()));
    else
      collect_descriptions(member.value(), out);
  }
}

class TextScan {
 public:
  TextScan(const json::value& schema, std::vector<AnswerProblem>& out) : out_(out) {
    collect_descriptions(schema, descriptions_);
  }

  void walk(const json::value& value, const std::string& at) {
    if (out_.size() >= kProblemsMax) return;
    if (value.is_string()) text(std::string_view(value.get_string()), at);
    if (value.is_array())
      for (std::size_t i = 0; i < value.get_array().size(); ++i)
        walk(value.get_array()[i], fmt::format("{}/{}", at, i));
    if (value.is_object())
      for (const auto& member : value.get_object()) walk(member.value(), pointer_join(at, member.key()));
  }

 private:
  void text(std::string_view text, const std::string& at) {
    const re2::StringPiece piece(text.data(), text.size());
    if (RE2::PartialMatch(piece, blank_pattern()) || RE2::PartialMatch(piece, inner_pattern()))
      out_.push_back(
          {true, "placeholder", at,
           fmt::format("\"{}\" leaves a blank for others to fill; write what is meant, or what is unknown and why",
                       cut_code_points(text, 60)),
           ""});
    else if (text.size() > 20 && descriptions_.contains(normalize_name(text)))
      out_.push_back({true, "schema_echo", at, "repeats the description of the field; write the answer itself", ""});
  }

  std::set<std::string> descriptions_;
  std::vector<AnswerProblem>& out_;
};

}  // namespace

std::vector<AnswerProblem> check_standing_rules(const json::value& schema, const json::value& answer) {
  std::vector<AnswerProblem> problems;
  const json::value* declared = find(schema, "properties");
  const bool looks_like_schema =
      find(answer, "properties") && (find(answer, "type") || find(answer, "$schema") || find(answer, "required"));
  if (looks_like_schema && !(declared && find(*declared, "properties"))) {
    problems.push_back({true, "schema_echo", "", "the schema was sent back; send an answer that follows it", ""});
    return problems;
  }
  TextScan(schema, problems).walk(answer, "");
  return problems;
}

}  // namespace planexe::recipe
