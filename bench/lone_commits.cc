#include "lone_commits.h"

#include <utility>

#include "place.h"
#include "workload.h"

namespace bench {

double RateOfLoneCommits(std::unique_ptr<limits::Limit> limit, std::int64_t count) {
  const auto payload = PayloadText(0);
  const Stopwatch watch;
  for (std::int64_t i = 0; i < count; ++i) limit->EnqueueOne(payload);
  const auto rate = watch.Rate(count);
  limit->Verify(count, 0);
  return rate;
}

Contestant LoneCommits(std::int64_t count) {
  return {"limit", [=](const Place& place) { return RateOfLoneCommits(place.OpenLimit(), count); }};
}

}  // namespace bench
