#ifndef PGQRS_DRIVER_TURSO_TURSO_SESSION_H_
#define PGQRS_DRIVER_TURSO_TURSO_SESSION_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "driver/file/file_connection.h"
#include "driver/turso/turso_file.h"
#include "driver/turso/turso_handle.h"

namespace pgqrs::driver {

class TursoSession final : public FileSession {
 public:
  TursoSession(const TursoOptions& options, std::shared_ptr<TursoFile> file,
               FileConnection::Role role);

  void Begin() override;
  void Commit() override;
  void Rollback() noexcept override;
  bool SeesForeignCommits() override;
  std::unique_ptr<FileStatement> Prepare(std::string_view sql, std::string_view what) override;
  void Execute(std::string_view script, std::string_view what) override {
    ExecuteTurso(connection_.get(), script, what);
  }
  std::int64_t Query(std::string_view sql, std::span<const Cell> parameters,
                     const QuerySink& sink) override;
  bool HasMoved() override { return file_->HasMoved(); }
  std::unique_ptr<FileSession> OpenEmpty() const override;

 private:
  const Duration busy_timeout_;
  const std::shared_ptr<TursoFile> file_;
  const FileConnection::Role role_;
  std::uint64_t own_commits_ = 0;
  std::uint64_t foreign_commits_ = 0;  // That were seen.
  TursoConnectionHandle connection_;
  // Behind the handle, so that they are freed before it is closed.
  TursoStatement begin_;
  TursoStatement commit_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_SESSION_H_
