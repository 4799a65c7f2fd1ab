#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "plan/csv.hpp"
#include "plan/wbs.hpp"

namespace planexe::plan {
namespace {

std::unexpected<Error> broken(std::string message) { return fail(ErrorCode::TaskFailed, std::move(message)); }

char guess_delimiter(std::string_view header) {
  char best = ';';
  for (const char candidate : {';', '\t', ','})
    if (std::ranges::count(header, candidate) > std::ranges::count(header, best)) best = candidate;
  return best;
}

struct Row {
  std::size_t level = 0;  // from 0
  std::string title;
  std::string id;
};

// The level of a row is the first column with text; the id is in the last column. A delimiter inside an unquoted title
// makes the row longer: what stands between both belongs to the title.
Result<Row> read_row(const std::vector<std::string>& fields, std::size_t level_columns, char delimiter) {
  const auto title = std::ranges::find_if(fields, [](const std::string& field) { return !trim(field).empty(); });
  const auto level = static_cast<std::size_t>(title - fields.begin());
  if (level >= level_columns || fields.size() <= level_columns) return broken("WBS table: a row has no title.");
  Row row{level, *title, trim(fields.back())};
  const std::size_t surplus = fields.size() - level_columns - 1;
  for (std::size_t i = 0; i < surplus; ++i) row.title += delimiter + fields[level + 1 + i];
  row.title = trim(row.title);
  return row;
}

Result<void> insert_row(Wbs& wbs, Row row) {
  WbsNode node;
  node.id = std::move(row.id);
  node.title = std::move(row.title);
  if (row.level == 0) {
    if (!wbs.root.title.empty()) return broken("WBS table: more than one project.");
    wbs.root = std::move(node);
    return {};
  }
  WbsNode* parent = &wbs.root;
  for (std::size_t level = 1; level < row.level; ++level) {
    if (parent->children.empty()) return broken(fmt::format("WBS table: \"{}\" has no parent row.", node.title));
    parent = &parent->children.back();
  }
  parent->children.push_back(std::move(node));
  return {};
}

// A line end inside an unquoted title splits its row: short rows are joined with the next one.
std::vector<std::vector<std::string>> joined_rows(std::vector<std::vector<std::string>> rows, std::size_t width) {
  std::vector<std::vector<std::string>> whole;
  bool open = false;
  for (auto& row : rows) {
    if (open) {
      auto& last = whole.back();
      last.back() += ' ' + row.front();
      last.insert(last.end(), row.begin() + 1, row.end());
    } else {
      whole.push_back(std::move(row));
    }
    open = whole.back().size() < width;
  }
  return whole;
}

int depth_of(const WbsNode& node) {
  int depth = node.level;
  for (const WbsNode& child : node.children) depth = std::max(depth, depth_of(child));
  return depth;
}

}  // namespace

std::string wbs_to_csv(const Wbs& wbs) {
  const auto columns = static_cast<std::size_t>(std::max(depth_of(wbs.root), kWbsTask));
  std::vector<std::string> header;
  for (std::size_t i = 1; i <= columns; ++i) header.push_back(fmt::format("Level {}", i));
  header.emplace_back("Task ID");
  std::string csv = csv_row(header, ';');
  visit_wbs(wbs, [&](const WbsNode& node, const WbsNode*) {
    std::vector<std::string> fields(columns + 1);
    fields[static_cast<std::size_t>(node.level - 1)] = node.title;
    fields.back() = node.id;
    csv += '\n' + csv_row(fields, ';');
  });
  return csv;
}

Result<Wbs> wbs_from_csv(std::string_view csv) {
  const char delimiter = guess_delimiter(csv.substr(0, csv.find('\n')));
  auto rows = read_csv(csv, delimiter);
  if (rows.empty() || rows.front().size() < 3)
    return broken("WBS table: the header with level columns and id is missing.");
  const std::size_t level_columns = rows.front().size() - 1;
  if (level_columns > kWbsSubtask) return broken("WBS table: more than four levels.");
  rows = joined_rows(std::move(rows), level_columns + 1);
  Wbs wbs;
  std::set<std::string> ids;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    PLANEXE_TRY_ASSIGN(Row row, read_row(rows[i], level_columns, delimiter));
    if (row.id.empty() || !ids.insert(row.id).second)
      return broken(fmt::format("WBS table: the id \"{}\" of \"{}\" is empty or occurs twice.", row.id, row.title));
    if (ids.size() > kWbsNodesMax) return broken(fmt::format("WBS table: more than {} rows.", kWbsNodesMax));
    PLANEXE_TRY(insert_row(wbs, std::move(row)));
  }
  if (wbs.root.title.empty()) return broken("WBS table: the row of the project is missing.");
  number_wbs(wbs);
  return wbs;
}

}  // namespace planexe::plan
