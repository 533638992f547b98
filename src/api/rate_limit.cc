#include "api/rate_limit.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <string>

#include "util/show.h"

namespace pgqrs::internal {

RateLimit::RateLimit(std::optional<double> per_second, std::optional<int> burst)
    : per_second_(per_second),
      burst_(std::max(1.0, burst ? *burst : per_second.value_or(1.0))),
      tokens_(burst_) {}

void RateLimit::Take(std::size_t n) {
  if (!per_second_ || n == 0) return;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double> passed = now - refilled_at_;
  refilled_at_ = now;
  tokens_ = std::min(burst_, tokens_ + passed.count() * *per_second_);
  // A batch larger than the bucket passes when the bucket is full, and leaves a debt.
  if (tokens_ < std::min(static_cast<double>(n), burst_)) {
    throw RateLimitedError("enqueue of " +
                           util::ShowCount(static_cast<std::int64_t>(n), "message") +
                           ": more than max_enqueue_per_second allows; try again later");
  }
  tokens_ -= static_cast<double>(n);
}

}  // namespace pgqrs::internal
