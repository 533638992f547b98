#ifndef PGQRS_DRIVER_TURSO_TURSO_CONNECTION_H_
#define PGQRS_DRIVER_TURSO_TURSO_CONNECTION_H_

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "driver/file/write_turn.h"
#include "driver/turso/turso_database.h"
#include "driver/turso/turso_handle.h"

namespace pgqrs::driver {

class TursoConnection final : public Connection {
 public:
  enum class Role : std::uint8_t { kWriter, kReader };

  TursoConnection(const TursoOptions& options, std::shared_ptr<OpenTursoFile> file, Role role);

  void Adopt() override;
  void Begin() override;
  void Commit() override;
  void Rollback() noexcept override;
  using Connection::Run;
  void Run(sql::Statement statement, std::span<const Value> rows, const RowSink& sink) override;
  void RunScript(std::string_view script) override;
  void PrepareAll() override;
  std::vector<std::string> CompareSchema() override;
  bool SeesForeignCommits() override;
  TimePoint Now() override { return options_.clock(); }

 private:
  turso_statement_t* Prepared(sql::Statement statement);
  // Answers false where the sink needs no more rows.
  bool StepThrough(turso_statement_t* prepared, const RowSink& sink, sql::Statement statement);

  const TursoOptions options_;
  const std::shared_ptr<OpenTursoFile> file_;
  const Role role_;
  std::optional<WriteTurn> turn_;
  std::uint64_t own_commits_ = 0;
  std::uint64_t foreign_commits_ = 0;  // That were seen.
  TursoConnectionHandle connection_;
  // Behind the handle, so that they are freed before it is closed.
  std::array<TursoStatement, sql::kCatalog.size()> statements_;
  TursoStatement begin_;
  TursoStatement commit_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_CONNECTION_H_
