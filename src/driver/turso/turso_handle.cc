#include "driver/turso/turso_handle.h"

#include <pgqrs/error.h>

#include "driver/file/why_not_opened.h"

namespace pgqrs::driver {
namespace {

bool IsFull(std::string_view reason) {
  return reason.find("no storage space") != std::string_view::npos ||
         reason.find("quota exceeded") != std::string_view::npos;
}

// Of a call of the system, or of those that stood behind it. Most but not all have a code of their
// own.
bool IsOfDisk(std::string_view reason) {
  return reason.find("I/O error") != std::string_view::npos || reason == "Completion was aborted";
}

// Turso names the call and, in Rust's words, the kind of error. SQLite's words come first, which
// are better known.
std::string InPlainWords(std::string_view reason) {
  const std::string text(reason);
  if (IsFull(reason)) return "database or disk is full: " + text;
  if (reason.find("Decryption failed") != std::string_view::npos) {
    return "the cipher or the key is a wrong one, or the file is not encrypted: " + text;
  }
  if (reason.find("not a database") != std::string_view::npos) {
    return text + ", or it is encrypted, and the DSN has no cipher and hexkey";
  }
  return IsOfDisk(reason) ? "disk I/O error: " + text : text;
}

Fault FaultOf(turso_status_code_t code, std::string_view reason) {
  switch (code) {
    case TURSO_BUSY:
    case TURSO_BUSY_SNAPSHOT:
      return Fault::kBusy;
    case TURSO_READONLY:
    case TURSO_DATABASE_FULL:
    case TURSO_NOTADB:
    case TURSO_CORRUPT:
    case TURSO_IOERR:
      return Fault::kStorage;
    default:
      return IsOfDisk(reason) ? Fault::kStorage : Fault::kStatement;
  }
}

[[noreturn]] void ThrowNotOpened(const std::string& path, const TursoReason& reason) {
  auto why = WhyNotOpened(path, InPlainWords(reason.text()));
  if (reason.text().find("locked by another process") != std::string_view::npos) {
    throw Failure(Fault::kBusy, why +
                                    "; a file can be open with Turso in one process at a time, and "
                                    "not with SQLite meanwhile");
  }
  if (why.find("short read on page 1") != std::string::npos) {
    why +=
        "; the file ends within its first page, as where the disk was full when it was made: if "
        "nothing was ever stored in it, remove it";
  }
  throw Failure(Fault::kStorage, why);
}

const char* OrNull(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

TursoDatabaseHandle OpenTurso(const std::string& path, const TursoKey& key) {
  turso_database_config_t config = {};
  config.path = path.c_str();
  config.encryption_cipher = OrNull(key.cipher);
  config.encryption_hexkey = OrNull(key.hexkey);
  if (!key.cipher.empty()) config.experimental_features = "encryption";
  TursoReason reason;
  const turso_database_t* raw = nullptr;
  if (turso_database_new(&config, &raw, reason.out()) != TURSO_OK) ThrowNotOpened(path, reason);
  TursoDatabaseHandle database(raw);
  if (turso_database_open(raw, reason.out()) != TURSO_OK) ThrowNotOpened(path, reason);
  return database;
}

TursoConnectionHandle ConnectTurso(const turso_database_t* database) {
  TursoReason reason;
  turso_connection_t* raw = nullptr;
  const auto code = turso_database_connect(database, &raw, reason.out());
  if (code != TURSO_OK) throw TursoFailure(code, reason, "connecting");
  return TursoConnectionHandle(raw);
}

Failure TursoFailure(turso_status_code_t code, const TursoReason& reason, std::string_view what) {
  return {FaultOf(code, reason.text()), std::string(what) + ": " + InPlainWords(reason.text()) +
                                            " (Turso code " + std::to_string(code) + ")"};
}

bool IsOfFullDisk(const Failure& failure) {
  const std::string_view what = failure.what();
  return IsFull(what) && what.find("(pwrite") != std::string_view::npos &&
         what.find("Checkpoint failed") == std::string_view::npos;
}

TursoStatement PrepareTurso(const turso_connection_t* connection, std::string_view sql,
                            std::string_view what) {
  TursoReason reason;
  turso_statement_t* raw = nullptr;
  const auto code =
      turso_connection_prepare_single(connection, std::string(sql).c_str(), &raw, reason.out());
  if (code != TURSO_OK) throw TursoFailure(code, reason, what);
  return TursoStatement(raw);
}

void ExecuteTurso(const turso_connection_t* connection, std::string_view sql,
                  std::string_view what) {
  const std::string text(sql);
  for (std::size_t begin = 0; begin < text.size();) {
    TursoReason reason;
    turso_statement_t* raw = nullptr;
    std::size_t length = 0;
    const auto code = turso_connection_prepare_first(connection, text.c_str() + begin, &raw,
                                                     &length, reason.out());
    if (code != TURSO_OK) throw TursoFailure(code, reason, what);
    const TursoStatement statement(raw);
    if (!statement) return;  // Nothing but space and comments is left.
    while (StepTurso(raw, what)) {
    }
    begin += length;
  }
}

bool StepTurso(const turso_statement_t* statement, std::string_view what) {
  TursoReason reason;
  const auto code = turso_statement_step(statement, reason.out());
  if (code == TURSO_ROW) return true;
  if (code != TURSO_DONE) throw TursoFailure(code, reason, what);
  return false;
}

}  // namespace pgqrs::driver
