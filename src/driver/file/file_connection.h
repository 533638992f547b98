// What connections to a file have in common, whichever engine keeps it: writers take turns,
// statements are prepared once and run row by row, the schema is compared with a fresh one.
#ifndef PGQRS_DRIVER_FILE_FILE_CONNECTION_H_
#define PGQRS_DRIVER_FILE_FILE_CONNECTION_H_

#include <pgqrs/config.h>
#include <pgqrs/time.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "driver/file/write_turn.h"

namespace pgqrs::driver {

// What the DSN of a file says.
struct FileOptions {
  std::string path;  // ":memory:" for a private database in memory.
  bool synchronous_full = true;
  Duration busy_timeout;
  Clock clock;

  bool in_memory() const { return path == ":memory:"; }
};

// What errors call the statements of callers.
inline constexpr std::string_view kCallersStatement = "a statement of the step";

// A prepared statement of an engine.
class FileStatement {
 public:
  virtual ~FileStatement() = default;

  virtual std::size_t parameter_count() const = 0;
  virtual std::size_t column_count() const = 0;
  // The texts have to live until the reset.
  virtual void Bind(std::span<const Value> row) = 0;
  // Steps to the next row. Answers false behind the last one.
  virtual bool Step() = 0;
  virtual const Row& row() const = 0;
  // Makes it ready for the next time.
  virtual void Reset() noexcept = 0;
};

// One connection of an engine.
class FileSession {
 public:
  virtual ~FileSession() = default;

  // As for a Connection.
  virtual void Adopt() {}
  virtual void Begin() = 0;
  virtual void Commit() = 0;
  virtual void Rollback() noexcept = 0;
  virtual bool SeesForeignCommits() = 0;

  // Prepares one statement for many runs.
  virtual std::unique_ptr<FileStatement> Prepare(std::string_view sql, std::string_view what) = 0;
  // Runs one or more statements and drops their rows.
  virtual void Execute(std::string_view script, std::string_view what) = 0;
  // As for a Connection.
  virtual std::int64_t Query(std::string_view sql, std::span<const Cell> parameters,
                             const QuerySink& sink) = 0;
  // Whether the file at the path is another one by now, or none.
  virtual bool HasMoved() = 0;
  // A session on an empty database in memory.
  virtual std::unique_ptr<FileSession> OpenEmpty() const = 0;
};

class FileConnection final : public Connection {
 public:
  enum class Role : std::uint8_t { kWriter, kReader };

  FileConnection(std::string_view dialect, FileOptions options,
                 std::unique_ptr<FileSession> session);

  void Adopt() override;
  void Begin() override;
  void Commit() override;
  void Rollback() noexcept override;
  using Connection::Run;
  void Run(sql::Statement statement, std::span<const Value> rows, const RowSink& sink) override;
  std::int64_t Query(std::string_view sql, std::span<const Cell> parameters,
                     const QuerySink& sink) override;
  void RunScript(std::string_view script) override;
  void PrepareAll() override;
  std::vector<std::string> CompareSchema() override;
  bool SeesForeignCommits() override { return session_->SeesForeignCommits(); }
  TimePoint Now() override { return options_.clock(); }

 private:
  FileStatement& Prepared(sql::Statement statement);

  const std::string_view dialect_;
  const FileOptions options_;
  std::optional<WriteTurn> turn_;
  const std::unique_ptr<FileSession> session_;
  // Behind the session, so that they are freed before it is closed.
  std::array<std::unique_ptr<FileStatement>, sql::kCatalog.size()> statements_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_FILE_CONNECTION_H_
