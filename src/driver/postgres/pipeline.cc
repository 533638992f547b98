#include "driver/postgres/pipeline.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "driver/postgres/pooler.h"
#include "driver/postgres/query_values.h"
#include "driver/postgres/wire.h"

namespace pgqrs::driver {
namespace {

// Answers are read after so many statements at the latest, so that neither side's buffers overflow
// with what the other does not read.
constexpr std::size_t kMaxExpected = 512;

wire::Type TypeOf(char letter) {
  switch (letter) {
    case 'i':
      return wire::Type::kInt8;
    case 'z':
      return wire::Type::kTimestamptz;
    case 'j':
      return wire::Type::kJsonb;
    case 'I':
      return wire::Type::kInt8Array;
    case 'Z':
      return wire::Type::kTimestamptzArray;
    case 'J':
      return wire::Type::kJsonbArray;
    case 'T':
      return wire::Type::kTextArray;
    default:
      return wire::Type::kText;
  }
}

char ElementOf(char letter) { return static_cast<char>(letter - 'A' + 'a'); }

void AppendScalar(std::string& out, char letter, const Scalar& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    if (letter == 'z') {
      wire::AppendTimestamptz(out, *number);
    } else {
      wire::AppendInt8(out, *number);
    }
  } else {
    const auto text = std::get<std::string_view>(value);
    if (letter == 'j') {
      wire::AppendJsonb(out, text);
    } else {
      out += text;
    }
  }
}

void AppendArray(std::string& out, char letter, std::span<const Scalar> values) {
  wire::ArrayWriter array(out, TypeOf(letter), values.size());
  for (const auto& value : values) {
    if (std::holds_alternative<std::monostate>(value)) {
      array.AddNull();
    } else {
      array.Add([&](std::string& to) { AppendScalar(to, letter, value); });
    }
  }
}

void AppendValue(std::string& out, char letter, const Value& value) {
  if (const auto* values = std::get_if<std::span<const Scalar>>(&value)) {
    AppendArray(out, ElementOf(letter), *values);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    AppendScalar(out, letter, *number);
  } else {
    AppendScalar(out, letter, std::get<std::string_view>(value));
  }
}

constexpr std::size_t kMaxParameters = std::ranges::max(sql::kCatalog, {}, [](const auto& info) {
                                         return info.parameters.size();
                                       }).parameters.size();

// The parameters of one statement as libpq wants them, in one buffer.
class StatementParameters {
 public:
  StatementParameters(std::string& buffer, std::string_view letters, std::span<const Value> values)
      : buffer_(buffer) {
    buffer_.clear();
    std::array<std::size_t, kMaxParameters> begins{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      begins[i] = buffer_.size();
      if (!IsNull(values[i])) AppendValue(buffer_, letters[i], values[i]);
      lengths_[i] = static_cast<int>(buffer_.size() - begins[i]);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!IsNull(values[i])) values_[i] = buffer_.data() + begins[i];
    }
    formats_.fill(1);
  }

  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  static bool IsNull(const Value& value) { return std::holds_alternative<std::monostate>(value); }

  std::string& buffer_;
  std::array<const char*, kMaxParameters> values_{};
  std::array<int, kMaxParameters> lengths_{};
  std::array<int, kMaxParameters> formats_{};
};

class PostgresRow final : public Row {
 public:
  PostgresRow(const PGresult* result, int row) : result_(result), row_(row) {}

  bool IsNull(int column) const override { return PQgetisnull(result_, row_, column) != 0; }
  std::int64_t Int(int column) const override {
    return IsNull(column) ? 0 : wire::ReadInt(TypeOfColumn(column), Bytes(column));
  }
  std::string_view Text(int column) const override {
    return IsNull(column) ? std::string_view{}
                          : wire::ReadText(TypeOfColumn(column), Bytes(column));
  }

 private:
  wire::Type TypeOfColumn(int column) const {
    return static_cast<wire::Type>(PQftype(result_, column));
  }
  std::string_view Bytes(int column) const {
    return {PQgetvalue(result_, row_, column),
            static_cast<std::size_t>(PQgetlength(result_, row_, column))};
  }

  const PGresult* result_;
  int row_;
};

}  // namespace

Pipeline::Pipeline(PostgresHandle connection)
    : connection_(std::move(connection)), is_pooled_(!SetUpSession(connection_.get())) {
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1) {
    throw PostgresFailure(connection_.get(), nullptr, "opening a pipeline");
  }
}

// A session that is lent has only the statement without a name, until it is given back at the
// latest.
std::string Pipeline::NameOf(sql::Statement statement) const {
  return is_pooled_ ? std::string() : std::string(sql::Info(statement).name);
}

void Pipeline::ForgetUnnamed() {
  if (is_pooled_) is_prepared_.fill(false);
}

void Pipeline::Prepare(sql::Statement statement, const std::string& text) {
  const auto index = static_cast<std::size_t>(statement);
  if (is_prepared_[index]) return;
  const auto& info = sql::Info(statement);
  std::vector<Oid> types;
  for (const char letter : info.parameters) types.push_back(static_cast<Oid>(TypeOf(letter)));
  ForgetUnnamed();
  Expect(PQsendPrepare(connection_.get(), NameOf(statement).c_str(), text.c_str(),
                       static_cast<int>(types.size()), types.data()),
         {.name = info.name,
          .sink = nullptr,
          .prepares = is_pooled_ ? std::nullopt : std::optional(index)});
  is_prepared_[index] = true;
}

void Pipeline::Send(sql::Statement statement, const std::string& text,
                    std::span<const Value> parameters, const RowSink* sink) {
  Prepare(statement, text);
  const auto& info = sql::Info(statement);
  const StatementParameters sent(buffer_, info.parameters, parameters);
  Expect(PQsendQueryPrepared(connection_.get(), NameOf(statement).c_str(),
                             static_cast<int>(parameters.size()), sent.values(), sent.lengths(),
                             sent.formats(), 1),
         {.name = info.name, .sink = sink});
}

void Pipeline::SendText(const char* text, const RowSink* sink) {
  ForgetUnnamed();
  Expect(PQsendQueryParams(connection_.get(), text, 0, nullptr, nullptr, nullptr, nullptr, 1),
         {.name = text, .sink = sink});
}

PostgresResult Pipeline::Query(const std::string& text, std::span<const Cell> parameters) {
  ForgetUnnamed();
  const QueryParameters sent(parameters);
  PostgresResult result;
  Expect(PQsendQueryParams(connection_.get(), text.c_str(), static_cast<int>(parameters.size()),
                           sent.types(), sent.values(), sent.lengths(), sent.formats(), 0),
         {.name = "a statement of the step", .sink = nullptr, .result = &result});
  try {
    Read();
  } catch (...) {
    for (auto& expected : expected_) expected.result = nullptr;
    throw;
  }
  return result;
}

void Pipeline::Expect(int sent, Expected expected) {
  if (sent != 1) throw PostgresFailure(connection_.get(), nullptr, expected.name);
  expected_.push_back(expected);
  if (expected_.size() >= kMaxExpected) Read();
}

// What comes unasked is a notice, or the server's farewell, which takes two readings: its words and
// the end.
void Pipeline::CheckOpen() {
  auto* connection = connection_.get();
  pollfd poll_for = {.fd = PQsocket(connection), .events = POLLIN, .revents = 0};
  for (int i = 0; i < 2 && poll(&poll_for, 1, 0) > 0; ++i) {
    if (PQconsumeInput(connection) != 1) break;
  }
  if (is_lost()) throw PostgresFailure(connection, nullptr, "beginning a transaction");
}

void Pipeline::Read() {
  if (expected_.empty()) return;
  if (PQsendFlushRequest(connection_.get()) != 1) {
    throw PostgresFailure(connection_.get(), nullptr, "asking for the answers");
  }
  ReadAll();
}

void Pipeline::ReadAll() {
  while (!expected_.empty()) {
    ReadOne(expected_.front());
    expected_.pop_front();
  }
  if (failure_) throw *std::exchange(failure_, std::nullopt);
}

void Pipeline::Sync() {
  ForgetUnnamed();
  if (PQpipelineSync(connection_.get()) != 1) {
    throw PostgresFailure(connection_.get(), nullptr, "ending a transaction");
  }
  expected_.push_back({.name = "ending a transaction", .sink = nullptr});
  ReadAll();
}

void Pipeline::Recover() {
  for (auto& expected : expected_) expected.sink = nullptr;  // It may be gone.
  try {
    Sync();
  } catch (const Failure&) {
    failure_.reset();
  }
}

void Pipeline::RunScript(const std::string& script, std::string_view what) {
  auto* connection = connection_.get();
  Sync();
  PQexitPipelineMode(connection);
  PQsetnonblocking(connection, 0);
  const PostgresResult result(PQexec(connection, script.c_str()));
  std::optional<Failure> failure;
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK &&
      PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    failure = PostgresFailure(connection, result.get(), what);
  }
  PQsetnonblocking(connection, 1);
  PQenterPipelineMode(connection);
  if (failure) throw *failure;
}

PostgresResult Pipeline::NextResult() {
  auto* connection = connection_.get();
  for (;;) {
    const int flushed = PQflush(connection);
    if (flushed < 0) throw PostgresFailure(connection, nullptr, expected_.front().name);
    if (PQisBusy(connection) == 0) return PostgresResult(PQgetResult(connection));
    WaitReadable(flushed > 0);
    if (PQconsumeInput(connection) != 1) {
      throw PostgresFailure(connection, nullptr, expected_.front().name);
    }
  }
}

void Pipeline::WaitReadable(bool also_writable) {
  pollfd poll_for = {.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
  if (also_writable) poll_for.events |= POLLOUT;
  while (poll(&poll_for, 1, -1) < 0) {
    if (errno != EINTR) throw Failure(Fault::kLost, "waiting for the server failed");
  }
}

// Reads all results of one statement, up to the null that ends them (a sync has none).
void Pipeline::ReadOne(const Expected& expected) {
  if (expected.prepares) is_prepared_[*expected.prepares] = false;
  for (bool go_on = true;;) {
    auto result = NextResult();
    if (!result) {
      if (is_lost()) throw PostgresFailure(connection_.get(), nullptr, expected.name);
      return;
    }
    const auto status = PQresultStatus(result.get());
    switch (status) {
      case PGRES_PIPELINE_SYNC:
        return;
      case PGRES_COMMAND_OK:
        if (expected.prepares) is_prepared_[*expected.prepares] = true;
        break;
      case PGRES_PIPELINE_ABORTED:
        break;
      case PGRES_TUPLES_OK:
        if (go_on && expected.sink != nullptr && !failure_) {
          go_on = Deliver(result.get(), *expected.sink);
        }
        break;
      default:
        NoteFailure(PostgresFailure(connection_.get(), result.get(), expected.name));
    }
    const bool is_done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (expected.result != nullptr && is_done) *expected.result = std::move(result);
  }
}

bool Pipeline::Deliver(const PGresult* result, const RowSink& sink) {
  const int rows = PQntuples(result);
  for (int i = 0; i < rows; ++i) {
    if (!sink(PostgresRow(result, i))) return false;
  }
  return true;
}

void Pipeline::NoteFailure(Failure failure) {
  if (!failure_) failure_ = std::move(failure);
}

}  // namespace pgqrs::driver
