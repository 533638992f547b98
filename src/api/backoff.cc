#include "api/backoff.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

namespace pgqrs::internal {

Duration ExponentialDelay(Duration base, Duration most, int tries, bool jitter) {
  auto delay = static_cast<double>(base.count()) * std::exp2(tries - 1);
  if (jitter) {
    thread_local std::mt19937_64 random(std::random_device{}());
    delay *= std::uniform_real_distribution<>(0.75, 1.25)(random);
  }
  return Duration(static_cast<std::int64_t>(std::min(delay, static_cast<double>(most.count()))));
}

}  // namespace pgqrs::internal
