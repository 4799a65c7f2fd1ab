#include "recipe/template.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Any bytes as a template over any JSON: no crash, no endless loop, and every error names the file.
/// The input is the template, a NUL byte, and the JSON value of the root `a`.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace planexe;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t split = std::min(input.find('\0'), input.size());
  const auto tmpl = recipe::parse_template(input.substr(0, split), "f");
  if (!tmpl) {
    PLANEXE_ASSERT(tmpl.error().message.starts_with("f:"));
    return 0;
  }
  const auto value =
      split < size ? parse_json(input.substr(split + 1)) : Result<json::value>(json::value("text {{a}}"));
  recipe::Scope scope;
  if (value) scope.set("a", &*value);
  const recipe::Fragments fragments{{"f", *tmpl}};
  const auto rendered = recipe::render(*tmpl, scope, fragments);
  if (!rendered) PLANEXE_ASSERT(rendered.error().message.starts_with("f:"));
  (void)tmpl->paths(fragments);
  if (const auto condition = recipe::parse_condition(input.substr(0, split))) (void)recipe::evaluate(*condition, scope);
  return 0;
}
