#ifndef PGQRS_DRIVER_SQLITE_SQLITE_SESSION_H_
#define PGQRS_DRIVER_SQLITE_SQLITE_SESSION_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "driver/file/file_connection.h"
#include "driver/sqlite/data_version.h"
#include "driver/sqlite/sqlite_handle.h"

namespace pgqrs::driver {

class SqliteSession final : public FileSession {
 public:
  SqliteSession(const FileOptions& options, FileConnection::Role role);

  void Adopt() override;
  void Begin() override;
  void Commit() override;
  void Rollback() noexcept override;
  bool SeesForeignCommits() override { return data_version_->HasChanged(); }
  std::unique_ptr<FileStatement> Prepare(std::string_view sql, std::string_view what) override;
  void Execute(std::string_view script, std::string_view what) override {
    ExecuteSqlite(database_.get(), script, what);
  }
  std::int64_t Query(std::string_view sql, std::span<const Cell> parameters,
                     const QuerySink& sink) override;
  bool HasMoved() override;
  std::unique_ptr<FileSession> OpenEmpty() const override;

 private:
  void Configure(FileConnection::Role role);
  static int WaitWhileBusy(void* self, int attempt);

  const FileOptions options_;
  std::chrono::steady_clock::time_point busy_since_;
  SqliteHandle database_;
  // Behind the handle, so that they are finalized before it is closed.
  SqliteStatement begin_;
  SqliteStatement commit_;
  std::optional<DataVersion> data_version_;  // Of a writer.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_SQLITE_SESSION_H_
