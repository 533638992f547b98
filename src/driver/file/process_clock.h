#ifndef PGQRS_DRIVER_FILE_PROCESS_CLOCK_H_
#define PGQRS_DRIVER_FILE_PROCESS_CLOCK_H_

#include <pgqrs/config.h>
#include <pgqrs/time.h>

#include <chrono>

namespace pgqrs::driver {

// The clock that decides where there is no server: the one of the configuration, or the system's.
inline Clock ProcessClock(const Config& config) {
  if (config.clock) return config.clock;
  return [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
}

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_PROCESS_CLOCK_H_
