#ifndef PGQRS_API_RATE_LIMIT_H_
#define PGQRS_API_RATE_LIMIT_H_

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>

namespace pgqrs::internal {

// A token bucket: `burst` tokens at most, refilled at `per_second`.
class RateLimit {
 public:
  RateLimit(std::optional<double> per_second, std::optional<int> burst);

  // Takes n tokens, or none: throws RateLimitedError.
  void Take(std::size_t n);

 private:
  const std::optional<double> per_second_;
  const double burst_;
  std::mutex mutex_;
  double tokens_;
  std::chrono::steady_clock::time_point refilled_at_ = std::chrono::steady_clock::now();
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_RATE_LIMIT_H_
