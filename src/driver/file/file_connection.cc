#include "driver/file/file_connection.h"

#include <stdexcept>
#include <utility>

#include "driver/file/normal_sql.h"
#include "driver/schema_objects.h"
#include "driver/user_sql.h"

namespace pgqrs::driver {
namespace {

// Steps through the rows as far as the sink wants them, and answers whether that was all of them.
bool StepThrough(FileStatement& statement, const RowSink& sink) {
  bool go_on = true;
  try {
    while (go_on && statement.Step()) go_on = sink(statement.row());
  } catch (...) {
    statement.Reset();
    throw;
  }
  statement.Reset();
  return go_on;
}

SchemaObjects ReadSchema(FileSession& session, std::string_view dialect) {
  SchemaObjects objects;
  const auto statement =
      session.Prepare(sql::Text(dialect, sql::Statement::kDescribeSchema), "reading the schema");
  StepThrough(*statement, [&](const Row& row) {
    objects.emplace(row.Text(1), SchemaObject{.owner = std::string(row.Text(0)),
                                              .definition = NormalSql(row.Text(2))});
    return true;
  });
  return objects;
}

}  // namespace

FileConnection::FileConnection(std::string_view dialect, FileOptions options,
                               std::unique_ptr<FileSession> session)
    : dialect_(dialect), options_(std::move(options)), session_(std::move(session)) {}

void FileConnection::Adopt() {
  session_->Adopt();
  if (!options_.in_memory()) turn_.emplace(options_.path);
}

void FileConnection::Begin() {
  if (turn_) turn_->Take(options_.busy_timeout);
  try {
    session_->Begin();
    // What is written to a file that is no longer there would be acknowledged and lost.
    if (session_->HasMoved()) {
      throw Failure(Fault::kStorage, "\"" + options_.path +
                                         "\" was removed or replaced while the store had it open");
    }
  } catch (...) {
    Rollback();
    throw;
  }
}

void FileConnection::Commit() {
  session_->Commit();
  if (turn_) turn_->Give();
}

void FileConnection::Rollback() noexcept {
  session_->Rollback();
  if (turn_) turn_->Give();
}

FileStatement& FileConnection::Prepared(sql::Statement statement) {
  auto& prepared = statements_[static_cast<std::size_t>(statement)];
  if (!prepared) {
    const auto& info = sql::Info(statement);
    prepared = session_->Prepare(sql::Text(dialect_, statement), info.name);
    if (prepared->parameter_count() != info.parameters.size() ||
        prepared->column_count() != info.columns.size()) {
      throw std::logic_error("the catalogue does not fit statement " + std::string(info.name));
    }
  }
  return *prepared;
}

void FileConnection::Run(sql::Statement statement, std::span<const Value> rows,
                         const RowSink& sink) {
  auto& prepared = Prepared(statement);
  const auto width = sql::Info(statement).parameters.size();
  if (width == 0) {
    StepThrough(prepared, sink);
    return;
  }
  for (; !rows.empty(); rows = rows.subspan(width)) {
    prepared.Bind(rows.first(width));
    if (!StepThrough(prepared, sink)) break;
  }
}

std::int64_t FileConnection::Query(std::string_view sql, std::span<const Cell> parameters,
                                   const QuerySink& sink) {
  CheckUserSql(sql);
  return session_->Query(sql, parameters, sink);
}

void FileConnection::RunScript(std::string_view script) {
  session_->Execute(script, "migrating the schema");
}

void FileConnection::PrepareAll() {
  for (std::size_t i = 0; i < sql::kCatalog.size(); ++i) {
    const auto statement = static_cast<sql::Statement>(i);
    if (statement == sql::Statement::kCreateViewTrigger) continue;  // A script, that comes last.
    if (!sql::Text(dialect_, statement).empty()) Prepared(statement);
  }
}

std::vector<std::string> FileConnection::CompareSchema() {
  constexpr std::string_view kWhat = "comparing the schema";
  const auto fresh = session_->OpenEmpty();
  fresh->Execute(sql::Text(dialect_, sql::Statement::kCreateMigrations), kWhat);
  for (const auto& migration : sql::Migrations(dialect_)) fresh->Execute(migration.text, kWhat);
  fresh->Execute(sql::Text(dialect_, sql::Statement::kCreateViewTrigger), kWhat);
  const auto expected = ReadSchema(*fresh, dialect_);
  auto found = ReadSchema(*session_, dialect_);
  // An engine that has no such triggers may meet the one of SQLite.
  const std::string view_trigger = "trigger pgqrs_messages_enqueue";
  if (!expected.contains(view_trigger)) found.erase(view_trigger);
  return DifferencesOf(expected, found);
}

}  // namespace pgqrs::driver
