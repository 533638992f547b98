// A Turso file beside SQLite, other processes, and a thief.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "driver/turso/turso_handle.h"
#include "support/can_fork.h"
#include "support/sqlite_shell.h"
#include "turso/turso_test.h"

namespace pgqrs::testing {
namespace {

// One message in each state.
void Fill(PgqrsStore& store) {
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(std::vector<Json>(100, Json::Parse(R"({"text": "ünïcode"})")));
  queue.Enqueue("later", {.delay = std::chrono::hours(1)});
  auto taken = queue.DequeueBatch(4, std::chrono::hours(1));
  EXPECT_TRUE(taken[0].Ack());
  EXPECT_TRUE(taken[1].DeadLetter("broken"));
  EXPECT_TRUE(taken[2].Release(std::chrono::hours(1), "not now"));
}

// What Fill has left, also where a store was closed before: its lease came back then.
void ExpectAllThere(PgqrsStore& store) {
  auto queue = store.Queue("jobs");
  store.Admin().Verify();
  const auto metrics = queue.Metrics();
  EXPECT_EQ(metrics.waiting + metrics.leased, 97);
  EXPECT_EQ(metrics.delayed, 2);
  EXPECT_EQ(metrics.archived, 1);
  EXPECT_EQ(metrics.dead, 1);
  EXPECT_EQ(queue.ListDeadLetters().at(0).reason, "broken");
  EXPECT_EQ(queue.Dequeue()->payload().text(), R"({"text": "ünïcode"})");
}

std::string IntegrityOf(const std::string& path) {
  return SqliteShell(path).Query("PRAGMA integrity_check").at(0).at(0);
}

TEST_F(TursoTest, SqliteGoesOnWithTheFile) {
  {
    auto store = Open();
    Fill(store);
  }
  EXPECT_EQ(IntegrityOf(path()), "ok");
  auto store = PgqrsStore::Connect("sqlite:" + path());
  ExpectAllThere(store);
}

TEST_F(TursoTest, GoesOnWithAFileOfSqlite) {
  {
    auto store = PgqrsStore::Connect("sqlite:" + path());
    Fill(store);
  }
  {
    auto store = Open();
    ExpectAllThere(store);
    store.Queue("jobs").Enqueue("more");
  }
  EXPECT_EQ(IntegrityOf(path()), "ok");
  auto store = PgqrsStore::Connect("sqlite:" + path());
  EXPECT_EQ(store.Queue("jobs").Metrics().waiting + store.Queue("jobs").Metrics().leased, 98);
}

TEST_F(TursoTest, AFileInAnotherJournalModeIsRefused) {
  {
    const auto file = driver::OpenTurso(path(), {});
    const auto connection = driver::ConnectTurso(file.get());
    driver::ExecuteTurso(connection.get(), "PRAGMA journal_mode=mvcc", "changing the mode");
  }
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([this] { Open(); }),
              HasSubstr("its journal mode is mvcc"));
}

// Whether another process finds the file locked.
bool IsLocked(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
    _exit(fcntl(file, F_SETLK, &lock) == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status) == 1;
}

TEST_F(TursoTest, OtherProcessesAreKeptOutUntilTheLastStoreIsClosed) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  {
    auto store = Open();
    EXPECT_TRUE(IsLocked(path()));
    { auto second = Open(); }
    EXPECT_TRUE(IsLocked(path())) << "a second store was closed";
    EXPECT_THROW(Open("?cipher=aegis256&hexkey=" + std::string(64, 'a')), PgqrsConnectionError);
    EXPECT_TRUE(IsLocked(path())) << "an opening has failed";
    store.Queue("jobs").Enqueue("payload");
  }
  EXPECT_FALSE(IsLocked(path()));
}

TEST_F(TursoTest, AStoreThatIsClosedLetsTheFileGoWhateverOutlivesIt) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  std::optional<PgqrsStore> store = Open();
  auto queue = store->Queue("jobs");
  queue.Enqueue("payload");
  const auto message = queue.Dequeue();
  store->Admin().Messages();  // By a reader.
  store.reset();
  EXPECT_FALSE(IsLocked(path()));
  EXPECT_THROW(queue.Enqueue("payload"), Error);
  auto sqlite = PgqrsStore::Connect("sqlite:" + path());
  EXPECT_EQ(sqlite.Queue("jobs").Dequeue()->id(), message->id());
}

TEST_F(TursoTest, AFileWithACutOffTransactionOfSqliteIsRefused) {
  { auto store = Open(); }
  std::ofstream(path() + "-journal") << "a journal";
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([this] { Open(); }),
              HasSubstr("only SQLite can roll back"));
}

TEST_F(TursoTest, ALogThatWasRemovedIsNoticed) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("payload");
  std::filesystem::rename(path() + "-wal", path() + "-away");
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("lost"); }),
              HasSubstr("removed or replaced"));
  std::filesystem::rename(path() + "-away", path() + "-wal");
  queue.Enqueue("payload");
  EXPECT_EQ(queue.Metrics().waiting, 2);
}

TEST(TursoFailure, OnlyAWriteThatHadNoRoomIsKnownToHaveFailed) {
  const auto is_known = [](const std::string& reason) {
    return driver::IsOfFullDisk({driver::Fault::kStorage, reason});
  };
  EXPECT_TRUE(is_known("committing: I/O error (pwritev): no storage space"));
  EXPECT_TRUE(is_known("committing: I/O error (pwrite): quota exceeded"));
  EXPECT_FALSE(is_known("committing: I/O error (sync): no storage space"));
  EXPECT_FALSE(is_known("committing: I/O error (pwrite): other error"));
  EXPECT_FALSE(is_known("Checkpoint failed: I/O error (pwrite): no storage space"));
}

TEST_F(TursoTest, ACopyOfAFileThatWasClosedHasEverything) {
  {
    auto store = Open();
    Fill(store);
  }
  const auto copy = folder().File("copy.db");
  std::filesystem::copy_file(path(), copy);
  auto store = PgqrsStore::Connect("turso:" + copy);
  ExpectAllThere(store);
}

TEST_F(TursoTest, SqliteAndTursoAreNotTakenAtTheSameTime) {
  {
    auto store = Open();
    EXPECT_THAT(
        MessageOf<PgqrsConnectionError>([this] { PgqrsStore::Connect("sqlite:" + path()); }),
        HasSubstr("one of them at a time"));
  }
  auto store = PgqrsStore::Connect("sqlite:" + path());
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([this] { Open(); }),
              HasSubstr("one of them at a time"));
}

TEST_F(TursoTest, SqliteElsewhereInTheProcessIsKeptOut) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("payload");
  const auto use = [this](const std::string& query) {
    SqliteShell shell(path());
    shell.Execute("PRAGMA busy_timeout=0");
    shell.Execute(query);
  };
  // From the first one on, whose connection is closed, the locks of POSIX are gone.
  for (const auto* query : {"SELECT count(*) FROM pgqrs_queues", "BEGIN IMMEDIATE"}) {
    EXPECT_THAT(MessageOf<std::runtime_error>([&] { use(query); }), HasSubstr("locked"));
  }
  if (kCanFork) {
    EXPECT_TRUE(IsLocked(path()));
  }
  queue.Enqueue("payload");
  EXPECT_EQ(queue.Metrics().waiting, 2);
}

TEST_F(TursoTest, AFileThatSqliteElsewhereInTheProcessHasOpenIsNotTaken) {
  { Open().Queue("jobs").Enqueue("payload"); }
  Config config("turso:" + path());
  config.connection_timeout = std::chrono::milliseconds(50);
  {
    SqliteShell shell(path());
    shell.Execute("BEGIN IMMEDIATE");
    EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { PgqrsStore::Connect(config); }),
                HasSubstr("open otherwise"));
    if (kCanFork) {
      EXPECT_TRUE(IsLocked(path()));
    }
    shell.Execute("COMMIT");
  }
  EXPECT_EQ(Open().Queue("jobs").Metrics().waiting, 1);
}

TEST_F(TursoTest, AFileIsFreeWhenItsProcessWasKilledThoughAChildOfThatLivesOn) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  std::array<int, 2> opened;
  ASSERT_EQ(pipe(opened.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = Open();
    const bool is_grandchild = fork() == 0;
    alarm(60);
    const pid_t self = getpid();
    if (is_grandchild && write(opened[1], &self, sizeof self) < 0) _exit(1);
    pause();
    _exit(1);
  }
  pid_t grandchild = 0;
  ASSERT_EQ(read(opened[0], &grandchild, sizeof grandchild), ssize_t{sizeof grandchild});
  EXPECT_TRUE(IsLocked(path()));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(IsLocked(path()));
  Open().Queue("jobs").Enqueue("payload");
  EXPECT_EQ(kill(grandchild, SIGKILL), 0);
}

TEST_F(TursoTest, AHardLinkToAnOpenFileIsRefused) {
  auto store = Open();
  std::filesystem::create_hard_link(path(), folder().File("link.db"));
  EXPECT_THAT(MessageOf<PgqrsConnectionError>(
                  [this] { PgqrsStore::Connect("turso:" + folder().File("link.db")); }),
              HasSubstr("another of its names"));
}

TEST_F(TursoTest, ALinkToAFileThatIsStillToBeMadeIsFollowed) {
  std::filesystem::create_directory(folder().File("disk"));
  std::filesystem::create_symlink("disk/real.db", folder().File("link.db"));
  const auto dsn = "turso:" + folder().File("link.db");
  { PgqrsStore::Connect(dsn).Queue("jobs").Enqueue("payload"); }
  EXPECT_TRUE(std::filesystem::exists(folder().File("disk/real.db-wal")));
  EXPECT_TRUE(PgqrsStore::Connect(dsn).Queue("jobs").Dequeue());
}

TEST_F(TursoTest, ConnectWaitsForAProcessThatHasTheFileOpen) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  std::array<int, 2> opened;
  ASSERT_EQ(pipe(opened.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    auto store = Open();
    store.Queue("jobs").Enqueue("from the child");
    if (write(opened[1], "!", 1) != 1) _exit(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    _exit(0);
  }
  char there = 0;
  ASSERT_EQ(read(opened[0], &there, 1), 1);
  auto store = Open();
  EXPECT_EQ(store.Queue("jobs").Dequeue()->payload().text(), "\"from the child\"");
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(TursoTest, AForkGetsThroughWhileStoresComeAndGo) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  std::atomic<bool> is_over = false;
  const auto come_and_go = [this, &is_over] {
    while (!is_over) Open();
  };
  std::thread one(come_and_go);
  std::thread two(come_and_go);
  for (int i = 0; i < 200; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  is_over = true;
  one.join();
  two.join();
}

TEST_F(TursoTest, ASecondProcessIsToldThatTheFileIsOpen) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  std::array<int, 2> gate;
  ASSERT_EQ(pipe(gate.data()), 0);
  const pid_t child = fork();  // Before the file is open.
  if (child == 0) {
    alarm(60);  // A child that hangs must not outlive the test.
    char go = 0;
    if (read(gate[0], &go, 1) != 1) _exit(3);
    try {
      Config config("turso:" + path());
      config.connection_timeout = std::chrono::milliseconds(50);
      PgqrsStore::Connect(config);
    } catch (const PgqrsConnectionError& error) {
      _exit(std::string(error.what()).find("in one process at a time") != std::string::npos ? 0
                                                                                            : 1);
    }
    _exit(2);
  }
  auto store = Open();
  EXPECT_EQ(write(gate[1], "!", 1), 1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  store.Queue("jobs").Enqueue("payload");
}

TEST_F(TursoTest, AFileThatWasRemovedIsNoticed) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("payload");
  std::filesystem::rename(path(), path() + ".away");
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("lost"); }),
              HasSubstr("removed or replaced"));
  std::filesystem::rename(path() + ".away", path());
  queue.Enqueue("payload");
  EXPECT_EQ(queue.Metrics().waiting, 2);
}

// Neither a loss of data nor something that a store could repair: with a log beside it the file may
// have been a whole one.
TEST_F(TursoTest, AFileOfWhichThereIsAPartOfAPageIsRefusedWithAdvice) {
  Open();
  for (const auto* end : {"-wal", "-turn"}) std::filesystem::remove(path() + end);
  for (const auto size : {2048U, 100U}) {
    std::filesystem::resize_file(path(), size);
    EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }),
                AllOf(HasSubstr("ends within its first page"), HasSubstr("remove it")));
  }
  std::filesystem::remove(path());
  Open().Queue("jobs").Enqueue("payload");
}

TEST_F(TursoTest, EncryptedPayloadsCannotBeReadInTheFile) {
  const std::string key = "?cipher=aegis256&hexkey=" + std::string(64, 'a');
  {
    auto store = Open(key);
    store.Queue("jobs").Enqueue("the secret of the house");
  }
  for (const auto& name : {path(), path() + "-wal"}) {
    std::ifstream file(name, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(bytes.find("the secret of the house"), std::string::npos) << name;
  }
  {
    auto store = Open(key);
    EXPECT_EQ(store.Queue("jobs").Dequeue()->payload().text(), "\"the secret of the house\"");
  }
  const auto refusal = [this](const std::string& parameters) {
    return MessageOf<PgqrsConnectionError>([&] { Open(parameters); });
  };
  EXPECT_THAT(refusal("?cipher=aegis256&hexkey=" + std::string(64, 'b')),
              HasSubstr("the key is a wrong one"));
  EXPECT_THAT(refusal("?cipher=aes256gcm&hexkey=" + std::string(64, 'a')),
              HasSubstr("the cipher or the key is a wrong one"));
  EXPECT_THAT(refusal(""), HasSubstr("it is encrypted"));
  auto store = Open(key);
  EXPECT_THAT(refusal("?cipher=aes256gcm&hexkey=" + std::string(64, 'a')),
              HasSubstr("another cipher or key"));
}

}  // namespace
}  // namespace pgqrs::testing
