// SQLite with locks of its own, beside what else in the process locks its files as another copy of
// SQLite does: by POSIX.
#include "driver/sqlite/own_locks.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>

#include "driver/file/record_locks.h"
#include "sqlite/sqlite_test.h"
#include "support/can_fork.h"

namespace pgqrs::testing {
namespace {

using driver::kPendingByte;

// The byte of the shared memory that a writer locks. (SQLite, "WAL-mode File Format", 2.3.)
constexpr off_t kWriteByte = 120;

// What another copy of SQLite has open of a file.
class Beside {
 public:
  explicit Beside(const std::string& path) : file_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {}
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() { close(file_); }

  bool Lock(decltype(flock::l_type) type, off_t byte, off_t length = 1) {
    auto lock = LockOf(type, byte, length);
    return fcntl(file_, F_SETLK, &lock) == 0;
  }

  // Whether someone else has locked it, who is not this process.
  bool FindsALock() {
    auto lock = LockOf(F_WRLCK, 0, 0);
    return fcntl(file_, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  }

  // Whether anyone has, this process too.
  bool IsLocked() {
    auto lock = LockOf(F_WRLCK, 0, 0);
    return fcntl(file_, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  }

 private:
  static struct flock LockOf(decltype(flock::l_type) type, off_t byte, off_t length) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = length;
    return lock;
  }

  int file_;
};

std::ptrdiff_t OpenDescriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

class OwnLocks : public SqliteTest {
 protected:
  OwnLocks() { driver::UseOwnLocks(); }

  std::string memory() const { return path() + "-shm"; }

  void OpenAndClose() { Open().Queue("jobs").Enqueue("payload"); }

  bool CanWrite() {
    auto shell = Shell();
    shell.Execute("PRAGMA busy_timeout=0");
    const auto error =
        MessageOf<std::runtime_error>([&] { shell.Execute("BEGIN IMMEDIATE; COMMIT"); });
    return error.find("locked") == std::string::npos;
  }
};

TEST_F(OwnLocks, TheProcessSeesThemAsThoseOfAnother) {
  auto store = Open();
  EXPECT_TRUE(Beside(path()).FindsALock());
  EXPECT_TRUE(Beside(memory()).FindsALock());
}

TEST_F(OwnLocks, OutliveWhatTheProcessClosesOfTheFiles) {
  auto store = Open();
  auto shell = Shell();
  shell.Execute("BEGIN IMMEDIATE");
  { const Beside database(path()), memory_of_it(memory()); }
  EXPECT_TRUE(Beside(path()).FindsALock());
  EXPECT_FALSE(Beside(memory()).Lock(F_WRLCK, kWriteByte));
  shell.Execute("COMMIT");
  EXPECT_TRUE(Beside(memory()).Lock(F_WRLCK, kWriteByte));
}

TEST_F(OwnLocks, AWriterOfTheProcessKeepsOursOut) {
  auto store = Open();
  Beside writer(memory());
  ASSERT_TRUE(writer.Lock(F_WRLCK, kWriteByte));
  EXPECT_FALSE(CanWrite());
  ASSERT_TRUE(writer.Lock(F_UNLCK, kWriteByte));
  EXPECT_TRUE(CanWrite());
}

TEST_F(OwnLocks, ClosingAStoreDropsNoLockOfTheProcess) {
  OpenAndClose();
  Beside database(path());
  ASSERT_TRUE(database.Lock(F_RDLCK, kPendingByte + 2, 1));
  OpenAndClose();
  EXPECT_TRUE(database.IsLocked());
  EXPECT_TRUE(std::filesystem::exists(path() + "-wal")) << "who has the lock may be reading it";
  std::optional<Beside> reader(memory());
  ASSERT_TRUE(reader->Lock(F_RDLCK, kWriteByte + 4));
  for (int i = 0; i < 3; ++i) OpenAndClose();
  EXPECT_TRUE(database.IsLocked());
  EXPECT_TRUE(reader->IsLocked());
  EXPECT_EQ(Open().Queue("jobs").Metrics().waiting, 5);
}

TEST_F(OwnLocks, AFileThatOthersInTheProcessHaveOpenIsKeptOpenOnce) {
  OpenAndClose();
  const auto before = OpenDescriptors();
  OpenAndClose();
  EXPECT_EQ(OpenDescriptors(), before);
  {
    Beside database(path());
    ASSERT_TRUE(database.Lock(F_RDLCK, kPendingByte + 2, 1));
    OpenAndClose();
    const auto kept = OpenDescriptors();
    EXPECT_GT(kept, before + 1);
    for (int i = 0; i < 200; ++i) OpenAndClose();
    EXPECT_EQ(OpenDescriptors(), kept);
  }
  OpenAndClose();
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_FALSE(std::filesystem::exists(path() + "-wal"));
}

// Runs it in a forked child, and kills that with all that it has forked itself.
class Child {
 public:
  template <typename F>
  explicit Child(F run) {
    EXPECT_EQ(pipe(pipe_.data()), 0);
    pid_ = fork();
    if (pid_ != 0) return;
    alarm(60);
    run(*this);
    pause();
    _exit(1);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    Kill();
    for (const int end : pipe_) close(end);
  }

  void Kill() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
  }
  // From within, and from without.
  void Tell(pid_t number) {
    EXPECT_EQ(write(pipe_[1], &number, sizeof number), ssize_t{sizeof number});
  }
  pid_t Hear() {
    pid_t number = 0;
    EXPECT_EQ(read(pipe_[0], &number, sizeof number), ssize_t{sizeof number});
    return number;
  }

 private:
  std::array<int, 2> pipe_ = {-1, -1};
  pid_t pid_ = -1;
};

TEST_F(OwnLocks, EndWithTheProcessThoughAChildOfItLivesOn) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  OpenAndClose();
  Child writer([this](Child& self) {
    auto shell = Shell();
    shell.Execute("BEGIN IMMEDIATE");
    if (fork() == 0) {
      alarm(60);
      self.Tell(getpid());
    }
    pause();
  });
  const auto grandchild = writer.Hear();
  EXPECT_FALSE(CanWrite());
  writer.Kill();
  EXPECT_TRUE(CanWrite());
  EXPECT_EQ(kill(grandchild, SIGKILL), 0);
}

TEST_F(OwnLocks, AChildThatEndsLeavesThemToItsParent) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  auto store = Open();
  auto shell = Shell();
  shell.Execute("BEGIN IMMEDIATE");
  const pid_t child = fork();
  if (child == 0) {
    // What it inherited is of no use to it.
    const auto error =
        MessageOf<std::runtime_error>([&] { shell.Query("SELECT * FROM pgqrs_messages"); });
    _exit(error.empty() ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(Beside(memory()).Lock(F_WRLCK, kWriteByte));
  EXPECT_TRUE(Beside(path()).FindsALock());
  shell.Execute("COMMIT");
  store.Queue("jobs").Enqueue("payload");
}

}  // namespace
}  // namespace pgqrs::testing
