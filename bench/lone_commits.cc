#include "lone_commits.h"

#include "limits/limit.h"
#include "place.h"
#include "workload.h"

namespace bench {

Contestant LoneCommits(std::int64_t count) {
  return {"limit", [=](const Place& place) {
            const auto limit = place.OpenLimit();
            const auto payload = PayloadText(0);
            const Stopwatch watch;
            for (std::int64_t i = 0; i < count; ++i) limit->EnqueueOne(payload);
            const auto rate = watch.Rate(count);
            limit->Verify(count, 0);
            return rate;
          }};
}

}  // namespace bench
