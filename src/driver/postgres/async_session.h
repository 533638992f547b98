#ifndef PGQRS_DRIVER_POSTGRES_ASYNC_SESSION_H_
#define PGQRS_DRIVER_POSTGRES_ASYNC_SESSION_H_

#include <poll.h>

#include <string>
#include <utility>
#include <vector>

#include "driver/postgres/postgres_handle.h"

namespace pgqrs::driver {

// A connection that never makes its thread wait, except for the look-up of a host's name, which
// libpq does in place. One statement at a time. Every call may throw Failure (kLost).
class AsyncSession {
 public:
  using Parameters = PostgresOptions::Words;

  // Begins to connect.
  explicit AsyncSession(const Parameters& parameters);

  // What to wait for before Advance() can do more.
  pollfd WaitsFor() const;

  // Goes on as far as it can without waiting.
  void Advance();

  // Connected, and without a statement under way.
  bool is_idle() const { return state_ == State::kIdle; }

  // Sends statements without parameters, or one with text parameters.
  void Send(const std::string& text);
  void Send(const char* text, const std::vector<const char*>& parameters);

  // Of what was sent last: whether the server did it, and the first value of the last row.
  bool succeeded() const { return succeeded_; }
  const std::string& value() const { return value_; }

  // The process of the server, as it was named when the connection was made.
  int backend_pid() const { return PQbackendPID(connection_.get()); }

  // The payloads that came since the last call.
  std::vector<std::string> TakeHeard();

 private:
  enum class State : std::uint8_t { kConnecting, kBusy, kIdle };

  void Connect();
  void ReadResults();
  void Sent(int sent);
  [[noreturn]] void ThrowLost(const char* what) const;

  PostgresHandle connection_;
  State state_ = State::kConnecting;
  bool waits_to_write_ = true;
  bool succeeded_ = false;
  std::string value_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_ASYNC_SESSION_H_
