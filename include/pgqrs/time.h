// Points in time and durations.
#ifndef PGQRS_TIME_H_
#define PGQRS_TIME_H_

#include <chrono>
#include <functional>

namespace pgqrs {

using Duration = std::chrono::microseconds;

// A point in time as the databases keep it: microseconds since 1970-01-01 00:00 UTC.
using TimePoint = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Tells the time of a store. Called from several threads at once; it must not block.
using Clock = std::function<TimePoint()>;

// Durations given to any call are at most this long (about ten years); longer ones are a mistake
// and are refused with ValidationError.
inline constexpr Duration kMaxDuration = std::chrono::hours(24 * 3660);

}  // namespace pgqrs

#endif  // PGQRS_TIME_H_
