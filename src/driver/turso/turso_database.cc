#include "driver/turso/turso_database.h"

#include <pgqrs/error.h>

#include "driver/file/file_dsn.h"
#include "driver/file/process_clock.h"
#include "driver/turso/turso_session.h"

namespace pgqrs::driver {

TursoOptions ParseTursoDsn(const Config& config) {
  TursoOptions options;
  options.busy_timeout = config.connection_timeout;
  options.clock = ProcessClock(config);
  const auto dsn = ParseFileDsn(config.dsn, "turso:");
  options.path = dsn.path;
  for (const auto& parameter : dsn.parameters) {
    const auto& [name, value] = parameter;
    if (name == "synchronous") {
      options.synchronous_full = IsFirstOf(parameter, "full", "normal");
    } else if (name == "cipher") {
      options.key.cipher = value;
    } else if (name == "hexkey") {
      options.key.hexkey = value;
    } else {
      throw ConfigError("dsn: unknown parameter \"" + name +
                        "\"; Turso knows: synchronous, cipher, hexkey");
    }
  }
  if (options.key.cipher.empty() != options.key.hexkey.empty()) {
    throw ConfigError("dsn: cipher and hexkey are given together or not at all");
  }
  return options;
}

TursoDatabase::TursoDatabase(const Config& config) : options_(ParseTursoDsn(config)) {
  options_.path = RealPath(options_.path);
}

std::unique_ptr<Connection> TursoDatabase::OpenWriter() {
  if (!file_) file_ = std::make_shared<TursoFile>(options_);
  return Open(FileConnection::Role::kWriter);
}

std::unique_ptr<Connection> TursoDatabase::OpenReader() {
  return Open(FileConnection::Role::kReader);
}

std::unique_ptr<Connection> TursoDatabase::Open(FileConnection::Role role) {
  return std::make_unique<FileConnection>("turso", options_,
                                          std::make_unique<TursoSession>(options_, file_, role));
}

std::unique_ptr<ChangeListener> TursoDatabase::Listen(
    std::function<void(const Announcement&)> on_change) {
  if (is_private()) return nullptr;
  return LocalChanges::Listen(file_->changes(), this, std::move(on_change));
}

}  // namespace pgqrs::driver
