#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "plan/report.hpp"
#include "store/store.hpp"

namespace planexe::server {

enum class ReportForm { html, json };

/// The form that a request asks for: `format` (html, json or "") goes before the Accept header (RFC 9110, 12.5.1),
/// whose quality values are obeyed. HTML where both are as welcome. Nothing when neither is acceptable. Pure.
std::optional<ReportForm> report_form(std::string_view format, std::string_view accept);

/// The security policy to send with a stored report. Its one script is allowed by the hash that the template of the
/// version that made it has put into the page; a page of another origin gets the hash of our present template. Pure.
std::string report_policy(std::string_view html);

/// Gives the bytes of a current file; nothing when it is gone.
using LoadText = std::function<Result<std::optional<std::string>>(const std::string& filename)>;

/// What reports are made from: the plan, the states of its tasks and those of the stored files that reports read.
Result<plan::ReportSource> report_source(const store::PlanRow& plan, const store::TaskBoard& board,
                                         const LoadText& load);

/// StructuredReport of the contract; nothing while no section exists. `board.contents` says which files exist. Pure.
std::optional<json::object> structured_report(const store::PlanRow& plan, const store::TaskBoard& board,
                                              const plan::ReportSource& source);

/// The time of the newest of these files, or `fallback` when there is none: what is made for a request has the time of
/// what it is made from, so that its tag stays the same while nothing changes.
TimePoint newest(const std::vector<store::ContentRow>& rows, TimePoint fallback);

}  // namespace planexe::server
