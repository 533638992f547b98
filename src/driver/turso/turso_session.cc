#include "driver/turso/turso_session.h"

#include <pgqrs/error.h>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace pgqrs::driver {
namespace {

class PreparedStatement final : public FileStatement {
 public:
  PreparedStatement(const turso_connection_t* connection, std::string_view sql,
                    std::string_view what)
      : what_(what), statement_(PrepareTurso(connection, sql, what)), row_(statement_.get()) {}

  std::size_t parameter_count() const override {
    return static_cast<std::size_t>(turso_statement_parameters_count(statement_.get()));
  }
  std::size_t column_count() const override {
    return static_cast<std::size_t>(turso_statement_column_count(statement_.get()));
  }
  void Bind(std::span<const Value> row) override;
  bool Step() override { return StepTurso(statement_.get(), what_); }
  const Row& row() const override { return row_; }
  void Reset() noexcept override { turso_statement_reset(statement_.get(), nullptr); }

 private:
  const std::string what_;
  const TursoStatement statement_;
  const TursoRow row_;
};

void PreparedStatement::Bind(std::span<const Value> row) {
  auto* statement = statement_.get();
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto& value = row[i];
    auto code = TURSO_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = turso_statement_bind_positional_int(statement, i + 1, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      code = turso_statement_bind_positional_text(
          statement, i + 1, text->data() != nullptr ? text->data() : "", text->size());
    } else {
      code = turso_statement_bind_positional_null(statement, i + 1);
    }
    if (code != TURSO_OK) throw TursoFailure(code, {}, what_);
  }
}

// Runs the statement to its end and makes it ready for the next time.
void Finish(const turso_statement_t* statement, std::string_view what) {
  try {
    while (StepTurso(statement, what)) {
    }
  } catch (const Failure&) {
    turso_statement_reset(statement, nullptr);
    throw;
  }
  turso_statement_reset(statement, nullptr);
}

}  // namespace

TursoSession::TursoSession(const TursoOptions& options, std::shared_ptr<TursoFile> file,
                           FileConnection::Role role)
    : busy_timeout_(options.busy_timeout), file_(std::move(file)), role_(role) {
  try {
    connection_ = ConnectTurso(file_->database());
    // Seldom needed, since writers take turns, and so no matter that it sleeps for milliseconds.
    turso_connection_set_busy_timeout_ms(connection_.get(),
                                         busy_timeout_ / std::chrono::milliseconds(1));
    ExecuteTurso(connection_.get(),
                 options.synchronous_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                 "setting the durability");
    const bool writes = role_ == FileConnection::Role::kWriter;
    if (!writes) ExecuteTurso(connection_.get(), "PRAGMA query_only=1", "opening a reader");
    begin_ = PrepareTurso(connection_.get(), writes ? "BEGIN IMMEDIATE" : "BEGIN", "BEGIN");
    commit_ = PrepareTurso(connection_.get(), "COMMIT", "COMMIT");
  } catch (const Failure& failure) {
    throw PgqrsConnectionError("cannot open \"" + options.path + "\": " + failure.what());
  }
}

void TursoSession::Begin() { Finish(begin_.get(), "beginning a transaction"); }

void TursoSession::Commit() {
  try {
    Finish(commit_.get(), "committing");
  } catch (const Failure& failure) {
    // Whichever call of the system failed, the commit record may have reached the file before; but
    // for a write to the WAL that had no room, which is that of the record or of what has to stand
    // before it.
    if (failure.fault() == Fault::kStorage && !IsOfFullDisk(failure)) {
      file_->changes()->NoteCommit();
      throw Failure(Fault::kUnknown, failure.what());
    }
    throw;
  }
  if (role_ == FileConnection::Role::kWriter) {
    ++own_commits_;
    file_->changes()->NoteCommit();
  }
}

void TursoSession::Rollback() noexcept {
  // Some errors end the transaction by themselves.
  if (turso_connection_get_autocommit(connection_.get())) return;
  try {
    ExecuteTurso(connection_.get(), "ROLLBACK", "rolling back");
  } catch (const std::exception&) {
    // The next transaction cannot begin then, and says so.
  }
}

bool TursoSession::SeesForeignCommits() {
  const auto foreign = file_->changes()->commits() - own_commits_;
  return std::exchange(foreign_commits_, foreign) != foreign;
}

std::unique_ptr<FileStatement> TursoSession::Prepare(std::string_view sql, std::string_view what) {
  return std::make_unique<PreparedStatement>(connection_.get(), sql, what);
}

std::unique_ptr<FileSession> TursoSession::OpenEmpty() const {
  TursoOptions options;
  options.path = ":memory:";
  options.busy_timeout = busy_timeout_;
  return std::make_unique<TursoSession>(options, TursoFile::Open(options),
                                        FileConnection::Role::kWriter);
}

}  // namespace pgqrs::driver
