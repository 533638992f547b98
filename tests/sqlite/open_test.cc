#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#endif

#include "sqlite/sqlite_test.h"

namespace pgqrs::testing {
namespace {

#ifdef __linux__
// Takes from this thread root's right to write to every file.
class WithoutPrivilege {
 public:
  WithoutPrivilege() : before_(Get()) {
    auto reduced = before_;
    reduced.low &= ~(1U << CAP_DAC_OVERRIDE);
    Set(reduced);
  }
  WithoutPrivilege(const WithoutPrivilege&) = delete;
  WithoutPrivilege& operator=(const WithoutPrivilege&) = delete;
  ~WithoutPrivilege() { Set(before_); }

 private:
  struct Effective {
    __u32 low = 0;
  };

  static __user_cap_header_struct Header() { return {_LINUX_CAPABILITY_VERSION_3, 0}; }

  static Effective Get() {
    auto header = Header();
    __user_cap_data_struct data[2] = {};
    syscall(SYS_capget, &header, data);
    return {data[0].effective};
  }

  static void Set(Effective effective) {
    auto header = Header();
    __user_cap_data_struct data[2] = {};
    syscall(SYS_capget, &header, data);
    data[0].effective = effective.low;
    syscall(SYS_capset, &header, data);
  }

  const Effective before_;
};
#else
struct WithoutPrivilege {};
#endif

class OpenSqliteFile : public SqliteTest {
 protected:
  void WriteFile(const std::string& text) { std::ofstream(path()) << text; }

  std::string ReadFile() {
    std::ostringstream text;
    text << std::ifstream(path(), std::ios::binary).rdbuf();
    return text.str();
  }

  std::set<std::string> FilesInFolder() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder().path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  // Opens a database that is to be refused, and makes sure that it stays as it is to the byte.
  std::string RefusalThatTouchesNothing() {
    const auto content = ReadFile();
    const auto files = FilesInFolder();
    auto text = MessageOf<SchemaError>([&] { Open(); });
    EXPECT_TRUE(ReadFile() == content) << "the file was changed";
    EXPECT_EQ(FilesInFolder(), files);
    return text;
  }
};

TEST_F(OpenSqliteFile, AMissingFileIsMade) {
  Open().Queue("jobs");
  EXPECT_TRUE(std::filesystem::exists(path()));
  EXPECT_EQ(Open().ListQueues().size(), 1U);
}

TEST_F(OpenSqliteFile, AnEmptyFileBecomesADatabase) {
  WriteFile("");
  auto store = Open();
  store.Queue("jobs");
  store.Admin().Verify();
}

TEST_F(OpenSqliteFile, ADirectoryIsRefused) {
  std::filesystem::create_directory(path());
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }),
              AllOf(HasSubstr(path()), HasSubstr("it is a directory")));
}

TEST_F(OpenSqliteFile, AFileInAMissingDirectoryIsRefused) {
  const auto missing = folder().File("no/such/queue.db");
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { PgqrsStore::Connect("sqlite:" + missing); }),
              AllOf(HasSubstr(missing), HasSubstr("no/such\" does not exist")));
}

TEST_F(OpenSqliteFile, AFileThatIsNoDatabaseIsRefusedAndStays) {
  const std::string text(5000, 'x');
  WriteFile(text);
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }),
              AllOf(HasSubstr(path()), HasSubstr("not a database")));
  EXPECT_TRUE(ReadFile() == text);
}

TEST_F(OpenSqliteFile, AReadOnlyFileIsRefused) {
#ifndef __linux__
  if (geteuid() == 0) GTEST_SKIP() << "root may write to it";
#endif
  Open().Queue("jobs");
  chmod(path().c_str(), 0444);
  const WithoutPrivilege without_privilege;
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }),
              AllOf(HasSubstr(path()), HasSubstr("read-only")));
}

TEST_F(OpenSqliteFile, ADatabaseOfAnotherProgramIsSharedWhereItsNamesAreNotOurs) {
  Shell().Execute("CREATE TABLE customers (name TEXT); INSERT INTO customers VALUES ('ada')");
  auto store = Open();
  store.Queue("jobs").Enqueue("x");
  store.Admin().Verify();
  EXPECT_EQ(Shell().Query("SELECT name FROM customers").at(0).at(0), "ada");
}

TEST_F(OpenSqliteFile, ATableOfAnotherProgramUnderOurNameIsRefusedAndNamedAndStays) {
  Shell().Execute(
      "CREATE TABLE pgqrs_queues (secret TEXT); INSERT INTO pgqrs_queues VALUES ('s3cret')");
  EXPECT_THAT(RefusalThatTouchesNothing(),
              AllOf(HasSubstr("another program"), HasSubstr("pgqrs_queues"),
                    HasSubstr("no table was touched"), Not(HasSubstr("s3cret"))));
}

TEST_F(OpenSqliteFile, ATableOfMigrationsInAnotherShapeIsRefused) {
  Shell().Execute("CREATE TABLE pgqrs_schema_migrations (id INTEGER PRIMARY KEY)");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("pgqrs_schema_migrations"));
}

TEST_F(OpenSqliteFile, MigrationsThatAreNotOursAreRefused) {
  const std::string create =
      "CREATE TABLE pgqrs_schema_migrations (version INTEGER, name TEXT, applied_at INTEGER);";
  Shell().Execute(create);
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("another program"));
  for (const std::string version : {"0", "-1", "-9223372036854775808"}) {
    Shell().Execute(
        "DELETE FROM pgqrs_schema_migrations; "
        "INSERT INTO pgqrs_schema_migrations VALUES (" +
        version + ", 'first', 0)");
    EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("another program")) << version;
  }
  Shell().Execute("UPDATE pgqrs_schema_migrations SET version = 1");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("\"first\""));
}

TEST_F(OpenSqliteFile, ANewerSchemaIsRefusedAndStays) {
  Open().Queue("jobs");
  Shell().Execute("INSERT INTO pgqrs_schema_migrations VALUES (9000, 'future', 0)");
  EXPECT_THAT(RefusalThatTouchesNothing(),
              AllOf(HasSubstr("version 9000"), HasSubstr("use a newer pgqrs")));
}

TEST_F(OpenSqliteFile, ATableOfOursThatIsMissingIsNamed) {
  Open().Queue("jobs");
  Shell().Execute("DROP VIEW pgqrs_messages; DROP TABLE pgqrs_archive");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("pgqrs_archive"));
}

TEST_F(OpenSqliteFile, AColumnOfOursThatIsMissingIsNamed) {
  Open().Queue("jobs");
  Shell().Execute("ALTER TABLE pgqrs_workers DROP COLUMN heartbeat_at");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("heartbeat_at"));
}

TEST_F(OpenSqliteFile, WithoutInstallSchemaAnEmptyDatabaseStaysEmpty) {
  WriteFile("");
  config().install_schema = false;
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("install_schema is off"));
}

TEST_F(OpenSqliteFile, ADatabaseThatStaysLockedIsAConnectionError) {
  config().connection_timeout = std::chrono::milliseconds(30);
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = Shell();
  other.Execute("BEGIN IMMEDIATE");
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { queue.Enqueue("s3cret"); }),
              AllOf(HasSubstr("did not become free in time"), Not(HasSubstr("s3cret"))));
  other.Execute("ROLLBACK");
  EXPECT_GT(queue.Enqueue("x"), 0) << "the connection is as good as before";
  EXPECT_EQ(queue.Metrics().waiting, 1);
}

TEST_F(OpenSqliteFile, AnErrorOfTheDatabaseShowsItsWordsAndNoPayload) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Shell().Execute(
      "CREATE TRIGGER refuse BEFORE INSERT ON pgqrs_batches BEGIN SELECT raise(ABORT, 'no!'); END");
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("s3cret"); }),
              AllOf(HasSubstr("no!"), Not(HasSubstr("s3cret"))));
  Shell().Execute("DROP TRIGGER refuse");
  EXPECT_GT(queue.Enqueue("x"), 0);
}

}  // namespace
}  // namespace pgqrs::testing
