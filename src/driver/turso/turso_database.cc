#include "driver/turso/turso_database.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "driver/file/file_dsn.h"
#include "driver/file/process_clock.h"
#include "driver/turso/turso_session.h"

namespace pgqrs::driver {

namespace {

// The ciphers of the engine, and how many hexadecimal digits their keys have.
struct Cipher {
  std::string_view name;
  std::size_t digits;
};
constexpr std::array kCiphers = {
    Cipher{"aegis256", 64},  Cipher{"aegis256x2", 64}, Cipher{"aegis256x4", 64},
    Cipher{"aegis128l", 32}, Cipher{"aegis128x2", 32}, Cipher{"aegis128x4", 32},
    Cipher{"aes256gcm", 64}, Cipher{"aes128gcm", 32},
};

// Says nothing of what was given, which may be the key.
void CheckKey(const TursoKey& key) {
  if (key.cipher.empty() != key.hexkey.empty()) {
    throw ConfigError("dsn: cipher and hexkey are given together or not at all");
  }
  if (key.cipher.empty()) return;
  const auto* const cipher = std::ranges::find(kCiphers, key.cipher, &Cipher::name);
  if (cipher == kCiphers.end()) {
    std::string names;
    for (const auto& each : kCiphers) names += (names.empty() ? "" : ", ") + std::string(each.name);
    throw ConfigError("dsn: cipher is one of " + names);
  }
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  if (key.hexkey.size() != cipher->digits ||
      key.hexkey.find_first_not_of(kDigits) != std::string::npos) {
    throw ConfigError("dsn: hexkey of " + key.cipher + " has " + std::to_string(cipher->digits) +
                      " hexadecimal digits");
  }
}

// What is meant for something else would silently become the name of a file.
void CheckPath(const std::string& path) {
  if (path.find("hexkey=") != std::string::npos || path.find("cipher=") != std::string::npos) {
    throw ConfigError("dsn: parameters stand behind a \"?\"");
  }
  if (path.ends_with(".turso.io")) {
    throw ConfigError("dsn: this is the name of a server; only files are opened");
  }
}

}  // namespace

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
      ThrowUnknownParameter(name, "Turso knows: synchronous, cipher, hexkey");
    }
  }
  CheckPath(options.path);
  CheckKey(options.key);
  if (options.in_memory() && !options.key.cipher.empty()) {
    throw ConfigError("dsn: a database in memory is not encrypted");
  }
  return options;
}

TursoDatabase::TursoDatabase(const Config& config) : options_(ParseTursoDsn(config)) {
  options_.path = RealPath(options_.path);
}

std::unique_ptr<Connection> TursoDatabase::OpenWriter() {
  return Open(FileConnection::Role::kWriter);
}

std::unique_ptr<Connection> TursoDatabase::OpenReader() {
  return Open(FileConnection::Role::kReader);
}

std::unique_ptr<Connection> TursoDatabase::Open(FileConnection::Role role) {
  auto file = file_.lock();
  if (!file) {
    file = TursoFile::Open(options_);
    file_ = file;
    changes_ = file->changes();
  }
  return std::make_unique<FileConnection>(
      "turso", options_, std::make_unique<TursoSession>(options_, std::move(file), role));
}

std::unique_ptr<ChangeListener> TursoDatabase::Listen(
    std::function<void(const Announcement&)> on_change) {
  if (is_private()) return nullptr;
  return LocalChanges::Listen(changes_, this, std::move(on_change));
}

}  // namespace pgqrs::driver
