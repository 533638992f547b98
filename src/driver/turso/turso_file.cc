#include "driver/turso/turso_file.h"

#include <fcntl.h>
#include <pgqrs/error.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "util/fork.h"
#include "util/fork_safe.h"

namespace pgqrs::driver {
namespace {

// The other mode, mvcc, is experimental in the engine, and may lose a file with all that is in it
// when the power goes while the mode is changed.
void ExpectWal(const turso_database_t* database) {
  constexpr std::string_view kWhat = "reading the journal mode";
  const auto connection = ConnectTurso(database);
  const auto statement = PrepareTurso(connection.get(), "PRAGMA journal_mode", kWhat);
  std::string mode;
  while (StepTurso(statement.get(), kWhat)) mode = TursoRow(statement.get()).Text(0);
  if (mode == "wal") return;
  throw Failure(Fault::kStorage, "its journal mode is " + mode + ", and only wal is supported");
}

// The engine knows nothing of such a journal, and SQLite would apply it later to what was written
// since.
void ExpectNoRollbackJournal(const std::string& path) {
  std::error_code error;
  if (std::filesystem::file_size(path + "-journal", error) == 0 || error) return;
  throw Failure(
      Fault::kStorage,
      "a transaction of SQLite was cut off in it, which only SQLite can roll back: open it "
      "once with SQLite");
}

// The engine syncs its files, but not their folder, without which the loss of power may take a new
// file away with all that was synced in it. As with SQLite it is no error where that cannot be
// done.
void SyncFolderOf(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const int file = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  fsync(file);
  close(file);
}

}  // namespace

// The files that are open. Opening and closing is done one after the other, so that a file that is
// being closed is not opened beside that.
class TursoFile::Registry {
 public:
  Registry() {
    OpenFile::PrepareForFork();
    TursoLock::PrepareForFork();
  }

  std::mutex& mutex() { return mutex_; }

  std::shared_ptr<TursoFile> Open(const TursoOptions& options) {
    const std::lock_guard lock(mutex_);
    // A forked child has no share in what its parent does.
    const Key key(util::ForkGeneration(), options.path);
    auto& entry = files_[key];
    try {
      if (entry.stores == 0) {
        entry.file.reset(new TursoFile(options));
      } else {
        CheckShared(*entry.file, options);
      }
    } catch (...) {
      if (entry.stores == 0) files_.erase(key);
      throw;
    }
    ++entry.stores;
    return {entry.file.get(), [this, key](TursoFile*) { Close(key); }};
  }

 private:
  using Key = std::pair<std::uint64_t, std::string>;
  struct Entry {
    std::unique_ptr<TursoFile> file;
    int stores = 0;
  };

  static void CheckShared(const TursoFile& file, const TursoOptions& options) {
    if (file.HasMoved()) {
      throw Failure(Fault::kStorage,
                    "it was removed or replaced while another store of this process has it open");
    }
    if (file.options_.key != options.key) {
      throw Failure(
          Fault::kStorage,
          "another store of this process has it open with another cipher or key, or none");
    }
  }

  void Close(const Key& key) {
    if (key.first != util::ForkGeneration()) return;  // It is the parent's.
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(key);
    if (--found->second.stores == 0) files_.erase(found);
  }

  std::mutex mutex_;
  std::map<Key, Entry> files_;
};

TursoFile::TursoFile(const TursoOptions& options) : options_(options) {
  if (options_.in_memory()) {
    database_ = OpenTurso(options_.path, options_.key);
    return;
  }
  OpenFile::CheckMayOpen(options_.path, OpenFile::Engine::kTurso);
  TursoLock::ExpectUnopened(options_.path);
  ExpectNoRollbackJournal(options_.path);
  database_ = OpenTurso(options_.path, options_.key);
  file_ = OpenFile(options_.path, OpenFile::Engine::kTurso);
  log_ = OpenFile(options_.path + "-wal", OpenFile::Engine::kTurso);  // It is made at once, too.
  lock_.emplace(options_.path);
  lock_->TakeOver();
  ExpectWal(database_.get());
  SyncFolderOf(options_.path);
}

TursoFile::~TursoFile() {
  if (options_.in_memory() || HasMoved()) return;
  try {
    const auto connection = ConnectTurso(database_.get());
    ExecuteTurso(connection.get(), "PRAGMA wal_checkpoint(TRUNCATE)", "copying the log");
  } catch (const Failure&) {
    // The log stays, and is read at the next opening.
  }
}

std::shared_ptr<TursoFile> TursoFile::Open(const TursoOptions& options) {
  constexpr auto kPause = std::chrono::milliseconds(10);
  const auto deadline = std::chrono::steady_clock::now() + options.busy_timeout;
  for (;;) {
    try {
      if (options.in_memory()) return std::shared_ptr<TursoFile>(new TursoFile(options));
      return util::ForkSafe<Registry>().Open(options);
    } catch (const Failure& failure) {
      if (failure.fault() != Fault::kBusy || std::chrono::steady_clock::now() >= deadline) {
        throw PgqrsConnectionError("cannot open \"" + options.path + "\": " + failure.what());
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace pgqrs::driver
