#include <fmt/format.h>

#include <array>

#include "base/hash.hpp"
#include "store/limits.hpp"
#include "store/reads.hpp"

namespace planexe::store::reads {
namespace {

/// A rule of ours: the statement gives one name per place where it is broken.
struct Rule {
  std::string_view finding;
  std::string_view statement;
};

constexpr std::array<Rule, 9> kRules = {{
    {"file without exactly one current version",
     "SELECT plan_id || ' ' || filename FROM plan_content GROUP BY plan_id, filename "
     "HAVING SUM(CASE WHEN is_current THEN 1 ELSE 0 END) <> 1"},
    {"file whose current version is not its newest",
     "SELECT plan_id || ' ' || filename FROM plan_content GROUP BY plan_id, filename "
     "HAVING MAX(version) <> MAX(CASE WHEN is_current THEN version ELSE 0 END)"},
    {"plan whose sums differ from its ledger",
     "SELECT m.plan_id FROM plan_metrics m WHERE "
     "(m.total_llm_calls, m.total_tokens_used, m.total_cost_micros, m.input_tokens, m.output_tokens) <> "
     "(SELECT COUNT(*), COALESCE(SUM(total_tokens), 0), COALESCE(SUM(cost_micros), 0), COALESCE(SUM(input_tokens), 0), "
     "COALESCE(SUM(output_tokens), 0) FROM llm_interactions i WHERE i.plan_id = m.plan_id)"},
    {"plan without a row of sums",
     "SELECT plan_id FROM plans WHERE NOT EXISTS (SELECT 1 FROM plan_metrics m WHERE m.plan_id = plans.plan_id)"},
    {"completed plan with an unfinished task",
     "SELECT p.plan_id || ' ' || t.task_key FROM plans p JOIN plan_tasks t ON t.plan_id = p.plan_id "
     "WHERE p.status = 'completed' AND t.state IN ('pending', 'ready', 'running')"},
    {"ended plan with a call in progress",
     "SELECT p.plan_id || ' ' || i.id FROM plans p JOIN llm_interactions i ON i.plan_id = p.plan_id "
     "WHERE p.status IN ('completed', 'failed') AND i.status IN ('pending', 'running')"},
    {"lease without an owner or an end",
     "SELECT plan_id FROM plans WHERE (lease_owner IS NULL) <> (lease_expires_at IS NULL)"},
    {"task with more finished units than units",
     "SELECT plan_id || ' ' || task_key FROM plan_tasks WHERE units_total > 0 AND "
     "units_done + units_failed > units_total"},
    {"counter of interactions behind the table",
     "SELECT name FROM counters WHERE name = 'llm_interactions' "
     "AND next_value <= (SELECT COALESCE(MAX(id), 0) FROM llm_interactions)"},
}};

void add(std::vector<std::string>& findings, std::string_view finding, std::string_view place) {
  if (findings.size() < limits::kFindingsMax) findings.push_back(fmt::format("{}: {}", finding, place));
}

Result<void> check_rule(sql::Connection& db, const Rule& rule, std::vector<std::string>& findings) {
  auto rows = db.query(rule.statement, {});
  while (rows.next()) add(findings, rule.finding, rows.view());
  return rows.status();
}

/// Sizes and hashes are those of the bytes that are there.
Result<void> check_contents(sql::Connection& db, std::vector<std::string>& findings) {
  auto rows = db.query(
      "SELECT plan_id, filename, version, content_size_bytes, sha256, content_blob IS NOT NULL, "
      "content, content_blob FROM plan_content");
  while (rows.next()) {
    std::string place = rows.string();
    place += ' ';
    place += rows.view();
    fmt::format_to(std::back_inserter(place), " version {}", rows.integer());
    const auto size = static_cast<std::size_t>(rows.integer());
    const std::string sha256 = rows.string();
    const bool blob = rows.boolean();
    const auto text = rows.view();
    const auto bytes = blob ? rows.view() : text;
    if (bytes.size() != size) add(findings, "file of another size than noted", place);
    if (sha256_hex(bytes) != sha256) add(findings, "file with another hash than noted", place);
  }
  return rows.status();
}

Result<void> check_blocks(sql::Connection& db, std::vector<std::string>& findings) {
  auto rows = db.query("SELECT sha256, text FROM text_blocks");
  while (rows.next()) {
    const std::string sha256 = rows.string();
    if (sha256_hex(rows.view()) != sha256) add(findings, "text with another hash than noted", sha256);
  }
  return rows.status();
}

}  // namespace

Result<std::vector<std::string>> check_rules(sql::Connection& db) {
  std::vector<std::string> findings;
  for (const auto& rule : kRules) PLANEXE_TRY(check_rule(db, rule, findings));
  PLANEXE_TRY(check_contents(db, findings));
  PLANEXE_TRY(check_blocks(db, findings));
  return findings;
}

}  // namespace planexe::store::reads
