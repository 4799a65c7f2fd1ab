#include <fmt/format.h>

#include <utility>

#include "plan/builtins/common.hpp"
#include "plan/schedule.hpp"

namespace planexe::plan {
namespace {

json::value date_value(const std::optional<Date>& date) {
  return date ? json::value(format_date(*date)) : json::value(nullptr);
}

json::array strings(const std::vector<std::string>& values) {
  json::array array;
  for (const std::string& value : values) array.emplace_back(value);
  return array;
}

json::object calendar_to_json(const Calendar& calendar) {
  json::array weekdays;
  for (const int weekday : calendar.working_weekdays()) weekdays.emplace_back(weekday);
  json::array holidays;
  for (const Date holiday : calendar.holidays()) holidays.emplace_back(format_date(holiday));
  return {{"working_weekdays", std::move(weekdays)}, {"holidays", std::move(holidays)}};
}

json::object activity_to_json(const Activity& row) {
  json::object object{{"id", row.id},
                      {"parent_id", row.parent_id.empty() ? json::value(nullptr) : json::value(row.parent_id)}};
  if (!row.ref.empty()) object["ref"] = row.ref;
  object["level"] = row.level;
  object["kind"] = to_string(row.kind);
  object["title"] = row.title;
  object["duration_days"] = row.duration_days;
  object["es"] = row.es;
  object["ef"] = row.ef;
  object["ls"] = row.ls;
  object["lf"] = row.lf;
  object["total_float"] = row.total_float;
  object["free_float"] = row.free_float;
  object["critical"] = row.critical;
  object["start_date"] = format_date(row.start_date);
  object["finish_date"] = format_date(row.finish_date);
  if (row.estimate)
    object["estimate"] = json::object{{"min", row.estimate->min},
                                      {"realistic", row.estimate->realistic},
                                      {"max", row.estimate->max},
                                      {"source", row.estimate->derived ? "derived" : "model"}};
  return object;
}

json::object horizon_to_json(const Horizon& horizon) {
  json::array statements;
  for (const HorizonStatement& statement : horizon.statements)
    statements.push_back(json::object{{"kind", statement.kind},
                                      {"quote", statement.quote},
                                      {"source", statement.source},
                                      {"target_date", date_value(statement.target)}});
  return {{"result", to_string(horizon.result)},
          {"quote", horizon.quote},
          {"source", horizon.source},
          {"target_date", date_value(horizon.target)},
          {"computed_finish", date_value(horizon.finish)},
          {"distance_days", horizon.target ? json::value(horizon.distance_days) : json::value(nullptr)},
          {"statements", std::move(statements)}};
}

json::object coverage_to_json(const ScheduleCoverage& coverage) {
  return {{"tasks", coverage.tasks},
          {"answered", coverage.answered},
          {"without_answer", strings(coverage.without_answer)},
          {"without_links", strings(coverage.without_links)},
          {"isolated_phases", strings(coverage.isolated_phases)},
          {"open_starts", coverage.open_starts},
          {"open_ends", coverage.open_ends},
          {"derived_estimates", coverage.derived_estimates}};
}

json::object lengths_to_json(const ScheduleLengths& lengths) {
  return {{"critical_days", lengths.critical_days},
          {"chained_days", lengths.chained_days},
          {"finish_date", format_date(lengths.finish_date)},
          {"chained_finish_date", format_date(lengths.chained_finish_date)}};
}

json::array links_to_json(const std::vector<ScheduleLink>& links) {
  json::array array;
  for (const ScheduleLink& link : links)
    array.push_back(json::object{{"from", link.from},
                                 {"to", link.to},
                                 {"type", to_string(link.type)},
                                 {"lag_days", link.lag_days},
                                 {"explanation", link.explanation},
                                 {"driving", link.driving}});
  return array;
}

json::array rejected_to_json(const std::vector<RejectedLink>& links) {
  json::array array;
  for (const RejectedLink& link : links)
    array.push_back(
        json::object{{"from", link.from}, {"to", link.to}, {"type", to_string(link.type)}, {"reason", link.reason}});
  return array;
}

// Reads typed members and keeps the first thing that was wrong, so that reading stays one line per field.
class Reader {
 public:
  std::string text(const json::value& object, std::string_view key) {
    const auto value = get_string(object, key);
    if (!value) missing(key, "text");
    return std::string(value.value_or(""));
  }
  int number(const json::value& object, std::string_view key) {
    const auto value = get_int(object, key);
    if (!value || *value < -2'000'000'000 || *value > 2'000'000'000) missing(key, "a whole number");
    return static_cast<int>(value.value_or(0));
  }
  bool flag(const json::value& object, std::string_view key) {
    const auto value = get_bool(object, key);
    if (!value) missing(key, "true or false");
    return value.value_or(false);
  }
  Date date(const json::value& object, std::string_view key) {
    const auto parsed = parse_date(get_string(object, key).value_or(""));
    if (!parsed) missing(key, "a date (YYYY-MM-DD)");
    return parsed.value_or(Date{});
  }
  std::optional<Date> optional_date(const json::value& object, std::string_view key) {
    const json::value* member = find(object, key);
    if (member == nullptr || member->is_null()) return std::nullopt;
    return date(object, key);
  }
  const json::array& array(const json::value& object, std::string_view key) {
    if (get_array(object, key) == nullptr) missing(key, "a list");
    return list(object, key);
  }
  const json::value& member(const json::value& object, std::string_view key) {
    static const json::value null;
    const json::value* found = find(object, key);
    if (found == nullptr) missing(key, "there");
    return found == nullptr ? null : *found;
  }
  std::vector<std::string> strings(const json::value& object, std::string_view key) {
    std::vector<std::string> values;
    for (const json::value& value : array(object, key)) {
      if (!value.is_string()) missing(key, "a list of texts");
      if (value.is_string()) values.emplace_back(std::string_view(value.get_string()));
    }
    return values;
  }
  LinkType link_type(const json::value& object) {
    const auto type = link_type_from(text(object, "type"));
    if (!type) missing("type", "FS, SS, FF or SF");
    return type.value_or(LinkType::FS);
  }
  void missing(std::string_view key, std::string_view wanted) {
    if (problem_.empty()) problem_ = fmt::format("Schedule file: \"{}\" is not {}.", key, wanted);
  }
  Result<void> check() const {
    if (!problem_.empty()) return fail(ErrorCode::TaskFailed, problem_);
    return {};
  }

 private:
  std::string problem_;
};

Activity read_activity(Reader& in, const json::value& object) {
  Activity row;
  row.id = in.text(object, "id");
  row.ref = text(object, "ref");
  row.parent_id = text(object, "parent_id");
  row.level = in.number(object, "level");
  const auto kind = activity_kind_from(in.text(object, "kind"));
  if (!kind) in.missing("kind", "summary, task, subtask or milestone");
  row.kind = kind.value_or(ActivityKind::task);
  row.title = in.text(object, "title");
  row.duration_days = in.number(object, "duration_days");
  row.es = in.number(object, "es");
  row.ef = in.number(object, "ef");
  row.ls = in.number(object, "ls");
  row.lf = in.number(object, "lf");
  row.total_float = in.number(object, "total_float");
  row.free_float = in.number(object, "free_float");
  row.critical = in.flag(object, "critical");
  row.start_date = in.date(object, "start_date");
  row.finish_date = in.date(object, "finish_date");
  if (const json::value* estimate = find(object, "estimate"))
    row.estimate = Estimate{in.number(*estimate, "min"), in.number(*estimate, "realistic"), in.number(*estimate, "max"),
                            in.text(*estimate, "source") == "derived"};
  return row;
}

ScheduleLink read_link(Reader& in, const json::value& object) {
  return {in.text(object, "from"),       in.text(object, "to"),          in.link_type(object),
          in.number(object, "lag_days"), in.text(object, "explanation"), in.flag(object, "driving")};
}

Horizon read_horizon(Reader& in, const json::value& object) {
  Horizon horizon;
  const auto result = horizon_result_from(in.text(object, "result"));
  if (!result) in.missing("result", "not_stated, fits, overshoots or unclear");
  horizon.result = result.value_or(HorizonResult::unclear);
  horizon.quote = in.text(object, "quote");
  horizon.source = in.text(object, "source");
  horizon.target = in.optional_date(object, "target_date");
  horizon.finish = in.optional_date(object, "computed_finish");
  horizon.distance_days = static_cast<int>(get_int(object, "distance_days").value_or(0));
  for (const json::value& statement : in.array(object, "statements"))
    horizon.statements.push_back({in.text(statement, "kind"), in.text(statement, "quote"), in.text(statement, "source"),
                                  in.optional_date(statement, "target_date")});
  return horizon;
}

ScheduleCoverage read_coverage(Reader& in, const json::value& object) {
  return {
      in.number(object, "tasks"),          in.number(object, "answered"),         in.strings(object, "without_answer"),
      in.strings(object, "without_links"), in.strings(object, "isolated_phases"), in.number(object, "open_starts"),
      in.number(object, "open_ends"),      in.number(object, "derived_estimates")};
}

ScheduleLengths read_lengths(Reader& in, const json::value& object) {
  return {in.number(object, "critical_days"), in.number(object, "chained_days"), in.date(object, "finish_date"),
          in.date(object, "chained_finish_date")};
}

Result<Calendar> read_calendar(Reader& in, const json::value& value) {
  const Date start = in.date(value, "project_start");
  const json::value& object = in.member(value, "calendar");
  std::vector<int> weekdays;
  for (const json::value& weekday : in.array(object, "working_weekdays"))
    weekdays.push_back(static_cast<int>(as_int(weekday).value_or(0)));
  std::vector<Date> holidays;
  for (const std::string& text : in.strings(object, "holidays")) {
    const auto holiday = parse_date(text);
    if (!holiday) in.missing("holidays", "a list of dates");
    if (holiday) holidays.push_back(*holiday);
  }
  PLANEXE_TRY(in.check());
  return Calendar::make(start, weekdays, std::move(holidays));
}

}  // namespace

json::value schedule_to_json(const Schedule& schedule) {
  json::array activities;
  for (const Activity& row : schedule.activities) activities.push_back(activity_to_json(row));
  json::object object;
  object["project_start"] = format_date(schedule.calendar.start());
  object["calendar"] = calendar_to_json(schedule.calendar);
  object["activities"] = std::move(activities);
  object["links"] = links_to_json(schedule.links);
  object["rejected_links"] = rejected_to_json(schedule.rejected_links);
  object["critical_path"] = strings(schedule.critical_path);
  object["lengths"] = lengths_to_json(schedule.lengths);
  object["horizon"] = horizon_to_json(schedule.horizon);
  object["coverage"] = coverage_to_json(schedule.coverage);
  object["warnings"] = strings(schedule.warnings);
  return object;
}

Result<Schedule> schedule_from_json(const json::value& value) {
  Reader in;
  PLANEXE_TRY_ASSIGN(Calendar calendar, read_calendar(in, value));
  Schedule schedule(std::move(calendar));
  for (const json::value& row : in.array(value, "activities")) schedule.activities.push_back(read_activity(in, row));
  for (const json::value& link : in.array(value, "links")) schedule.links.push_back(read_link(in, link));
  for (const json::value& link : in.array(value, "rejected_links"))
    schedule.rejected_links.push_back(
        {in.text(link, "from"), in.text(link, "to"), in.link_type(link), in.text(link, "reason")});
  schedule.critical_path = in.strings(value, "critical_path");
  schedule.lengths = read_lengths(in, in.member(value, "lengths"));
  schedule.horizon = read_horizon(in, in.member(value, "horizon"));
  schedule.coverage = read_coverage(in, in.member(value, "coverage"));
  schedule.warnings = in.strings(value, "warnings");
  PLANEXE_TRY(in.check());
  return schedule;
}

}  // namespace planexe::plan
