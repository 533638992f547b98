// Sees to it that the program ends, and leaves nothing behind.
#ifndef PGQRS_BENCH_WATCHDOG_H_
#define PGQRS_BENCH_WATCHDOG_H_

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace bench {

// A thread that waits for SIGINT and SIGTERM, and for a step that takes too long. On either it
// calls `give_up` with the reason and ends the process. To be made before any other thread is,
// since it blocks these signals for all of them.
class Watchdog {
 public:
  explicit Watchdog(std::function<void(const std::string& why)> give_up);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  // What is going on from now on, and how long it may take.
  void Begin(std::string step, std::chrono::seconds limit);

 private:
  void Watch();
  std::string Overdue();

  std::function<void(const std::string&)> give_up_;
  std::mutex mutex_;
  std::string step_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace bench

#endif  // PGQRS_BENCH_WATCHDOG_H_
