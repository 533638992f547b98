#ifndef PGQRS_DRIVER_POSTGRES_POSTGRES_CONNECTION_H_
#define PGQRS_DRIVER_POSTGRES_POSTGRES_CONNECTION_H_

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "driver/postgres/pipeline.h"
#include "driver/postgres/postgres_dsn.h"
#include "driver/postgres/server_clock.h"

namespace pgqrs::driver {

class PostgresConnection final : public Connection {
 public:
  enum class Role : std::uint8_t { kWriter, kReader };

  PostgresConnection(const PostgresOptions& options, Role role, std::shared_ptr<ServerClock> clock);

  void Begin() override;
  void Commit() override;
  void Rollback() noexcept override;
  using Connection::Run;
  void Run(sql::Statement statement, std::span<const Value> rows, const RowSink& sink) override;
  bool is_lost() const override { return pipeline_.is_lost(); }
  bool works_on_sets() const override { return true; }
  void Send(sql::Statement statement, std::span<const Value> row, const RowSink& sink) override;
  std::int64_t Query(std::string_view sql, std::span<const Cell> parameters,
                     const QuerySink& sink) override;
  void LockForInstall() override;
  void RunScript(std::string_view script) override;
  void PrepareAll() override;
  std::vector<std::string> CompareSchema() override;
  bool SeesForeignCommits() override { return true; }
  TimePoint Now() override;
  Scalar Clock() override;

 private:
  void BeginBlock(const char* text);
  void MakeSettings();
  void CheckNotUndone() const;
  void Read();
  const std::string& TextOf(sql::Statement statement);

  const PostgresOptions options_;
  const Role role_;
  const std::shared_ptr<ServerClock> clock_;
  Pipeline pipeline_;
  bool in_transaction_ = false;
  bool in_block_ = false;  // Of a transaction that was begun explicitly.
  std::array<std::string, sql::kCatalog.size()> texts_;
  std::optional<TimePoint> now_;          // Of the open transaction.
  bool has_queried_ = false;              // In the open transaction.
  std::optional<Failure> query_failure_;  // It has undone all of the open transaction.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_POSTGRES_CONNECTION_H_
