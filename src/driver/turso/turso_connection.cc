#include "driver/turso/turso_connection.h"

#include <pgqrs/error.h>

#include <chrono>
#include <utility>

#include "driver/file/normal_sql.h"
#include "driver/schema_objects.h"

namespace pgqrs::driver {
namespace {

class TursoRow final : public Row {
 public:
  explicit TursoRow(const turso_statement_t* statement) : statement_(statement) {}

  bool IsNull(int column) const override {
    return turso_statement_row_value_kind(statement_, Index(column)) == TURSO_TYPE_NULL;
  }
  std::int64_t Int(int column) const override {
    return turso_statement_row_value_int(statement_, Index(column));
  }
  std::string_view Text(int column) const override {
    const auto* text = turso_statement_row_value_bytes_ptr(statement_, Index(column));
    const auto length = turso_statement_row_value_bytes_count(statement_, Index(column));
    if (text == nullptr || length <= 0) return {};
    return {text, static_cast<std::size_t>(length)};
  }

 private:
  static std::size_t Index(int column) { return static_cast<std::size_t>(column); }

  const turso_statement_t* statement_;
};

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

void Bind(const turso_statement_t* prepared, std::span<const Value> row, sql::Statement statement) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto& value = row[i];
    auto code = TURSO_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = turso_statement_bind_positional_int(prepared, i + 1, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      code = turso_statement_bind_positional_text(
          prepared, i + 1, text->data() != nullptr ? text->data() : "", text->size());
    } else {
      code = turso_statement_bind_positional_null(prepared, i + 1);
    }
    if (code != TURSO_OK) throw TursoFailure(code, {}, sql::Info(statement).name);
  }
}

SchemaObjects ReadSchema(const turso_connection_t* connection) {
  constexpr std::string_view kWhat = "reading the schema";
  SchemaObjects objects;
  const auto statement =
      PrepareTurso(connection, sql::Text("turso", sql::Statement::kDescribeSchema), kWhat);
  const TursoRow row(statement.get());
  while (StepTurso(statement.get(), kWhat)) {
    objects.emplace(row.Text(1), SchemaObject{.owner = std::string(row.Text(0)),
                                              .definition = NormalSql(row.Text(2))});
  }
  objects.erase("trigger pgqrs_messages_enqueue");  // Of a file that SQLite has made.
  return objects;
}

}  // namespace

TursoConnection::TursoConnection(const TursoOptions& options, std::shared_ptr<OpenTursoFile> file,
                                 Role role)
    : options_(options), file_(std::move(file)), role_(role) {
  try {
    connection_ = ConnectTurso(file_->database.get());
    // Seldom needed, since writers take turns, and so no matter that it sleeps for milliseconds.
    turso_connection_set_busy_timeout_ms(connection_.get(),
                                         options_.busy_timeout / std::chrono::milliseconds(1));
    ExecuteTurso(
        connection_.get(),
        options_.synchronous_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
        "setting the durability");
    begin_ = PrepareTurso(connection_.get(), role == Role::kWriter ? "BEGIN IMMEDIATE" : "BEGIN",
                          "BEGIN");
    commit_ = PrepareTurso(connection_.get(), "COMMIT", "COMMIT");
  } catch (const Failure& failure) {
    throw PgqrsConnectionError("cannot open \"" + options_.settings.path + "\": " + failure.what());
  }
}

void TursoConnection::Adopt() {
  if (!options_.in_memory()) turn_.emplace(options_.settings.path);
}

void TursoConnection::Begin() {
  if (turn_) turn_->Take(options_.busy_timeout);
  try {
    Finish(begin_.get(), "beginning a transaction");
    // What is written to a file that is no longer there would be acknowledged and lost.
    if (file_->file.HasMovedFrom(options_.settings.path)) {
      throw Failure(Fault::kStorage, "\"" + options_.settings.path +
                                         "\" was removed or replaced while the store had it open");
    }
  } catch (...) {
    Rollback();
    throw;
  }
}

void TursoConnection::Commit() {
  try {
    Finish(commit_.get(), "committing");
  } catch (const Failure& failure) {
    // Whichever call of the system failed, the commit record may have reached the file before; but
    // for a write to the WAL that had no room, which is that of the record or of what has to stand
    // before it.
    const bool is_known = options_.journal_mode == JournalMode::kWal && IsOfFullDisk(failure);
    if (failure.fault() == Fault::kStorage && !is_known) {
      throw Failure(Fault::kUnknown, failure.what());
    }
    throw;
  }
  if (role_ == Role::kWriter) {
    ++own_commits_;
    file_->changes->NoteCommit();
  }
  if (turn_) turn_->Give();
}

void TursoConnection::Rollback() noexcept {
  // Some errors end the transaction by themselves.
  if (!turso_connection_get_autocommit(connection_.get())) {
    try {
      ExecuteTurso(connection_.get(), "ROLLBACK", "rolling back");
    } catch (const std::exception&) {
      // The next transaction cannot begin then, and says so.
    }
  }
  if (turn_) turn_->Give();
}

turso_statement_t* TursoConnection::Prepared(sql::Statement statement) {
  auto& prepared = statements_[static_cast<std::size_t>(statement)];
  if (!prepared) {
    const auto& info = sql::Info(statement);
    prepared = PrepareTurso(connection_.get(), sql::Text("turso", statement), info.name);
    if (turso_statement_parameters_count(prepared.get()) !=
            static_cast<std::int64_t>(info.parameters.size()) ||
        turso_statement_column_count(prepared.get()) !=
            static_cast<std::int64_t>(info.columns.size())) {
      throw std::logic_error("the catalogue does not fit statement " + std::string(info.name));
    }
  }
  return prepared.get();
}

bool TursoConnection::StepThrough(turso_statement_t* prepared, const RowSink& sink,
                                  sql::Statement statement) {
  const TursoRow row(prepared);
  bool go_on = true;
  try {
    while (go_on && StepTurso(prepared, sql::Info(statement).name)) go_on = sink(row);
  } catch (...) {
    turso_statement_reset(prepared, nullptr);
    throw;
  }
  turso_statement_reset(prepared, nullptr);
  return go_on;
}

void TursoConnection::Run(sql::Statement statement, std::span<const Value> rows,
                          const RowSink& sink) {
  auto* prepared = Prepared(statement);
  const auto width = sql::Info(statement).parameters.size();
  if (width == 0) {
    StepThrough(prepared, sink, statement);
    return;
  }
  for (; !rows.empty(); rows = rows.subspan(width)) {
    Bind(prepared, rows.first(width), statement);
    if (!StepThrough(prepared, sink, statement)) break;
  }
}

void TursoConnection::RunScript(std::string_view script) {
  ExecuteTurso(connection_.get(), script, "migrating the schema");
}

void TursoConnection::PrepareAll() {
  for (std::size_t i = 0; i < sql::kCatalog.size(); ++i) {
    const auto statement = static_cast<sql::Statement>(i);
    if (statement == sql::Statement::kCreateViewTrigger) continue;  // Nothing.
    if (!sql::Text("turso", statement).empty()) Prepared(statement);
  }
}

std::vector<std::string> TursoConnection::CompareSchema() {
  const auto fresh = OpenTurso({.path = ":memory:", .cipher = {}, .hexkey = {}});
  const auto connection = ConnectTurso(fresh.get());
  ExecuteTurso(connection.get(), sql::Text("turso", sql::Statement::kCreateMigrations),
               "comparing");
  for (const auto& migration : sql::Migrations("turso")) {
    ExecuteTurso(connection.get(), migration.text, "comparing");
  }
  return DifferencesOf(ReadSchema(connection.get()), ReadSchema(connection_.get()));
}

bool TursoConnection::SeesForeignCommits() {
  const auto foreign = file_->changes->commits() - own_commits_;
  return std::exchange(foreign_commits_, foreign) != foreign;
}

}  // namespace pgqrs::driver
