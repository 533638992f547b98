#include "driver/postgres/caller_connection.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "driver/postgres/postgres_dsn.h"
#include "driver/postgres/postgres_handle.h"
#include "sql/catalog.h"

namespace pgqrs::driver {
namespace {

constexpr auto kStatement = sql::Statement::kEnqueueForCaller;

// An array as the server reads it as text.
std::string ArrayText(std::span<const Json> payloads) {
  std::string text = "{";
  for (const auto& payload : payloads) {
    text += text.size() > 1 ? ",\"" : "\"";
    for (const char c : payload.text()) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + '}';
}

std::optional<std::string> Micros(const std::optional<Duration>& duration) {
  if (!duration) return std::nullopt;
  return std::to_string(duration->count());
}

// A time long ago may be one that the server does not know.
std::optional<std::string> Micros(const std::optional<TimePoint>& time) {
  if (!time) return std::nullopt;
  return Micros(std::optional(std::max(time->time_since_epoch(), Duration::zero())));
}

const char* OrNull(const std::optional<std::string>& text) {
  return text ? text->c_str() : nullptr;
}

[[noreturn]] void ThrowError(PGconn* connection, const PGresult* result, std::string_view queue) {
  const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = field != nullptr ? field : "";
  const auto failure = PostgresFailure(connection, result, sql::Info(kStatement).name);
  if (state == "42704") {
    throw QueueNotFoundError("queue \"" + std::string(queue) + "\" does not exist any more");
  }
  if (state == "3F000" || state == "42883") {
    throw SchemaError(std::string("the database of the connection lacks the schema: ") +
                      failure.what());
  }
  throw failure;
}

}  // namespace

void RequireTransaction(PGconn* connection) {
  if (connection == nullptr) throw ValidationError("connection: is null");
  switch (PQtransactionStatus(connection)) {
    case PQTRANS_INTRANS:
      break;
    case PQTRANS_IDLE:
      throw ValidationError("connection: has no open transaction");
    case PQTRANS_INERROR:
      throw ValidationError("connection: its transaction has failed and has to be rolled back");
    case PQTRANS_ACTIVE:
      throw ValidationError("connection: another statement is under way");
    case PQTRANS_UNKNOWN:
      throw PgqrsConnectionError("the caller's connection to the database is lost");
  }
  if (PQpipelineStatus(connection) != PQ_PIPELINE_OFF) {
    throw ValidationError("connection: is in pipeline mode");
  }
  const char* encoding = PQparameterStatus(connection, "client_encoding");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
    throw ValidationError("connection: its client_encoding is not UTF8");
  }
}

std::vector<std::int64_t> EnqueueOn(PGconn* connection, const Config& config,
                                    const CallerEnqueue& what) {
  const auto statement = WithSchema(sql::Text("postgres", kStatement), ParsePostgresDsn(config));
  const auto payloads = ArrayText(what.payloads);
  const auto delay = Micros(what.delay);
  const auto visible_at = Micros(what.visible_at);
  const auto priority = std::to_string(what.priority);
  const std::array<const char*, 5> values = {what.queue.c_str(), payloads.c_str(), OrNull(delay),
                                             OrNull(visible_at), priority.c_str()};
  const PostgresResult result(PQexecParams(connection, statement.c_str(),
                                           static_cast<int>(values.size()), nullptr, values.data(),
                                           nullptr, nullptr, 0));
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    ThrowError(connection, result.get(), what.queue);
  }
  std::vector<std::int64_t> ids;
  ids.reserve(what.payloads.size());
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    ids.push_back(std::stoll(PQgetvalue(result.get(), i, 0)));
  }
  return ids;
}

}  // namespace pgqrs::driver
