#include "driver/postgres/postgres_handle.h"

#include <pgqrs/error.h>

namespace pgqrs::driver {
namespace {

constexpr int kOldestVersion = 150'000;

std::string Trimmed(std::string_view message) {
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) {
    message.remove_suffix(1);
  }
  std::string text(message);
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return text;
}

std::string Field(const PGresult* result, int field) {
  const char* value = PQresultErrorField(result, field);
  return value != nullptr ? value : "";
}

// By the classes of SQLSTATE.
Fault FaultOf(std::string_view state) {
  const auto group = state.substr(0, 2);
  // Of a statement that was given too few parameters, among others; the session goes on.
  if (state == "08P01") return Fault::kStatement;
  if (group == "08") return Fault::kLost;
  if (state == "40001" || state == "40P01") return Fault::kConflict;
  if (state == "55P03" || state == "57014") return Fault::kBusy;
  if (group == "53" || group == "58" || group == "XX" || state == "25006") return Fault::kStorage;
  return Fault::kStatement;
}

}  // namespace

ConnectionWords::ConnectionWords(
    std::initializer_list<std::reference_wrapper<const PostgresOptions::Words>> lists) {
  for (const PostgresOptions::Words& list : lists) {
    for (const auto& [keyword, value] : list) {
      keywords_.push_back(keyword.c_str());
      values_.push_back(value.c_str());
    }
  }
  keywords_.push_back(nullptr);
  values_.push_back(nullptr);
}

void IgnoreNotices(PGconn* connection) {
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
}

PostgresHandle OpenPostgres(const PostgresOptions& options) {
  const ConnectionWords words({options.timeouts, options.parameters});
  PostgresHandle connection(PQconnectdbParams(words.keywords(), words.values(), 0));
  if (!connection) throw PgqrsConnectionError("cannot connect to Postgres: out of memory");
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    throw PgqrsConnectionError("cannot connect to Postgres: " +
                               Trimmed(PQerrorMessage(connection.get())));
  }
  if (PQserverVersion(connection.get()) < kOldestVersion) {
    const auto version = std::to_string(PQserverVersion(connection.get()) / 10'000);
    throw PgqrsConnectionError("the server is Postgres " + version + "; 15 or newer is needed");
  }
  const char* encoding = PQparameterStatus(connection.get(), "server_encoding");
  if (encoding != nullptr && std::string_view(encoding) != "UTF8") {
    throw PgqrsConnectionError("the database's encoding is " + std::string(encoding) +
                               "; UTF8 is needed");
  }
  IgnoreNotices(connection.get());
  return connection;
}

Failure PostgresFailure(PGconn* connection, const PGresult* result, std::string_view what) {
  const auto prefix = std::string(what) + ": ";
  if (PQstatus(connection) == CONNECTION_BAD) {
    return {Fault::kLost, prefix + Trimmed(PQerrorMessage(connection))};
  }
  if (result == nullptr) return {Fault::kLost, prefix + Trimmed(PQerrorMessage(connection))};
  const auto state = Field(result, PG_DIAG_SQLSTATE);
  auto message = Field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = Trimmed(PQresultErrorMessage(result));
  const auto detail = Field(result, PG_DIAG_MESSAGE_DETAIL);
  // Of a data error the detail may show the data.
  const bool shows_data = state.starts_with("22") || state.starts_with("23");
  if (!detail.empty() && !shows_data) message += " (" + detail + ")";
  if (!state.empty()) message += " [SQLSTATE " + state + "]";
  // A fatal error ends the session, whatever its reason.
  const auto severity = Field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const bool is_fatal = severity == "FATAL" || severity == "PANIC";
  return {is_fatal ? Fault::kLost : FaultOf(state), prefix + message};
}

}  // namespace pgqrs::driver
