#include "server/details.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "server/limits.hpp"
#include "server/run_log.hpp"

namespace planexe::server {
namespace {

/// State of the task that writes the file; a file that no task writes is complete as it stands.
std::string state_of(const store::ContentRow& file, const std::vector<store::TaskRow>& tasks) {
  const auto task = std::ranges::find(tasks, file.task_key, &store::TaskRow::task_key);
  return task == tasks.end() ? "completed" : task->state;
}

json::object too_large(const std::string& plan_id, const store::ContentRow& file) {
  return {{"truncated", true},
          {"size_bytes", file.size_bytes},
          {"href", fmt::format("/api/plans/{}/content/{}", plan_id, file.filename)}};
}

/// The content as JSON; as text when it is none.
json::value data_of(const std::string& text) {
  if (auto parsed = parse_json(text)) return *std::move(parsed);
  return json::value(to_valid_utf8(text));
}

Result<json::array> stages_of(const DetailsSource& source) {
  json::array stages;
  for (const auto& file : *source.files) {
    if (!file.filename.ends_with(".json")) continue;
    json::value data = too_large(source.plan->plan_id, file);
    if (file.size_bytes <= static_cast<std::int64_t>(limits::kDetailsDataBytesMax)) {
      PLANEXE_TRY_ASSIGN(const auto text, source.load(file.filename));
      if (!text) continue;
      // It may have grown since it was listed.
      if (text->size() <= limits::kDetailsDataBytesMax) data = data_of(*text);
    }
    stages.push_back(json::object{{"stage", file.filename.substr(0, file.filename.rfind('.'))},
                                  {"status", state_of(file, *source.tasks)},
                                  {"data", std::move(data)}});
  }
  return stages;
}

json::array files_of(const std::vector<store::ContentRow>& files) {
  json::array list;
  for (const auto& file : files)
    list.push_back(json::object{{"filename", file.filename},
                                {"file_type", file.content_type},
                                {"size", file.size_bytes},
                                {"created_at", format_iso(file.created_at)}});
  return list;
}

}  // namespace

DetailParts detail_parts(const std::vector<std::string>& include) {
  DetailParts parts{false, false, false};
  bool named = false;
  for (const auto& value : include) {
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      const auto name = trim(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      named = named || !name.empty();
      parts.stages = parts.stages || name == "stages";
      parts.log = parts.log || name == "log";
      parts.files = parts.files || name == "files";
    }
  }
  return named ? parts : DetailParts{};
}

Result<json::object> plan_details(const DetailsSource& source, const DetailParts& parts) {
  json::object details{{"plan_id", source.plan->plan_id}, {"run_directory", source.plan->plan_id}};
  if (parts.stages) {
    PLANEXE_TRY_ASSIGN(details["pipeline_stages"], stages_of(source));
  }
  if (parts.log) {
    details["pipeline_log"] = to_valid_utf8(log_tail(source.log, limits::kDetailsLogBytesMax));
    details["log_total_bytes"] = source.log.size();
  }
  if (parts.files) {
    details["generated_files"] = files_of(*source.files);
    details["total_files"] = source.files->size();
  }
  return details;
}

}  // namespace planexe::server
