#include <gtest/gtest.h>

#include <fstream>

#include "plan/html.hpp"
#include "server/static_files.hpp"
#include "support/temp_dir.hpp"

namespace planexe::server {
namespace {

Request get(std::string path, std::map<std::string, std::string, std::less<>> headers = {}) {
  Request made;
  made.method = "GET";
  made.target = path;
  made.path = path.substr(0, path.find('?'));
  made.headers = std::move(headers);
  return made;
}

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return {};
}

class ServerStaticFiles : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& bytes) {
    const auto path = folder_.path() / "ui" / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  StaticFiles load() { return StaticFiles::load(folder_.path() / "ui").value(); }

  void SetUp() override { put("index.html", "<p>start</p>"); }

  test::TempDir folder_;
};

TEST_F(ServerStaticFiles, PagesAndFolders) {
  put("plans/index.html", "<p>plans</p>");
  const auto files = load();
  EXPECT_EQ(files.answer(get("/")).body, "<p>start</p>");
  EXPECT_EQ(files.answer(get("/index.html")).status, 200);
  EXPECT_EQ(files.answer(get("/plans/")).body, "<p>plans</p>");
  const auto moved = files.answer(get("/plans?id=a%20b"));
  EXPECT_EQ(moved.status, 308);
  EXPECT_EQ(header(moved, "Location"), "/plans/?id=a%20b");
  EXPECT_EQ(files.answer(get("/plans/none/")).status, 404);
}

TEST_F(ServerStaticFiles, MissingFilesShowThePageOfTheUi) {
  const auto bare = load().answer(get("/none"));
  EXPECT_EQ(bare.status, 404);
  EXPECT_EQ(bare.content_type, "text/html; charset=utf-8");
  put("404.html", "<p>lost</p>");
  const auto shown = load().answer(get("/none"));
  EXPECT_EQ(shown.status, 404);
  EXPECT_EQ(shown.body, "<p>lost</p>");
  EXPECT_FALSE(header(shown, "Content-Security-Policy").empty());
  EXPECT_FALSE(shown.tagged);
}

TEST_F(ServerStaticFiles, NoPathLeadsOutOfTheFolder) {
  put("a/index.html", "a");
  put("a b/ü.txt", "named");
  put(".env", "hidden");
  put(".git/config", "hidden");
  std::ofstream(folder_.path() / "secret.txt") << "secret";
  std::filesystem::create_symlink(folder_.path() / "secret.txt", folder_.path() / "ui" / "link.txt");
  std::filesystem::create_directory_symlink(folder_.path(), folder_.path() / "ui" / "up");
  std::filesystem::create_symlink("index.html", folder_.path() / "ui" / "inside.html");
  const auto files = load();
  for (const char* path :
       {"/../secret.txt", "/%2e%2e/secret.txt", "/a/../../secret.txt", "/..%2fsecret.txt", "/link.txt",
        "/up/secret.txt", "/.env", "/.git/config", "/%00", "/%", "/a%00/", "//secret.txt", "/a\\..\\secret.txt"}) {
    const auto answer = files.answer(get(path));
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body.find("secret"), std::string::npos) << path;
  }
  EXPECT_EQ(files.answer(get("/inside.html")).status, 200);
  EXPECT_EQ(files.answer(get("/a%20b/%C3%BC.txt")).body, "named");
  EXPECT_EQ(files.answer(get("//evil.example/a")).status, 404);
  EXPECT_EQ(files.answer(get("//a")).status, 404) << "a redirect to //a/ would be one to another host";
}

TEST_F(ServerStaticFiles, OnlyReadingIsAllowed) {
  auto request = get("/");
  request.method = "POST";
  const auto answer = load().answer(request);
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(header(answer, "Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(ServerStaticFiles, HashedNamesAreKeptForAYear) {
  put("_next/static/chunks/main.js", "1");
  put("app.0123abcd.css", "2");
  put("app.js", "3");
  const auto files = load();
  EXPECT_EQ(header(files.answer(get("/_next/static/chunks/main.js")), "Cache-Control"),
            "public, max-age=31536000, immutable");
  EXPECT_EQ(header(files.answer(get("/app.0123abcd.css")), "Cache-Control"), "public, max-age=31536000, immutable");
  for (const char* path : {"/app.js", "/"}) {
    const auto answer = files.answer(get(path));
    EXPECT_EQ(header(answer, "Cache-Control"), "no-cache") << path;
    EXPECT_TRUE(answer.tagged) << path;
    EXPECT_EQ(header(answer, "ETag").size(), 34U) << path;
  }
  EXPECT_NE(header(files.answer(get("/app.js")), "ETag"), header(files.answer(get("/")), "ETag"));
}

TEST_F(ServerStaticFiles, CompressedFormsGoToWhoTakesThem) {
  put("app.js", "plain");
  put("app.js.gz", "packed");
  put("archive.gz", "alone");
  const auto files = load();
  const auto packed = files.answer(get("/app.js", {{"accept-encoding", "br, gzip;q=0.5"}}));
  EXPECT_EQ(packed.body, "packed");
  EXPECT_EQ(header(packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(header(packed, "Vary"), "Accept-Encoding");
  EXPECT_EQ(packed.content_type, "text/javascript; charset=utf-8");
  const auto plain = files.answer(get("/app.js", {{"accept-encoding", "gzip;q=0"}}));
  EXPECT_EQ(plain.body, "plain");
  EXPECT_EQ(header(plain, "Vary"), "Accept-Encoding");
  EXPECT_NE(header(plain, "ETag"), header(packed, "ETag"));
  EXPECT_EQ(files.answer(get("/app.js.gz")).status, 404);
  EXPECT_EQ(files.answer(get("/archive.gz")).body, "alone");
}

TEST_F(ServerStaticFiles, InlineScriptsAreAllowedByTheirHashesOnly) {
  put("index.html", "<script>one()</script><SCRIPT type=\"x>y\">two()\r\n</SCRIPT><script src=\"/a.js\"></script>");
  const auto policy = header(load().answer(get("/")), "Content-Security-Policy");
  EXPECT_EQ(policy.find("default-src 'none'; "), 0U);
  EXPECT_NE(policy.find("'" + plan::csp_hash("one()") + "'"), std::string::npos);
  EXPECT_NE(policy.find("'" + plan::csp_hash("two()\n") + "'"), std::string::npos);
  const auto scripts =
      policy.substr(policy.find("script-src"), policy.find(';', policy.find("script-src")) - policy.find("script-src"));
  EXPECT_EQ(scripts.find("unsafe"), std::string::npos);
  EXPECT_EQ(std::ranges::count(scripts, '-'), 3) << scripts;
}

TEST_F(ServerStaticFiles, AFolderWithoutAStartPageIsRefused) {
  std::filesystem::remove(folder_.path() / "ui" / "index.html");
  const auto result = StaticFiles::load(folder_.path() / "ui");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
  EXPECT_EQ(result.error().message.find("PLANEXE_UI_DIR"), 0U);
  EXPECT_FALSE(StaticFiles::load(folder_.path() / "none"));
}

TEST(ServerStaticNames, MediaTypesAndHashes) {
  EXPECT_EQ(static_media_type("a.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(static_media_type("font.woff2"), "font/woff2");
  EXPECT_EQ(static_media_type("noending"), "application/octet-stream");
  for (const char* name : {"_next/static/x.js", "a/main-0a1b2c3d4e.js", "x.12345678.css"})
    EXPECT_TRUE(is_hashed_name(name)) << name;
  for (const char* name : {"main.js", "my-deadbeef.js", "x-1234567.js", "12345678.js", "a/_next/static/x.js"})
    EXPECT_FALSE(is_hashed_name(name)) << name;
}

TEST(ServerStaticNames, AcceptEncoding) {
  for (const char* yes : {"gzip", "br, gzip", "GZIP;q=0.1", "*", "deflate, *;q=0.5"})
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  for (const char* no : {"", "br", "gzip;q=0", "*, gzip;q=0", "identity", "notgzip"})
    EXPECT_FALSE(accepts_gzip(no)) << no;
}

TEST(ServerStaticNames, TheBuiltInPageIsThereAndRunsWithoutInlineScript) {
  const auto files = StaticFiles::embedded();
  const auto page = files.answer(get("/"));
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(header(page, "Content-Security-Policy").find("script-src 'self';"), std::string::npos);
  for (const char* name : {"/app.js", "/style.css", "/icon.svg"}) {
    EXPECT_NE(page.body.find(std::string("\"") + name + "\""), std::string::npos) << name;
    EXPECT_EQ(files.answer(get(name)).status, 200) << name;
  }
  EXPECT_EQ(files.answer(get("/nothing/here")).status, 404);
}

}  // namespace
}  // namespace planexe::server
