// What the layers above need of a database: connections, transactions, the statements of the
// catalogue, and word of what other processes change. A backend implements this and nothing else.
#ifndef PGQRS_DRIVER_DRIVER_H_
#define PGQRS_DRIVER_DRIVER_H_

#include <pgqrs/config.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sql/catalog.h"

namespace pgqrs::driver {

// What went wrong, as far as it matters for what to do next.
enum class Fault : std::uint8_t {
  kStatement,  // The statement or its data; others may succeed.
  kStorage,    // The disk or the file; nothing will succeed for now.
  kBusy,       // The database stayed locked or unreachable for as long as we may wait.
  kConflict,   // Transactions stood in each other's way; the same one again may succeed.
  kLost,       // The connection is gone, and with it the open transaction.
  kUnknown,    // The commit failed in a way that leaves its outcome open.
};

// Every error of a driver. The open transaction, if any, has to be rolled back.
class Failure : public std::runtime_error {
 public:
  Failure(Fault fault, const std::string& what) : std::runtime_error(what), fault_(fault) {}
  Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

// NULL, an integer, or text that lives until the call returns.
using Scalar = std::variant<std::monostate, std::int64_t, std::string_view>;

// A parameter: such a value, or an array of them that lives until the call returns.
using Value = std::variant<std::monostate, std::int64_t, std::string_view, std::span<const Scalar>>;

// What a statement of the user's takes and gives: NULL, an integer, a floating-point number, text
// or bytes.
struct Blob {
  std::string_view bytes;
};
using Cell = std::variant<std::monostate, std::int64_t, double, std::string_view, Blob>;

// A row of a user's statement: its columns, by name and value. All of it lives until the call
// returns.
struct QueryRow {
  std::span<const std::string> names;
  std::span<const Cell> cells;
};
using QuerySink = std::function<void(const QueryRow&)>;

// One row of a result. Columns count from 0; texts live until the next row.
class Row {
 public:
  virtual bool IsNull(int column) const = 0;
  virtual std::int64_t Int(int column) const = 0;  // 0 where NULL.
  virtual std::string_view Text(int column) const = 0;

  std::optional<std::int64_t> OptionalInt(int column) const {
    return IsNull(column) ? std::nullopt : std::optional(Int(column));
  }

 protected:
  ~Row() = default;
};

// Takes a row; answers false where it needs no more of them.
using RowSink = std::function<bool(const Row&)>;

// One connection. Used by one thread at a time.
class Connection {
 public:
  virtual ~Connection() = default;

  // Makes the lasting settings of a database that is known to be ours, or to become ours. Until
  // then a connection changes nothing. Outside a transaction.
  virtual void Adopt() {}

  // A transaction: on a writer one that may write, for which Begin waits its turn, up to
  // Config::connection_timeout; on a reader one that sees the database as it was at one moment.
  virtual void Begin() = 0;
  virtual void Commit() = 0;
  virtual void Rollback() noexcept = 0;

  // Runs a statement once for each row of parameters. `rows` holds the rows one after another; it
  // is empty for a statement without parameters, which runs once.
  virtual void Run(sql::Statement statement, std::span<const Value> rows, const RowSink& sink) = 0;

  // Waits until no other process installs or upgrades the schema; none will until the open
  // transaction ends. Nothing to do where only one can write.
  virtual void LockForInstall() {}

  // Whether the statements that take arrays are there.
  virtual bool works_on_sets() const { return false; }

  // Runs a statement whose answer is not needed yet: the sink, which has to live until then, gets
  // its rows before the next Run of a statement with rows returns, or the commit.
  virtual void Send(sql::Statement statement, std::span<const Value> row, const RowSink& sink) {
    Run(statement, row, sink);
  }

  // Runs one statement of the user's within the open transaction, and gives how many rows it has
  // changed (or given, where it changes none). It must not end the transaction: that is a failure.
  // Its parameters are those of the backend: ?1 or $1. Where the database has other types than a
  // Cell (a date, a JSON document, a decimal number, an array), values are its texts. A failure of
  // the statement is Fault::kStatement.
  virtual std::int64_t Query(std::string_view sql, std::span<const Cell> parameters,
                             const QuerySink& sink) = 0;

  // Runs a text of several statements without parameters or results.
  virtual void RunScript(std::string_view script) = 0;

  // Prepares every statement of the catalogue; fails where the tables do not fit them.
  virtual void PrepareAll() = 0;

  // Compares the schema with a fresh one and lists each difference.
  virtual std::vector<std::string> CompareSchema() = 0;

  // Whether another connection has committed something since the last call, or may have. Commits of
  // this connection do not count.
  virtual bool SeesForeignCommits() = 0;

  // Whether it is of no use any more.
  virtual bool is_lost() const { return false; }

  // The clock that decides: the server's, or the process's where there is no server.
  virtual TimePoint Now() = 0;

  // The same for a statement that takes NULL for the present: it need not be asked for then.
  virtual Scalar Clock() { return Now().time_since_epoch().count(); }

  void Run(sql::Statement statement, std::initializer_list<Value> row, const RowSink& sink) {
    Run(statement, std::span(row.begin(), row.size()), sink);
  }
  void Run(sql::Statement statement, std::initializer_list<Value> row) {
    Run(statement, row, [](const Row&) { return true; });
  }
};

// Word that a queue has a message which becomes visible at this time, or did.
struct Announcement {
  std::int64_t queue_id = 0;    // 0: of any queue, or several; look yourself.
  std::int64_t visible_at = 0;  // Microseconds since the epoch.
};

// Calls back, on a thread of its own, when some connection, of this process or another, may have
// committed something.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;

  // Nothing is reported, and next to no CPU used, while it is not armed.
  virtual void SetArmed(bool armed) = 0;

  // Whether it has found out that it hears nothing for now, so that only looking helps.
  virtual bool is_deaf() const { return false; }
};

// Throws SerializationError where a database cannot store a JSON document.
using JsonCheck = void (*)(std::string_view json);

class Database {
 public:
  virtual ~Database() = default;

  virtual std::string_view dialect() const = 0;

  // Null where every document can be stored.
  virtual JsonCheck check_json() const { return nullptr; }

  // True where the database's owner is this process, so that a schema may be upgraded unasked.
  virtual bool is_embedded() const = 0;

  virtual std::unique_ptr<Connection> OpenWriter() = 0;

  // Whether several writers can work at the same time.
  virtual bool has_many_writers() const { return false; }

  // A connection that reads beside the writer. Only where can_read_beside().
  virtual bool can_read_beside() const = 0;
  virtual std::unique_ptr<Connection> OpenReader() = 0;

  // What Connection::Now() would give, roughly, without asking the database. From any thread.
  virtual TimePoint ApproximateNow() const = 0;

  // Whether no other process can see the database.
  virtual bool is_private() const { return false; }

  // Nothing where the database is private, or the system cannot tell.
  virtual std::unique_ptr<ChangeListener> Listen(
      std::function<void(const Announcement&)> on_change) = 0;

  // Tells the other stores, of this process and others, what a commit has made visible. From any
  // thread; it does not wait for anything. Nothing to do where listeners notice by themselves.
  virtual void Announce(const Announcement& /*announcement*/) {}
};

// Chooses the backend by the scheme of the DSN, and checks the DSN. Opens nothing yet. Throws
// ConfigError.
std::unique_ptr<Database> MakeDatabase(const Config& config);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_DRIVER_H_
