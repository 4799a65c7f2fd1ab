#include <gtest/gtest.h>

#include "base/file.hpp"
#include "recipe/template.hpp"

namespace planexe::recipe {
namespace {

Result<std::string> render_case(const json::value& test) {
  Fragments fragments;
  if (const json::object* sources = get_object(test, "fragments"))
    for (const auto& source : *sources) {
      const std::string name(source.key());
      PLANEXE_TRY_ASSIGN(Template fragment, parse_template(std::string_view(source.value().as_string()), name + ".md"));
      fragments.emplace(name, std::move(fragment));
    }
  PLANEXE_TRY_ASSIGN(const Template tmpl, parse_template(get_string(test, "template").value(), "case.md"));
  Scope scope;
  for (const auto& root : *get_object(test, "input")) scope.set(std::string(root.key()), &root.value());
  return render(tmpl, scope, fragments);
}

TEST(TemplateConformance, AllCases) {
  const auto bytes = read_file(std::string(PLANEXE_SOURCE_DIR) + "/tests/conformance/template/cases.json", 1 << 20);
  ASSERT_TRUE(bytes.has_value());
  const auto cases = parse_json(*bytes);
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  ASSERT_GT(cases->as_array().size(), 100U);
  for (const json::value& test : cases->as_array()) {
    SCOPED_TRACE(std::string(get_string(test, "name").value()));
    const auto rendered = render_case(test);
    if (const auto expected = get_string(test, "output")) {
      ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
      EXPECT_EQ(*rendered, *expected);
    } else {
      ASSERT_FALSE(rendered.has_value()) << "rendered: " << *rendered;
      EXPECT_NE(rendered.error().message.find(std::string(get_string(test, "error").value())), std::string::npos)
          << rendered.error().message;
    }
  }
}

}  // namespace
}  // namespace planexe::recipe
