#ifndef PGQRS_ENGINE_LANE_H_
#define PGQRS_ENGINE_LANE_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "driver/driver.h"
#include "queue/group.h"

namespace pgqrs::engine {

// One connection that writes, with a thread. Used by that thread, or by a caller to whom it is
// lent.
class Lane {
 public:
  // Without a connection it opens one when it is needed.
  Lane(driver::Database& database, std::unique_ptr<driver::Connection> connection,
       queue::Session first_session)
      : session(std::move(first_session)),
        database_(database),
        connection_(std::move(connection)) {}

  // Opens the connection where there is none. While that fails it tries again, at growing
  // intervals, until the deadline or until `gives_up`; then it throws the last failure.
  driver::Connection& Connect(std::chrono::steady_clock::time_point deadline,
                              const std::atomic<bool>& gives_up);

  // Drops a connection that is lost.
  void Disconnect() { connection_.reset(); }

  // Null where there is none.
  driver::Connection* connection() { return connection_.get(); }

  queue::Session session;

  // Of the group that is just carried out: whether its dequeues may have missed something of it.
  bool must_look_again = false;

  std::thread thread;

 private:
  driver::Database& database_;
  std::unique_ptr<driver::Connection> connection_;
};

// Waits before attempt n (from 1 on) of something that others are trying too: exponentially longer
// each time, up to a second, and by chance shorter. Answers false, at once, where the deadline has
// passed or somebody gives up.
bool BackOff(int attempt, std::chrono::steady_clock::time_point deadline,
             const std::atomic<bool>& gives_up);

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_LANE_H_
