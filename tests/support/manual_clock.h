#ifndef PGQRS_TESTS_SUPPORT_MANUAL_CLOCK_H_
#define PGQRS_TESTS_SUPPORT_MANUAL_CLOCK_H_

#include <pgqrs/time.h>

#include <atomic>
#include <chrono>
#include <memory>

namespace pgqrs::testing {

// A clock that stands still until it is moved. Copies of AsClock() outlive it.
class ManualClock {
 public:
  TimePoint Now() const { return now_->load(); }
  void Advance(Duration by) { *now_ = Now() + by; }
  Clock AsClock() const {
    return [now = now_] { return now->load(); };
  }

 private:
  // Some day in 2024.
  std::shared_ptr<std::atomic<TimePoint>> now_ =
      std::make_shared<std::atomic<TimePoint>>(TimePoint(std::chrono::hours(24 * 20'000)));
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_MANUAL_CLOCK_H_
