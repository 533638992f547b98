// What the server's clock shows, without asking: as of its last answer and this process's steady
// clock since. Good enough to decide when to look again, and for nothing else.
#ifndef PGQRS_DRIVER_POSTGRES_SERVER_CLOCK_H_
#define PGQRS_DRIVER_POSTGRES_SERVER_CLOCK_H_

#include <pgqrs/time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

namespace pgqrs::driver {

// Any thread may call it at any time.
class ServerClock {
 public:
  // Shows what this machine's clock does, and is old, until it is set.
  ServerClock() {
    Set(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()));
    set_at_ = std::numeric_limits<std::int64_t>::min() / 2;
  }

  void Set(TimePoint now) {
    const auto steady = Steady();
    offset_ = now.time_since_epoch().count() - steady;
    set_at_ = steady;
  }
  TimePoint Now() const { return TimePoint(Duration(offset_ + Steady())); }

  // Whether the server should be asked again: somebody may have set its clock.
  bool is_old() const { return Steady() - set_at_ > Duration(std::chrono::minutes(1)).count(); }

 private:
  static std::int64_t Steady() {
    return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  std::atomic<std::int64_t> set_at_;
  std::atomic<std::int64_t> offset_{0};
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_SERVER_CLOCK_H_
