#include "wire_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace planexe::rehearsal {
namespace {

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 302: return "Found";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Status";
  }
}

}  // namespace

std::string_view HttpRequest::path() const { return std::string_view(target).substr(0, target.find('?')); }

std::string_view HttpRequest::query(std::string_view name) const {
  const auto mark = target.find('?');
  if (mark == std::string::npos) return {};
  std::string_view rest = std::string_view(target).substr(mark + 1);
  while (!rest.empty()) {
    const auto pair = rest.substr(0, rest.find('&'));
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) == name) return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
  }
  return {};
}

std::string_view HttpRequest::header(std::string_view name) const {
  const auto at = std::find_if(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
  return at == headers.end() ? std::string_view() : std::string_view(at->second);
}

void WirePlan::write(std::string bytes) {
  if (bytes.empty()) return;
  // Writes without a wait between them travel together: a system call per event would be the largest cost of all.
  if (!steps.empty() && steps.back().kind == WireStep::Kind::write) {
    steps.back().bytes += bytes;
  } else {
    steps.push_back({WireStep::Kind::write, std::move(bytes)});
  }
}

void WirePlan::wait(std::chrono::milliseconds duration) {
  if (duration.count() > 0) steps.push_back({WireStep::Kind::wait, {}, duration});
}

void WirePlan::end(WireStep::Kind kind) {
  steps.push_back({kind});
  keep_alive = false;
}

std::string http_head(int status, const Headers& headers) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, reason(status));
  for (const auto& [name, value] : headers) head += fmt::format("{}: {}\r\n", name, value);
  return head + "\r\n";
}

std::string http_answer(int status, Headers headers, std::string_view body) {
  if (status != 204) headers.emplace_back("content-length", std::to_string(body.size()));
  return http_head(status, headers).append(status == 204 ? std::string_view() : body);
}

std::string http_chunk(std::string_view bytes) {
  return bytes.empty() ? std::string() : fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

WirePlan cut_writes(WirePlan plan, const std::vector<std::size_t>& sizes) {
  if (sizes.empty()) return plan;
  std::vector<WireStep> cut;
  std::size_t turn = 0;
  for (auto& step : plan.steps) {
    if (step.kind != WireStep::Kind::write) {
      cut.push_back(std::move(step));
      continue;
    }
    std::string_view rest = step.bytes;
    while (!rest.empty()) {
      const auto n = std::min(rest.size(), std::max<std::size_t>(1, sizes[turn++ % sizes.size()]));
      cut.push_back({WireStep::Kind::write, std::string(rest.substr(0, n))});
      rest.remove_prefix(n);
    }
  }
  plan.steps = std::move(cut);
  return plan;
}

}  // namespace planexe::rehearsal
