#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/error.hpp"

namespace planexe {
namespace {

TEST(BaseError, CodesHaveTheirStableTexts) {
  EXPECT_EQ(to_string(ErrorCode::PlanNotFound), "PLAN_NOT_FOUND");
  EXPECT_EQ(to_string(ErrorCode::Internal), "INTERNAL");
  EXPECT_EQ(to_string(ErrorCode::Fenced), "FENCED");
}

TEST(BaseError, EveryTextLeadsBackToItsCodeAndIsUnique) {
  std::set<std::string_view> seen;
#define CHECK_CODE(name, text)                       \
  EXPECT_EQ(error_code_from(text), ErrorCode::name); \
  EXPECT_EQ(to_string(ErrorCode::name), text);       \
  EXPECT_TRUE(seen.insert(text).second) << text;
  PLANEXE_ERROR_CODES(CHECK_CODE)
#undef CHECK_CODE
  EXPECT_EQ(error_code_from("NO_SUCH_CODE"), std::nullopt);
  EXPECT_EQ(error_code_from("internal"), std::nullopt);
}

Result<int> half(int number) {
  if (number % 2 != 0) return fail(ErrorCode::InvalidArgument, "odd", "number");
  return number / 2;
}

Result<int> quarter(int number) {
  PLANEXE_TRY_ASSIGN(const int first, half(number));
  PLANEXE_TRY_ASSIGN(const int second, half(first));
  return second;
}

Result<> check(int number) {
  PLANEXE_TRY(half(number));
  return {};
}

TEST(BaseError, TryGivesBackTheFirstError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().code, ErrorCode::InvalidArgument);
  EXPECT_TRUE(check(2).has_value());
  EXPECT_EQ(check(1).error().message, "odd");
}

Result<std::unique_ptr<int>> boxed() { return std::make_unique<int>(7); }

Result<int> unboxed() {
  PLANEXE_TRY_ASSIGN(auto box, boxed());
  return *box;
}

TEST(BaseError, TryAssignMovesTheValue) { EXPECT_EQ(unboxed().value(), 7); }

TEST(BaseError, RemembersWhereItWasMadeAndPrintsOneLine) {
  const auto result = half(1);
  const Error& error = result.error();
  EXPECT_NE(std::string_view(error.where.file_name()).find("base_error.cpp"), std::string_view::npos);
  EXPECT_EQ(to_string(error), "INVALID_ARGUMENT: odd (number)");
  EXPECT_EQ(to_string(Error(ErrorCode::Timeout, "late")), "TIMEOUT: late");
}

TEST(BaseErrorDeathTest, AssertStopsTheProgramAndNamesThePlace) {
  EXPECT_DEATH(PLANEXE_ASSERT(1 + 1 == 3), "assertion failed: 1 \\+ 1 == 3 at .*base_error.cpp");
}

}  // namespace
}  // namespace planexe
