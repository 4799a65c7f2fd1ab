#include <gtest/gtest.h>

#include "base/log.hpp"
#include "store/postgresql/address.hpp"
#include "store/postgresql/error.hpp"
#include "store/postgresql/statement.hpp"

namespace planexe::store::postgresql {
namespace {

TEST(PostgresqlStatement, ParametersAreNumberedOutsideOfQuotesAndComments) {
  const auto numbered =
      number_parameters("SELECT ?, '?', \"?\", E'\\'?', $$?$$, $a$?$a$ -- ?\n, /* ? */ ? WHERE a = ?");
  EXPECT_EQ(numbered.text, "SELECT $1, '?', \"?\", E'\\'?', $$?$$, $a$?$a$ -- ?\n, /* ? */ $2 WHERE a = $3");
  EXPECT_EQ(numbered.parameters, 3);
  EXPECT_EQ(number_parameters("LIKE ? ESCAPE '\\' AND b = ?").text, "LIKE $1 ESCAPE '\\' AND b = $2");
  EXPECT_EQ(number_parameters("").text, "");
  EXPECT_EQ(number_parameters("'open ?").text, "'open ?");
}

TEST(PostgresqlStatement, ScriptsAreSplitAtTheirSemicolons) {
  using List = std::vector<std::string_view>;
  EXPECT_EQ(split_script("A; B ;\n-- only; a remark\n;"), (List{"A", " B "}));
  EXPECT_EQ(split_script("INSERT ';' ; C $$ ; $$"), (List{"INSERT ';' ", " C $$ ; $$"}));
  EXPECT_EQ(split_script("-- first;\nCREATE \"a;b\" /* ; */"), (List{"-- first;\nCREATE \"a;b\" /* ; */"}));
  EXPECT_EQ(split_script(" \n"), List{});
}

TEST(PostgresqlAddress, IsShownWithoutPasswordAndOptions) {
  const auto address = Address::parse("postgresql://ann:p%40ss%3Aword@db.example:6000/plans?sslmode=require");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->shown(), "postgresql://ann@db.example:6000/plans");
  EXPECT_EQ(address->server(), "db.example:6000");
  EXPECT_EQ(redact("x p@ss:word y"), "x *** y") << "the log knows it";
  const auto has = [&](const std::string& keyword, const std::string& value) {
    return std::ranges::find(address->parameters(), std::pair(keyword, value)) != address->parameters().end();
  };
  EXPECT_TRUE(has("sslmode", "require"));
  EXPECT_TRUE(has("password", "p@ss:word"));
  EXPECT_TRUE(has("client_encoding", "UTF8"));
  EXPECT_EQ(Address::parse("postgresql:///plans?host=/run/sock")->shown(),
            "postgresql:///plans?host=/run/sock&port=5432");
}

TEST(PostgresqlAddress, UnreadableUrlsShowNothing) {
  for (const auto* url :
       {"postgresql://u:secret%zz@h/d", "postgresql://u:secret@h/d?what=1", "postgresql://u:secret@[h/d"}) {
    const auto address = Address::parse(url);
    ASSERT_FALSE(address) << url;
    EXPECT_EQ(address.error().code, ErrorCode::InvalidConfig);
    EXPECT_EQ(to_string(address.error()).find("secret"), std::string::npos);
  }
}

TEST(PostgresqlErrors, StatesSayWhatToDo) {
  const auto address = Address::parse("postgresql://ann:word-of-ann@db.example/plans").value();
  struct Case {
    const char* state;
    ErrorCode code;
    const char* words;
  };
  for (const auto& [state, code, words] :
       {Case{"", ErrorCode::DatabaseUnavailable, "db.example:5432 cannot be reached"},
        Case{"28P01", ErrorCode::InvalidConfig, "password of user ann"},
        Case{"28000", ErrorCode::InvalidConfig, "pg_hba.conf"},
        Case{"3D000", ErrorCode::InvalidConfig, "createdb plans"},
        Case{"42501", ErrorCode::InvalidConfig, "OWNER TO ann"},
        Case{"53300", ErrorCode::DatabaseUnavailable, "max_connections"},
        Case{"53100", ErrorCode::IoError, "disk is full"}, Case{"57P01", ErrorCode::DatabaseUnavailable, "stopping"},
        Case{"57014", ErrorCode::DatabaseUnavailable, "in time"},
        Case{"40P01", ErrorCode::DatabaseUnavailable, "conflicting"},
        Case{"25006", ErrorCode::DatabaseUnavailable, "standby"}, Case{"54000", ErrorCode::LimitExceeded, "too large"},
        Case{"23505", ErrorCode::DatabaseError, "refused a statement"}}) {
    const auto error = make_error(state, "words with word-of-ann\nof the server", address);
    EXPECT_EQ(error.code, code) << state;
    EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
    EXPECT_EQ(to_string(error).find("word-of-ann"), std::string::npos);
  }
}

TEST(PostgresqlErrors, TheStateIsFoundInAMessage) {
  EXPECT_EQ(sqlstate_in("connection to server at \"h\" failed: FATAL:  28P01: password authentication failed"),
            "28P01");
  EXPECT_EQ(sqlstate_in("FEHLER:  3D000: Datenbank existiert nicht"), "3D000");
  EXPECT_EQ(sqlstate_in("could not connect: Connection refused"), "");
  EXPECT_EQ(sqlstate_in("FATAL:  short"), "");
}

TEST(PostgresqlErrors, WhatIsTriedAgain) {
  for (const auto* state : {"40001", "40P01", "55P03", "23503"}) EXPECT_TRUE(is_conflict(state)) << state;
  for (const auto* state : {"", "23505", "57014"}) EXPECT_FALSE(is_conflict(state)) << state;
  for (const auto* state : {"", "08006", "57P01", "25P03"}) EXPECT_TRUE(ends_connection(state)) << state;
  for (const auto* state : {"23505", "40P01", "57014"}) EXPECT_FALSE(ends_connection(state)) << state;
}

}  // namespace
}  // namespace planexe::store::postgresql
