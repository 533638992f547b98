#include "driver/postgres/postgres_connection.h"

#include <utility>

#include "driver/postgres/pooler.h"
#include "driver/postgres/query_values.h"
#include "driver/postgres/schema_compare.h"
#include "driver/user_sql.h"

namespace pgqrs::driver {

PostgresConnection::PostgresConnection(const PostgresOptions& options, Role role,
                                       std::shared_ptr<ServerClock> clock)
    : options_(options), role_(role), clock_(std::move(clock)), pipeline_(OpenPostgres(options)) {}

// What a pipeline holds up to its end is one transaction by itself. A writer needs no more, as long
// as nothing ends the pipeline in between; that saves the server two statements.
void PostgresConnection::Begin() {
  pipeline_.CheckOpen();
  now_.reset();
  in_transaction_ = true;
  has_queried_ = false;
  query_failure_.reset();
  if (role_ == Role::kReader) {
    BeginBlock("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if (!pipeline_.is_pooled()) return;
    for (const auto& setting : LocalSettingsWithoutSnapshot()) pipeline_.SendText(setting.c_str());
    return;
  }
  if (pipeline_.is_pooled()) BeginBlock("BEGIN ISOLATION LEVEL READ COMMITTED");
  MakeSettings();
}

// From here on, and with what was sent before, the transaction lasts until it is ended.
void PostgresConnection::BeginBlock(const char* text) {
  if (!std::exchange(in_block_, true)) pipeline_.SendText(text);
}

// At the begin of a transaction, or before a statement that is one by itself.
void PostgresConnection::MakeSettings() {
  if (pipeline_.is_pooled()) pipeline_.SendText(LocalSettings());
}

void PostgresConnection::Commit() {
  CheckNotUndone();
  if (in_block_) pipeline_.SendText("COMMIT");
  try {
    pipeline_.Sync();
  } catch (const Failure& failure) {
    if (failure.fault() == Fault::kLost) throw Failure(Fault::kUnknown, failure.what());
    throw;
  }
  in_transaction_ = in_block_ = false;
}

void PostgresConnection::Rollback() noexcept {
  try {
    // Where the pipeline has failed, the server skips this, and everything is undone but a block.
    if (in_transaction_) pipeline_.SendText("ROLLBACK");
    pipeline_.Recover();
    if (pipeline_.in_transaction()) {
      pipeline_.SendText("ROLLBACK");
      pipeline_.Sync();
    }
  } catch (const std::exception&) {
    // The connection is gone, and the transaction with it.
  }
  in_transaction_ = in_block_ = false;
  query_failure_.reset();
}

const std::string& PostgresConnection::TextOf(sql::Statement statement) {
  auto& text = texts_[static_cast<std::size_t>(statement)];
  if (text.empty()) text = WithSchema(sql::Text("postgres", statement), options_);
  return text;
}

void PostgresConnection::Run(sql::Statement statement, std::span<const Value> rows,
                             const RowSink& sink) {
  CheckNotUndone();
  const auto& info = sql::Info(statement);
  const auto width = info.parameters.size();
  const RowSink* wanted = info.columns.empty() ? nullptr : &sink;
  if (!in_transaction_) MakeSettings();
  if (width == 0) {
    pipeline_.Send(statement, TextOf(statement), {}, wanted);
  }
  for (; width > 0 && !rows.empty(); rows = rows.subspan(width)) {
    pipeline_.Send(statement, TextOf(statement), rows.first(width), wanted);
  }
  // What gives no rows is not waited for: its failure shows at the next reading, or at the commit.
  if (wanted != nullptr || !in_transaction_) Read();
}

void PostgresConnection::Send(sql::Statement statement, std::span<const Value> row,
                              const RowSink& sink) {
  CheckNotUndone();
  pipeline_.Send(statement, TextOf(statement), row, &sink);
}

// After a failure the server skips what follows, and would end the transaction without a word.
void PostgresConnection::CheckNotUndone() const {
  if (query_failure_) throw *query_failure_;
}

std::int64_t PostgresConnection::Query(std::string_view sql, std::span<const Cell> parameters,
                                       const QuerySink& sink) {
  CheckNotUndone();
  CheckUserSql(sql);
  PostgresResult result;
  try {
    BeginBlock("BEGIN");
    if (!std::exchange(has_queried_, true)) {
      for (const auto& setting : LocalSettingsOfUser()) pipeline_.SendText(setting.c_str());
    }
    result = pipeline_.Query(std::string(sql), parameters);
  } catch (const Failure& failure) {
    query_failure_ = failure;
    throw;
  }
  return DeliverQuery(result.get(), sink);
}

void PostgresConnection::RunScript(std::string_view script) {
  if (in_transaction_) BeginBlock("BEGIN");
  pipeline_.RunScript(WithSchema(script, options_), "migrating the schema");
}

void PostgresConnection::PrepareAll() {
  for (std::size_t i = 0; i < sql::kCatalog.size(); ++i) {
    const auto statement = static_cast<sql::Statement>(i);
    if (statement == sql::Statement::kCreateMigrations) continue;  // A script.
    if (TextOf(statement).empty()) continue;
    pipeline_.Prepare(statement, TextOf(statement));
  }
  pipeline_.Sync();
}

std::vector<std::string> PostgresConnection::CompareSchema() {
  return CompareWithFreshSchema(options_);
}

TimePoint PostgresConnection::Now() {
  if (options_.clock) return options_.clock();
  if (in_transaction_ && now_) return *now_;
  TimePoint now;
  const RowSink sink = [&](const Row& row) {
    now = TimePoint(Duration(row.Int(0)));
    return false;
  };
  pipeline_.SendText("SELECT clock_timestamp()", &sink);
  Read();
  clock_->Set(now);
  if (in_transaction_) now_ = now;
  return now;
}

Scalar PostgresConnection::Clock() {
  if (options_.clock) return Connection::Clock();
  if (clock_->is_old()) Now();
  return {};
}

void PostgresConnection::LockForInstall() {
  const auto lock = WithSchema(
      "SELECT pg_advisory_xact_lock(hashtextextended('pgqrs install ' || {schema_text}, 0))",
      options_);
  pipeline_.SendText(lock.c_str());
  pipeline_.Read();
}

void PostgresConnection::Read() {
  if (in_transaction_) {
    pipeline_.Read();
  } else {
    pipeline_.Sync();
  }
}

}  // namespace pgqrs::driver
