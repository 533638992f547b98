// One connection in libpq's pipeline mode: statements go out without waiting for the answers to
// those before, and a transaction costs as many round trips as it has questions whose answers it
// needs before it can go on.
#ifndef PGQRS_DRIVER_POSTGRES_PIPELINE_H_
#define PGQRS_DRIVER_POSTGRES_PIPELINE_H_

#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "driver/postgres/postgres_handle.h"

namespace pgqrs::driver {

class Pipeline {
 public:
  // Takes a new connection.
  explicit Pipeline(PostgresHandle connection);

  // Sends one statement of the catalogue. Its rows go to the sink, which has to live until they are
  // read.
  void Send(sql::Statement statement, const std::string& text, std::span<const Value> parameters,
            const RowSink* sink);

  // Sends a statement without parameters.
  void SendText(const char* text, const RowSink* sink = nullptr);

  // Sends a statement of the user's, and gives its result: values as texts. Throws its failure.
  PostgresResult Query(const std::string& text, std::span<const Cell> parameters);

  // Sends the definition of a statement, where that was not done yet.
  void Prepare(sql::Statement statement, const std::string& text);

  // Has the server answer what was sent, and reads it. Throws the first failure.
  void Read();

  // The same, and ends the pipeline: what was sent outside an explicit transaction is committed.
  void Sync();

  // Takes the connection out of a failed pipeline; what is not read yet is dropped.
  void Recover();

  // Runs several statements without parameters, in a synced pipeline.
  void RunScript(const std::string& script, std::string_view what);

  // Throws where the server has closed a connection on which nothing is under way.
  void CheckOpen();

  // Whether a pooler may give each transaction another session.
  bool is_pooled() const { return is_pooled_; }

  bool is_lost() const { return PQstatus(connection_.get()) == CONNECTION_BAD; }
  // Of a synced pipeline: whether a transaction is open.
  bool in_transaction() const { return PQtransactionStatus(connection_.get()) != PQTRANS_IDLE; }
  PGconn* connection() const { return connection_.get(); }

 private:
  struct Expected {
    std::string_view name;
    const RowSink* sink;                       // Null: there are no rows, or nobody wants them.
    std::optional<std::size_t> prepares = {};  // The statement that it defines.
    PostgresResult* result = nullptr;          // Where given, it goes there as it is.
  };

  void Expect(int sent, Expected expected);
  std::string NameOf(sql::Statement statement) const;
  void ForgetUnnamed();
  // The next result of the oldest expected; null at its end.
  PostgresResult NextResult();
  void WaitReadable(bool also_writable);
  void ReadAll();
  void ReadOne(const Expected& expected);
  static bool Deliver(const PGresult* result, const RowSink& sink);
  void NoteFailure(Failure failure);

  PostgresHandle connection_;
  const bool is_pooled_;
  std::deque<Expected> expected_;
  std::array<bool, sql::kCatalog.size()> is_prepared_{};  // Or will be, when all goes well.
  std::optional<Failure> failure_;
  std::string buffer_;  // Of the parameters of one statement.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_PIPELINE_H_
