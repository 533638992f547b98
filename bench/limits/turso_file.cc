#include "limits/turso_file.h"

#include <stdexcept>

namespace limits {
namespace {

// What a call leaves as the reason of its failure.
class Reason {
 public:
  Reason() = default;
  Reason(const Reason&) = delete;
  Reason& operator=(const Reason&) = delete;
  ~Reason() {
    if (text_ != nullptr) turso_str_deinit(text_);
  }
  const char** out() { return &text_; }
  [[noreturn]] void Throw(std::string_view doing) const {
    throw std::runtime_error(std::string(doing) + ": " + (text_ != nullptr ? text_ : "failed"));
  }

 private:
  const char* text_ = nullptr;
};

}  // namespace

TursoStatement::TursoStatement(const turso_connection_t* connection, std::string_view sql) {
  turso_statement_t* statement = nullptr;
  Reason reason;
  const auto code = turso_connection_prepare_single(connection, std::string(sql).c_str(),
                                                    &statement, reason.out());
  statement_.reset(statement);
  if (code != TURSO_OK) reason.Throw(sql);
}

bool TursoStatement::Step() {
  Reason reason;
  const auto code = turso_statement_step(statement_.get(), reason.out());
  if (code == TURSO_ROW) return true;
  if (code != TURSO_DONE) reason.Throw("a step");
  return false;
}

void TursoStatement::Run() {
  while (Step()) {
  }
  changes_ = turso_statement_n_change(statement_.get());
  Reset();
}

std::string_view TursoStatement::Text(int column) const {
  const auto index = static_cast<std::size_t>(column);
  const auto* text = turso_statement_row_value_bytes_ptr(statement_.get(), index);
  if (text == nullptr) return {};
  return {text,
          static_cast<std::size_t>(turso_statement_row_value_bytes_count(statement_.get(), index))};
}

TursoFile::TursoFile(const std::string& path, Durability durability) {
  turso_database_config_t config = {};
  config.path = path.c_str();
  Reason reason;
  const turso_database_t* database = nullptr;
  if (turso_database_new(&config, &database, reason.out()) != TURSO_OK) reason.Throw(path);
  database_.reset(database);
  if (turso_database_open(database, reason.out()) != TURSO_OK) reason.Throw("opening " + path);
  turso_connection_t* connection = nullptr;
  if (turso_database_connect(database, &connection, reason.out()) != TURSO_OK) {
    reason.Throw("connecting to " + path);
  }
  connection_.reset(connection);
  Run(std::string("PRAGMA synchronous=") + Name(durability));
}

void TursoFile::Run(const std::string& sql) {
  for (std::size_t begin = 0; begin < sql.size();) {
    Reason reason;
    turso_statement_t* statement = nullptr;
    std::size_t length = 0;
    if (turso_connection_prepare_first(handle(), sql.c_str() + begin, &statement, &length,
                                       reason.out()) != TURSO_OK) {
      reason.Throw(sql);
    }
    if (statement == nullptr) return;
    auto code = TURSO_ROW;
    while (code == TURSO_ROW) code = turso_statement_step(statement, reason.out());
    turso_statement_deinit(statement);
    if (code != TURSO_DONE) reason.Throw(sql);
    begin += length;
  }
}

std::optional<std::int64_t> TursoFile::Number(std::string_view sql) {
  Statement statement(handle(), sql);
  if (!statement.Step()) return std::nullopt;
  return statement.Int(0);
}

}  // namespace limits
