#include "engine/lane.h"

#include <algorithm>
#include <random>

namespace pgqrs::engine {

using SteadyClock = std::chrono::steady_clock;

bool BackOff(int attempt, SteadyClock::time_point deadline, const std::atomic<bool>& gives_up) {
  constexpr std::chrono::milliseconds kFirst(5);
  constexpr std::chrono::milliseconds kLongest(1000);
  thread_local std::minstd_rand random(std::random_device{}());
  const auto longest = std::min(kLongest, kFirst * (1 << std::min(attempt, 10)));
  const std::chrono::milliseconds pause(
      std::uniform_int_distribution<>(1, static_cast<int>(longest.count()))(random));
  const auto end = std::min(deadline, SteadyClock::now() + pause);
  while (!gives_up && SteadyClock::now() < end) {
    std::this_thread::sleep_for(
        std::min<SteadyClock::duration>(std::chrono::milliseconds(10), end - SteadyClock::now()));
  }
  return !gives_up && SteadyClock::now() < deadline;
}

driver::Connection& Lane::Connect(SteadyClock::time_point deadline,
                                  const std::atomic<bool>& gives_up) {
  for (int attempt = 1; !connection_; ++attempt) {
    try {
      connection_ = database_.OpenWriter();
      connection_->Adopt();
    } catch (const std::exception& error) {
      connection_.reset();
      if (!BackOff(attempt, deadline, gives_up)) {
        throw driver::Failure(driver::Fault::kLost, error.what());
      }
    }
  }
  return *connection_;
}

}  // namespace pgqrs::engine
