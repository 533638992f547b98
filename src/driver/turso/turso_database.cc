#include "driver/turso/turso_database.h"

#include <fcntl.h>
#include <pgqrs/error.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>

#include "driver/file/file_dsn.h"
#include "driver/file/process_clock.h"
#include "driver/turso/turso_connection.h"
#include "util/fork_safe.h"

namespace pgqrs::driver {
namespace {

class OneAtATime {
 public:
  std::mutex& mutex() { return mutex_; }

 private:
  std::mutex mutex_;
};

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

TursoOptions ParseTursoDsn(const Config& config) {
  TursoOptions options;
  options.busy_timeout = config.connection_timeout;
  options.clock = ProcessClock(config);
  const auto dsn = ParseFileDsn(config.dsn, "turso:");
  options.settings.path = dsn.path;
  for (const auto& parameter : dsn.parameters) {
    const auto& [name, value] = parameter;
    if (name == "synchronous") {
      options.synchronous_full = IsFirstOf(parameter, "full", "normal");
    } else if (name == "journal_mode") {
      options.journal_mode =
          IsFirstOf(parameter, "mvcc", "wal") ? JournalMode::kMvcc : JournalMode::kWal;
    } else if (name == "cipher") {
      options.settings.cipher = value;
    } else if (name == "hexkey") {
      options.settings.hexkey = value;
    } else {
      throw ConfigError("dsn: unknown parameter \"" + name +
                        "\"; Turso knows: synchronous, journal_mode, cipher, hexkey");
    }
  }
  if (options.settings.cipher.empty() != options.settings.hexkey.empty()) {
    throw ConfigError("dsn: cipher and hexkey are given together or not at all");
  }
  return options;
}

TursoDatabase::TursoDatabase(const Config& config) : options_(ParseTursoDsn(config)) {
  options_.settings.path = RealPath(options_.settings.path);
}

std::unique_ptr<Connection> TursoDatabase::OpenWriter() {
  const auto& path = options_.settings.path;
  if (!open_) {
    OpenFile::CheckNotInherited(path);
    // Other connections fail while the mode is changed.
    const std::lock_guard lock(util::ForkSafe<OneAtATime>().mutex());
    auto opened = std::make_shared<OpenTursoFile>();
    opened->changes = LocalChanges::Of(path, options_.journal_mode);
    opened->database = OpenTurso(options_.settings);
    opened->file = OpenFile(path);
    SetJournalMode(*opened->database, options_.journal_mode);
    if (!is_private()) SyncFolderOf(path);  // The log is made at once, too.
    open_ = std::move(opened);
  }
  return std::make_unique<TursoConnection>(options_, open_, TursoConnection::Role::kWriter);
}

std::unique_ptr<Connection> TursoDatabase::OpenReader() {
  return std::make_unique<TursoConnection>(options_, open_, TursoConnection::Role::kReader);
}

std::unique_ptr<ChangeListener> TursoDatabase::Listen(
    std::function<void(const Announcement&)> on_change) {
  if (is_private()) return nullptr;
  return LocalChanges::Listen(open_->changes, this, std::move(on_change));
}

}  // namespace pgqrs::driver
