#include "driver/sqlite/sqlite_database.h"

#include <pgqrs/error.h>

#include <filesystem>
#include <system_error>

#include "driver/sqlite/sqlite_connection.h"
#include "driver/sqlite/sqlite_listener.h"

namespace pgqrs::driver {
namespace {

TimePoint SystemNow() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

void ApplyParameter(std::string_view parameter, SqliteOptions& options) {
  const auto equals = parameter.find('=');
  const auto name = parameter.substr(0, equals);
  const auto value =
      equals == std::string_view::npos ? std::string_view{} : parameter.substr(equals + 1);
  if (name != "synchronous") {
    throw ConfigError("dsn: unknown parameter \"" + std::string(name) +
                      "\"; SQLite knows: synchronous");
  }
  if (value != "full" && value != "normal") {
    throw ConfigError("dsn: synchronous is \"full\" or \"normal\", not \"" + std::string(value) +
                      "\"");
  }
  options.synchronous_full = value == "full";
}

}  // namespace

SqliteOptions ParseSqliteDsn(const Config& config) {
  SqliteOptions options;
  options.busy_timeout = config.connection_timeout;
  options.clock = config.clock ? config.clock : SystemNow;

  auto rest = std::string_view(config.dsn).substr(std::string_view("sqlite:").size());
  const auto question = rest.find('?');
  auto parameters =
      question == std::string_view::npos ? std::string_view{} : rest.substr(question + 1);
  rest = rest.substr(0, question);
  if (rest.starts_with("//")) rest.remove_prefix(2);
  if (rest.empty()) throw ConfigError("dsn: no path after \"sqlite:\"");
  if (rest.find('\0') != std::string_view::npos) throw ConfigError("dsn: the path holds a NUL");
  // A path that begins with a colon is SQLite's own notation; only the one we document is taken.
  // What others write for a database in memory would silently be a file here.
  const bool is_odd = rest.front() == ':' && rest != ":memory:";
  if (is_odd || rest == "/:memory:" || rest == "memory:" || rest == "memory") {
    throw ConfigError("dsn: \"" + std::string(rest) +
                      "\" is not taken for a path; did you mean sqlite::memory: (or ./memory)?");
  }
  options.path = rest;

  while (!parameters.empty()) {
    const auto end = parameters.find('&');
    ApplyParameter(parameters.substr(0, end), options);
    parameters = end == std::string_view::npos ? std::string_view{} : parameters.substr(end + 1);
  }
  return options;
}

// By its real and absolute path, from which the names of the files beside it are made, and which
// stays right when the process changes its folder.
SqliteDatabase::SqliteDatabase(const Config& config) : options_(ParseSqliteDsn(config)) {
  if (options_.in_memory()) return;
  std::error_code error;
  // Of a path that does not exist weakly_canonical alone would leave a relative one relative.
  const auto absolute = std::filesystem::absolute(options_.path, error);
  const auto path = std::filesystem::weakly_canonical(absolute, error);
  if (!error) options_.path = path.string();
}

std::unique_ptr<Connection> SqliteDatabase::OpenWriter() {
  return std::make_unique<SqliteConnection>(options_, SqliteConnection::Role::kWriter);
}

std::unique_ptr<Connection> SqliteDatabase::OpenReader() {
  return std::make_unique<SqliteConnection>(options_, SqliteConnection::Role::kReader);
}

std::unique_ptr<ChangeListener> SqliteDatabase::Listen(
    std::function<void(const Announcement&)> on_change) {
  if (is_private()) return nullptr;
  return SqliteListener::Start(options_, std::move(on_change));
}

}  // namespace pgqrs::driver
