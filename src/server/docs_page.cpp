#include "server/docs_page.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/embedded.hpp"
#include "plan/html.hpp"
#include "server/docs_schema.hpp"

namespace planexe::server {
namespace {

using plan::escape_html;

constexpr std::array<std::string_view, 5> kMethods{"get", "post", "put", "patch", "delete"};

std::string_view asset(std::string_view name) {
  const auto* file = embedded::find("docs", name);
  PLANEXE_ASSERT(file != nullptr);
  return file->bytes;
}

std::string text_of(const json::object& object, std::string_view name) {
  return escape_html(get_string(object, name).value_or(""));
}

/// One operation with what its path says.
struct Entry {
  std::string method, path;
  const json::object* operation = nullptr;
  const json::object* item = nullptr;
};

class Writer {
 public:
  explicit Writer(const json::object& document) : document_(document) { collect(); }

  std::string navigation() const;
  std::string introduction() const;
  std::string operations() const;
  std::string schemas() const;

 private:
  void collect();
  const std::vector<Entry> of_tag(std::string_view tag) const;
  std::string operation_html(const Entry& entry) const;
  std::string facts_html(const json::object& operation) const;
  std::string parameters_html(const Entry& entry) const;
  std::string content_html(const json::object& holder) const;
  std::string responses_html(const json::object& operation) const;
  std::string stream_html(const json::object& operation) const;

  const json::object& document_;
  std::vector<Entry> entries_;
  json::array tags_;
};

void Writer::collect() {
  if (const auto* tags = get_array(document_, "tags")) tags_ = *tags;
  const auto* paths = get_object(document_, "paths");
  if (paths == nullptr) return;
  for (const auto& [path, value] : *paths) {
    const auto* item = value.if_object();
    if (item == nullptr) continue;
    for (const auto method : kMethods) {
      std::string name(method);
      for (char& c : name) c = static_cast<char>(c - 'a' + 'A');
      if (const auto* operation = get_object(*item, method))
        entries_.push_back({std::move(name), std::string(path), operation, item});
    }
  }
}

const std::vector<Entry> Writer::of_tag(std::string_view tag) const {
  std::vector<Entry> found;
  for (const auto& entry : entries_) {
    const auto* tags = get_array(*entry.operation, "tags");
    if (tags != nullptr && !tags->empty() && tags->front().is_string() && tags->front().get_string() == tag)
      found.push_back(entry);
  }
  return found;
}

std::string method_html(const std::string& method) {
  return fmt::format("<span class=\"method {0}\">{0}</span>", escape_html(method));
}

std::string Writer::navigation() const {
  std::string html;
  for (const auto& tag : tags_) {
    const auto name = get_string(tag, "name").value_or("");
    html += fmt::format("<h2>{}</h2>\n<ul>\n", escape_html(name));
    for (const auto& entry : of_tag(name)) {
      html += fmt::format("<li><a href=\"#{}\">{} <span>{}</span></a></li>\n", text_of(*entry.operation, "operationId"),
                          method_html(entry.method), escape_html(entry.path));
    }
    html += "</ul>\n";
  }
  return html + "<h2><a href=\"#schemas\">schemas</a></h2>\n";
}

std::string Writer::introduction() const {
  const auto* info = get_object(document_, "info");
  if (info == nullptr) return {};
  return fmt::format("<h1>{} <small>{}</small></h1>\n<p>{} <a href=\"/openapi.json\">openapi.json</a></p>\n{}",
                     text_of(*info, "title"), text_of(*info, "version"), text_of(*info, "summary"),
                     prose_html(get_string(*info, "description").value_or("")));
}

std::string Writer::operations() const {
  std::string html;
  for (const auto& tag : tags_) {
    const auto name = get_string(tag, "name").value_or("");
    html += fmt::format("<section class=\"tag\"><h2>{}</h2>{}\n", escape_html(name),
                        prose_html(get_string(tag, "description").value_or("")));
    for (const auto& entry : of_tag(name)) html += operation_html(entry);
    html += "</section>\n";
  }
  return html;
}

std::string Writer::operation_html(const Entry& entry) const {
  const auto& operation = *entry.operation;
  std::string html = fmt::format(
      "<article id=\"{0}\"><h3>{1} <code>{2}</code></h3>\n<p class=\"summary\">{3} <a class=\"anchor\" "
      "href=\"#{0}\">{0}</a></p>\n",
      text_of(operation, "operationId"), method_html(entry.method), escape_html(entry.path),
      text_of(operation, "summary"));
  html += prose_html(get_string(operation, "description").value_or(""));
  html += facts_html(operation) + parameters_html(entry);
  if (const auto* body = get_object(operation, "requestBody"))
    html += fmt::format("<h4>Body{}</h4>\n", get_bool(*body, "required").value_or(false) ? "" : " (optional)") +
            content_html(*body);
  return html + responses_html(operation) + stream_html(operation) + "</article>\n";
}

std::string Writer::facts_html(const json::object& operation) const {
  std::string html;
  const auto* security = get_array(operation, "security");
  if (security != nullptr && security->empty()) html += "<li>open without a token</li>";
  if (const auto rate = get_string(operation, "x-rate-class"); rate && *rate != "all")
    html += "<li>rate limit: <code>" + escape_html(*rate) + "</code></li>";
  return html.empty() ? "" : "<ul class=\"facts\">" + html + "</ul>\n";
}

std::string Writer::parameters_html(const Entry& entry) const {
  std::string rows;
  for (const auto* holder : {entry.item, entry.operation}) {
    const auto* parameters = get_array(*holder, "parameters");
    if (parameters == nullptr) continue;
    for (const auto& value : *parameters) {
      if (!value.is_object()) continue;
      const auto& parameter = resolved(document_, value.get_object());
      const auto* schema = get_object(parameter, "schema");
      rows += fmt::format("<tr><td><code>{}</code> <i>{}{}</i></td><td>{}</td><td>{}</td></tr>\n",
                          text_of(parameter, "name"), text_of(parameter, "in"),
                          get_bool(parameter, "required").value_or(false) ? ", required" : "",
                          schema == nullptr ? "" : schema_type_html(*schema),
                          prose_html(get_string(parameter, "description").value_or("")));
    }
  }
  if (rows.empty()) return {};
  return "<h4>Parameters</h4>\n<div class=\"wide\"><table><tbody>\n" + rows + "</tbody></table></div>\n";
}

/// The media types of a body or response with their schemas.
std::string Writer::content_html(const json::object& holder) const {
  const auto* content = get_object(holder, "content");
  if (content == nullptr) return {};
  std::string html;
  for (const auto& [type, value] : *content) {
    html += "<p><code>" + escape_html(type) + "</code>";
    const auto* schema = get_object(value, "schema");
    if (schema == nullptr) {
      html += "</p>\n";
      continue;
    }
    html += ": " + schema_type_html(*schema) + "</p>\n" + schema_fields_html(*schema);
  }
  return html;
}

/// The codes that an error response can carry.
std::string codes_html(const json::object& response) {
  std::string codes;
  const auto* content = get_object(response, "content");
  const auto* json_type = content == nullptr ? nullptr : get_object(*content, "application/json");
  const auto* schema = json_type == nullptr ? nullptr : get_object(*json_type, "schema");
  const auto* parts = schema == nullptr ? nullptr : get_array(*schema, "allOf");
  if (parts == nullptr) return codes;
  for (const auto& part : *parts) {
    const auto* fields = get_object(part, "properties");
    const auto* code = fields == nullptr ? nullptr : get_object(*fields, "code");
    const auto* values = code == nullptr ? nullptr : get_array(*code, "enum");
    if (values == nullptr) continue;
    for (const auto& value : *values)
      if (value.is_string())
        codes += (codes.empty() ? "" : ", ") + ("<code>" + escape_html(value.get_string()) + "</code>");
  }
  return codes;
}

std::string Writer::responses_html(const json::object& operation) const {
  const auto* responses = get_object(operation, "responses");
  if (responses == nullptr) return {};
  std::string good, errors;
  for (const auto& [status, value] : *responses) {
    if (!value.is_object()) continue;
    const auto& response = resolved(document_, value.get_object());
    const auto description = text_of(response, "description");
    if (status.starts_with('4') || status.starts_with('5')) {
      errors += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_html(status), codes_html(response),
                            description);
    } else {
      good += fmt::format("<p><b>{}</b> {}</p>\n", escape_html(status), description) + content_html(response);
    }
  }
  if (!errors.empty())
    errors = "<details><summary>Errors</summary><div class=\"wide\"><table><tbody>\n" + errors +
             "</tbody></table></div></details>\n";
  return "<h4>Answers</h4>\n" + good + errors;
}

/// Events of an event stream, messages and close codes of a WebSocket.
std::string Writer::stream_html(const json::object& operation) const {
  std::string html;
  const auto list = [&](const json::array* entries, std::string_view name, std::string_view title) {
    if (entries == nullptr) return;
    html += fmt::format("<h4>{}</h4>\n<ul>\n", title);
    for (const auto& entry : *entries) {
      const auto* schema = get_object(entry, "schema");
      html += fmt::format("<li><code>{}</code>: {}</li>\n", escape_html(get_string(entry, name).value_or("")),
                          schema == nullptr ? "" : schema_type_html(*schema));
    }
    html += "</ul>\n";
  };
  list(get_array(operation, "x-events"), "event", "Events");
  if (const auto* messages = get_object(operation, "x-messages"))
    for (const auto& [direction, entries] : *messages)
      list(entries.if_array(), "type", "Messages: " + escape_html(direction));
  const auto* codes = get_array(operation, "x-close-codes");
  if (codes == nullptr) return html;
  html += "<h4>Close codes</h4>\n<ul>\n";
  for (const auto& code : *codes)
    html += fmt::format("<li><b>{}</b> {} A client should: {}.</li>\n", get_int(code, "code").value_or(0),
                        escape_html(get_string(code, "meaning").value_or("")),
                        escape_html(get_string(code, "client").value_or("")));
  return html + "</ul>\n";
}

std::string Writer::schemas() const {
  const auto* components = get_object(document_, "components");
  const auto* all = components == nullptr ? nullptr : get_object(*components, "schemas");
  if (all == nullptr) return {};
  std::string html = "<section class=\"tag\" id=\"schemas\"><h2>schemas</h2>\n";
  for (const auto& [name, value] : *all) {
    const auto* schema = value.if_object();
    if (schema == nullptr) continue;
    const auto title = escape_html(name);
    html += fmt::format("<details class=\"schema\" id=\"schema-{0}\"><summary>{0}</summary>\n<p>{1}</p>\n", title,
                        schema_type_html(*schema));
    html += prose_html(get_string(*schema, "description").value_or("")) + schema_fields_html(*schema);
    if (const auto* examples = get_array(*schema, "examples"); examples != nullptr && !examples->empty())
      html += json_html(examples->front());
    html += "</details>\n";
  }
  return html + "</section>\n";
}

}  // namespace

DocsPage make_docs_page(const json::object& contract) {
  const Writer writer(contract);
  const auto style = asset("docs.css");
  const auto script = asset("docs.js");
  DocsPage page;
  page.html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>PlanExe: "
      "interface</title>\n<style>{}</style>\n</head>\n<body>\n"
      "<nav><label for=\"filter\">Find</label><input id=\"filter\" type=\"search\" placeholder=\"path, name\" "
      "autocomplete=\"off\">\n{}</nav>\n"
      "<main>\n{}{}{}</main>\n<script>{}</script>\n</body>\n</html>\n",
      style, writer.navigation(), writer.introduction(), writer.operations(), writer.schemas(), script);
  page.security_policy = "default-src 'none'; style-src 'unsafe-inline'; script-src '" + plan::csp_hash(script) +
                         "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return page;
}

}  // namespace planexe::server
