#include <sys/stat.h>

#include <fstream>
#include <future>
#include <latch>

#include "base/log.hpp"
#include "store/fixture.hpp"
#include "store/limits.hpp"
#include "store/lock.hpp"
#include "store/page_cursor.hpp"
#include "store/sqlite/error.hpp"
#include "store/url.hpp"
#include "support/temp_dir.hpp"

namespace planexe::store::test {
namespace {

OpenOptions options_of(const std::string& url, const std::filesystem::path& folder) {
  OpenOptions options;
  options.url = url;
  options.data_dir = folder.string();
  return options;
}

Error open_error(const OpenOptions& options) {
  auto store = open_store(options);
  EXPECT_FALSE(store);
  return store ? Error(ErrorCode::Internal, "") : store.error();
}

TEST(SqliteOpen, AFileThatIsNoDatabaseIsNamed) {
  const planexe::test::TempDir folder;
  std::ofstream(folder / "notes.txt") << std::string(5000, 'n');
  const auto error = open_error(options_of("sqlite:///notes.txt", folder.path()));
  EXPECT_EQ(error.code, ErrorCode::DatabaseError);
  EXPECT_NE(error.message.find("notes.txt is not a SQLite database"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(folder / "notes.txt"), 5000u);
}

TEST(SqliteOpen, MissingFoldersAndFoldersAsFilesAreNamed) {
  const planexe::test::TempDir folder;
  const auto missing = open_error(options_of("sqlite:///no/such/plans.db", folder.path()));
  EXPECT_EQ(missing.code, ErrorCode::IoError);
  EXPECT_NE(missing.message.find("no/such"), std::string::npos);
  std::filesystem::create_directory(folder / "plans.db");
  EXPECT_NE(open_error(options_of("sqlite:///plans.db", folder.path())).message.find("is no file"), std::string::npos);
}

TEST(SqliteOpen, ADamagedFileIsToldAndNotChanged) {
  const planexe::test::TempDir folder;
  {
    create(*open_or_die(options_of("sqlite:///plans.db", folder.path())), "p1");
  }
  {
    std::fstream file(folder / "plans.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file << std::string(3000, '\x7f');
  }
  const auto error = open_error(options_of("sqlite:///plans.db", folder.path()));
  EXPECT_EQ(error.code, ErrorCode::DatabaseError);
  EXPECT_NE(error.message.find("damaged"), std::string::npos) << to_string(error);
}

TEST(SqliteOpen, ANewDatabaseIsPrivate) {
  const planexe::test::TempDir folder;
  auto store = open_or_die(options_of("sqlite:///plans.db", folder.path()));
  struct stat status{};
  ASSERT_EQ(::stat((folder / "plans.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(SqliteOpen, ClosingLeavesOneFile) {
  const planexe::test::TempDir folder;
  {
    create(*open_or_die(options_of("sqlite:///plans.db", folder.path())), "p1");
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) names.push_back(entry.path().filename());
  EXPECT_EQ(names, std::vector<std::string>{"plans.db"});
}

TEST(SqliteOpen, ReadOnlyReadsAndRefusesWrites) {
  const planexe::test::TempDir folder;
  auto options = options_of("sqlite:///plans.db", folder.path());
  options.read_only = true;
  EXPECT_EQ(open_error(options).code, ErrorCode::IoError) << "there is none";
  options.read_only = false;
  auto writer = open_or_die(options);
  create(*writer, "p1");
  options.read_only = true;
  auto reader = open_or_die(options);
  EXPECT_EQ(must(reader->plan("p1")).plan_id, "p1");
  EXPECT_EQ(reader->commit(transaction("p1", {ReserveSeq{1}})).status, CommitStatus::failed);
  EXPECT_FALSE(reader->acquire_lease("p1", "me", 1s, false));
  create(*writer, "p2");
  EXPECT_TRUE(value_of(reader->plan("p2"))) << "sees what is committed later";
}

TEST(SqliteQueue, AFullQueueRefusesInOrderInsteadOfGrowing) {
  const planexe::test::TempDir folder;
  auto store = open_or_die(options_of("sqlite:///plans.db", folder.path()));
  create(*store, "p1");
  std::latch release(1);
  std::latch busy(1);
  store->submit(transaction("", {PutRecipe{"gate", ""}}), [&](CommitResult) {
    busy.count_down();
    release.wait();
  });
  busy.wait();
  const std::string big(limits::kContentBytesMax - 1000, 'x');
  std::vector<ErrorCode> codes;
  std::promise<void> last;
  constexpr int kTransactions = 11;
  for (int i = 0; i < kTransactions; ++i) {
    // The wrong fencing number: what is taken is refused without being written.
    store->submit(transaction("p1", {PutContent{text_file("a", big)}}, 99), [&](CommitResult result) {
      codes.push_back(result.error ? result.error->code : ErrorCode::Internal);
      if (codes.size() == kTransactions) last.set_value();
    });
  }
  release.count_down();
  last.get_future().wait();
  EXPECT_EQ(std::count(codes.begin(), codes.end(), ErrorCode::Fenced), 8);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), ErrorCode::QueueFull), 3);
  EXPECT_EQ(codes.back(), ErrorCode::QueueFull);
  put(*store, transaction("p1", {ReserveSeq{1}}));
}

TEST(DatabaseUrl, PathsAreRelativeToTheDataFolderOrAbsolute) {
  EXPECT_EQ(value_of(parse_database_url("sqlite:///./planexe.db", "/data")).file, "/data/planexe.db");
  EXPECT_EQ(value_of(parse_database_url("sqlite:///sub/a b%20c.db", "/data")).file, "/data/sub/a b%20c.db");
  EXPECT_EQ(value_of(parse_database_url("sqlite:////var/lib/p.db", "/data")).file, "/var/lib/p.db");
  for (const auto* url : {"postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d"}) {
    const auto parsed = value_of(parse_database_url(url, "/data"));
    EXPECT_EQ(parsed.dialect, sql::Dialect::postgresql);
    EXPECT_EQ(parsed.connection, "postgresql://u:p@h/d");
  }
}

TEST(DatabaseUrl, ErrorsShowNoPassword) {
  for (const auto* url : {"", "sqlite://x.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a.db?mode=ro",
                          "mysql://user:geheim@host/db", "geheim"}) {
    const auto parsed = parse_database_url(url, "/data");
    ASSERT_FALSE(parsed) << url;
    EXPECT_EQ(parsed.error().code, ErrorCode::InvalidConfig);
    if (std::string_view(url) != "geheim") EXPECT_EQ(to_string(parsed.error()).find("geheim"), std::string::npos);
  }
}

TEST(SqliteErrors, CodesSayWhatToDo) {
  struct Case {
    int code;
    ErrorCode expected;
    const char* words;
  };
  for (const auto& [code, expected, words] :
       {Case{SQLITE_FULL, ErrorCode::IoError, "disk is full"}, Case{SQLITE_CANTOPEN, ErrorCode::IoError, "folder"},
        Case{SQLITE_READONLY, ErrorCode::IoError, "permissions"}, Case{SQLITE_PERM, ErrorCode::IoError, "owner"},
        Case{SQLITE_NOTADB, ErrorCode::DatabaseError, "not a SQLite database"},
        Case{SQLITE_CORRUPT, ErrorCode::DatabaseError, "restore a backup"},
        Case{SQLITE_BUSY_SNAPSHOT, ErrorCode::DatabaseUnavailable, "locked by another process"},
        Case{SQLITE_IOERR_FSYNC, ErrorCode::IoError, "Check the disk"},
        Case{SQLITE_NOMEM, ErrorCode::DatabaseUnavailable, "memory"},
        Case{SQLITE_TOOBIG, ErrorCode::LimitExceeded, "too large"},
        Case{SQLITE_CONSTRAINT_CHECK, ErrorCode::DatabaseError, "refused"}}) {
    const auto error = sqlite::make_error(code, "words of SQLite", "/data/{plans}.db");
    EXPECT_EQ(error.code, expected) << code;
    EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("{plans}.db"), std::string::npos);
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
  }
}

TEST(DataDirLock, OnlyOneHolderWhoIsNamed) {
  const planexe::test::TempDir folder;
  const auto database = folder / "plans.db";
  {
    const auto lock = value_of(DataDirLock::acquire(database));
    EXPECT_EQ(lock->path(), folder / "plans.db.lock");
    const auto second = DataDirLock::acquire(database);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::Locked);
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
  }
  EXPECT_TRUE(DataDirLock::acquire(database)) << "free again";
  EXPECT_FALSE(DataDirLock::acquire(folder / "missing" / "plans.db"));
}

TEST(DataDirLock, AStrangeLockFileIsNotTrusted) {
  const planexe::test::TempDir folder;
  std::ofstream(folder / "plans.db.lock") << "\x1b[31mnot a pid";
  const auto lock = value_of(DataDirLock::acquire(folder / "plans.db"));
  ASSERT_TRUE(lock);
  std::filesystem::create_symlink(folder / "elsewhere", folder / "link.db.lock");
  EXPECT_FALSE(DataDirLock::acquire(folder / "link.db")) << "never follows a link";
}

TEST(PageCursor, ReadsOnlyItsOwn) {
  const auto cursor = make_cursor("pd", {-5, 9'223'372'036'854'775'807});
  EXPECT_EQ(value_of(read_cursor("pd", 2, cursor)), (std::vector<std::int64_t>{-5, 9'223'372'036'854'775'807}));
  EXPECT_FALSE(read_cursor("pa", 2, cursor));
  EXPECT_FALSE(read_cursor("pd", 1, cursor));
  EXPECT_FALSE(read_cursor("pd", 3, cursor));
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    auto changed = cursor;
    changed[i] = changed[i] == '1' ? '2' : '1';
    EXPECT_FALSE(read_cursor("pd", 2, changed)) << changed;
    EXPECT_FALSE(read_cursor("pd", 2, cursor.substr(0, i)));
  }
}

}  // namespace
}  // namespace planexe::store::test
