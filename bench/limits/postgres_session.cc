#include "limits/postgres_session.h"

#include <stdexcept>

#include "driver/postgres/wire.h"

namespace limits {
namespace {

namespace wire = pgqrs::driver::wire;

constexpr int kBinary = 1;

[[noreturn]] void Fail(PGconn* connection) { throw std::runtime_error(PQerrorMessage(connection)); }

}  // namespace

Parameters& Parameters::Add(std::int64_t value) {
  wire::AppendInt8(values_.emplace_back(), value);
  return *this;
}

Parameters& Parameters::Add(std::span<const std::int64_t> values) {
  wire::ArrayWriter array(values_.emplace_back(), wire::Type::kInt8, values.size());
  for (const auto value : values) {
    array.Add([value](std::string& out) { wire::AppendInt8(out, value); });
  }
  return *this;
}

Parameters& Parameters::AddJsonArrays(std::span<const std::string> texts) {
  wire::ArrayWriter array(values_.emplace_back(), wire::Type::kJsonb, texts.size());
  for (const auto& text : texts) {
    array.Add([&text](std::string& out) { wire::AppendJsonb(out, text); });
  }
  return *this;
}

std::int64_t PostgresResult::changed_rows() const { return std::stoll(PQcmdTuples(handle())); }

std::string_view PostgresResult::Bytes(int row, int column) const {
  return {PQgetvalue(handle(), row, column),
          static_cast<std::size_t>(PQgetlength(handle(), row, column))};
}

std::int64_t PostgresResult::Int(int row, int column) const {
  return wire::ReadInt(wire::Type::kInt8, Bytes(row, column));
}

PostgresSession::PostgresSession(const std::string& dsn, const std::string& schema)
    : connection_(PQconnectdb(dsn.c_str())) {
  if (PQstatus(handle()) != CONNECTION_OK) Fail(handle());
  // Where something is not there, DROP … IF EXISTS says so.
  PQsetNoticeProcessor(
      handle(), [](void*, const char*) {}, nullptr);
  Run("SET search_path = " + QuotedName(schema) +
      "; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;"
      " SET enable_mergejoin = off; SET jit = off; SET plan_cache_mode = force_generic_plan");
}

PostgresResult PostgresSession::Checked(PGresult* result) {
  PostgresResult checked(result);
  const auto status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) Fail(handle());
  return checked;
}

void PostgresSession::Run(const std::string& sql) { Checked(PQexec(handle(), sql.c_str())); }

std::string PostgresSession::Text(const std::string& sql) {
  const auto result = Checked(PQexec(handle(), sql.c_str()));
  return result.rows() == 0 ? "" : std::string(result.Bytes(0, 0));
}

void PostgresSession::Prepare(const char* name, const std::string& sql) {
  Checked(PQprepare(handle(), name, sql.c_str(), 0, nullptr));
}

void PostgresSession::EnterPipeline() {
  if (PQenterPipelineMode(handle()) != 1) Fail(handle());
}

void PostgresSession::Send(const char* name, const Parameters& parameters) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const auto& value : parameters.values_) {
    values.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
  }
  const std::vector<int> formats(values.size(), kBinary);
  if (PQsendQueryPrepared(handle(), name, static_cast<int>(values.size()), values.data(),
                          lengths.data(), formats.data(), kBinary) != 1) {
    Fail(handle());
  }
}

void PostgresSession::Sync() {
  if (PQpipelineSync(handle()) != 1) Fail(handle());
}

PostgresResult PostgresSession::Receive() {
  auto result = Checked(PQgetResult(handle()));
  PQclear(PQgetResult(handle()));  // Null: the end of this statement's results.
  return result;
}

PostgresResult PostgresSession::ReceiveLast() {
  auto result = Receive();
  const PostgresResult sync(PQgetResult(handle()));
  if (PQresultStatus(sync.handle()) != PGRES_PIPELINE_SYNC) Fail(handle());
  return result;
}

std::string QuotedName(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace limits
