#include "driver/turso/turso_file.h"

#include <fcntl.h>
#include <pgqrs/error.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

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

TursoFile::TursoFile(const TursoOptions& options) {
  OpenFile::CheckNotInherited(options.path);
  changes_ = LocalChanges::Of(options.path);
  database_ = OpenTurso(options.path, options.key);
  file_ = OpenFile(options.path);
  try {
    ExpectWal(database_.get());
  } catch (const Failure& failure) {
    throw PgqrsConnectionError("cannot open \"" + options.path + "\": " + failure.what());
  }
  if (!options.in_memory()) SyncFolderOf(options.path);  // The log is made at once, too.
}

}  // namespace pgqrs::driver
