// How a store is opened.
#ifndef PGQRS_CONFIG_H_
#define PGQRS_CONFIG_H_

#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

// One named value of a log record.
struct LogField {
  std::string_view name;
  std::string value;
};

// One event. The views are valid during the call only.
struct LogRecord {
  LogLevel level;
  std::string_view message;
  std::span<const LogField> fields;
};

// Receives log records, from several threads at once. It must not call the store. What it throws is
// dropped.
using LogCallback = std::function<void(const LogRecord&)>;

struct Config {
  Config() = default;
  explicit Config(std::string data_source_name) : dsn(std::move(data_source_name)) {}

  // Which database. For SQLite:
  //   sqlite::memory:                 a private database that lives as long as the store
  //   sqlite://relative/path.db       a file, created where missing
  //   sqlite:///absolute/path.db      the same
  //   sqlite:path.db                  the same
  // with these parameters, joined as in a URL (`sqlite:q.db?synchronous=normal`):
  //   synchronous = full | normal     `full` (the default): what is acknowledged survives the loss
  //                                   of power. `normal`: it survives the death of every process;
  //                                   a loss of power may take back the last moments.
  // For Turso, where the library was built with it, the same with `turso:` in place of `sqlite:`. A
  // file is open in one process at a time. Two more parameters encrypt it, which is experimental in
  // Turso:
  //   cipher = aegis256 | aes256gcm | …   all of them, and how to make a key: docs/security.md
  //   hexkey                              64 hexadecimal digits, or 32 where the cipher has 128
  //   bits
  // For Postgres, 15 or newer, everything that libpq takes:
  //   postgresql://user@host:port/database?sslmode=verify-full     a URL; also postgres://
  //   host=db.example.com dbname=app user=app                      keywords with values
  // with services, .pgpass, TLS and several hosts as libpq documents them.
  std::string dsn;

  // The schema of Postgres in which all objects live, made where it is missing. At most 63 bytes,
  // and no `$$` in it. Not used by SQLite and Turso.
  std::string schema = "public";

  // Installs the schema where the database has none. Where false, a missing schema is SchemaError.
  bool install_schema = true;

  // How long a call waits for a database that is locked (SQLite, Turso) or unreachable before it
  // fails with PgqrsConnectionError. How long statements on Postgres wait for locks is up to the
  // server's lock_timeout. From 1 ms.
  Duration connection_timeout = std::chrono::seconds(30);

  // How many connections the store may open in all. SQLite: one that writes, one that watches for
  // commits of other processes, and as many that read as are left, but one at least. Postgres: up
  // to four that write, one that listens (which stores of the process with the same DSN and schema
  // share), half of what is left, rounded down, for transaction steps of workflows (with none they
  // run on those that write), and the rest to read, but one of each of the others at least; those
  // that are not needed are not opened. From 1 to 1000.
  int max_connections = 8;

  // The lease of a dequeue that names none. From 1 ms.
  Duration default_lease = std::chrono::seconds(30);

  // A message that was handed out this often and comes back goes to the dead letters. From 1.
  int max_read_ct = 5;

  // How often a store renews the heartbeats of its workers. From 100 ms.
  Duration heartbeat_interval = std::chrono::seconds(5);

  // How often a waiting consumer looks again although nothing woke it, for a wake-up that was lost:
  // a process was killed between a commit and word of it. Five times as often where wake-ups of
  // other processes cannot work: the file cannot be watched, or there is a pooler of transactions
  // in between. From 1 ms.
  Duration fallback_poll_interval = std::chrono::seconds(5);

  // Limits on payloads. Sizes are bytes of UTF-8 of the JSON text; a depth of 1 is a flat array or
  // object.
  std::size_t max_payload_size = std::size_t{16} << 20;
  std::optional<std::size_t> max_string_length;  // Of each string, in bytes. None: no limit.
  int max_object_depth = Json::kMaxDepth;        // From 0 to Json::kMaxDepth.
  std::vector<std::string> forbidden_keys;       // Not allowed in any object of a payload.
  std::vector<std::string> required_keys;        // Needed in a payload that is an object.

  // A token bucket over all enqueues of the store: sustained rate (none: no limit) and burst (none:
  // one second's worth, at least 1). A batch above the burst passes when the bucket is full, and
  // leaves a debt.
  std::optional<double> max_enqueue_per_second;
  std::optional<int> max_enqueue_burst;

  // How much may wait in the store before callers have to wait (back-pressure), at least 1 each. As
  // many reads as max_pending_requests may wait besides.
  std::size_t max_pending_requests = 65536;
  std::size_t max_pending_bytes = std::size_t{16} << 20;

  // Where log records go. None: nowhere.
  LogCallback log;

  // The store's clock, for tests. By default the system's, and where the database is a server that
  // server's.
  Clock clock;
};

}  // namespace pgqrs

#endif  // PGQRS_CONFIG_H_
