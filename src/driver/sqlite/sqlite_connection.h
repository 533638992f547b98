#ifndef PGQRS_DRIVER_SQLITE_SQLITE_CONNECTION_H_
#define PGQRS_DRIVER_SQLITE_SQLITE_CONNECTION_H_

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "driver/file/write_turn.h"
#include "driver/sqlite/data_version.h"
#include "driver/sqlite/sqlite_database.h"
#include "driver/sqlite/sqlite_handle.h"

namespace pgqrs::driver {

class SqliteConnection final : public Connection {
 public:
  enum class Role : std::uint8_t { kWriter, kReader };

  SqliteConnection(const SqliteOptions& options, Role role);

  void Adopt() override;
  void Begin() override;
  void Commit() override;
  void Rollback() noexcept override;
  using Connection::Run;
  void Run(sql::Statement statement, std::span<const Value> rows, const RowSink& sink) override;
  void RunScript(std::string_view script) override;
  void PrepareAll() override;
  std::vector<std::string> CompareSchema() override;
  bool SeesForeignCommits() override { return data_version_->HasChanged(); }
  TimePoint Now() override { return options_.clock(); }

 private:
  void Configure(Role role);
  void SwitchToWal();
  sqlite3_stmt* Prepared(sql::Statement statement);
  void Bind(sqlite3_stmt* prepared, std::span<const Value> row, sql::Statement statement);
  // Answers false where the sink needs no more rows.
  bool StepThrough(sqlite3_stmt* prepared, const RowSink& sink, sql::Statement statement);
  static int WaitWhileBusy(void* self, int attempt);

  const SqliteOptions options_;
  std::optional<WriteTurn> turn_;
  std::chrono::steady_clock::time_point busy_since_;
  SqliteHandle database_;
  // Behind the handle, so that they are finalized before it is closed.
  std::array<SqliteStatement, sql::kCatalog.size()> statements_;
  SqliteStatement begin_;
  SqliteStatement commit_;
  std::optional<DataVersion> data_version_;  // Of a writer.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_SQLITE_CONNECTION_H_
