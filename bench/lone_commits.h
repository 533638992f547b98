// The limit that single enqueues and steps of workflows are compared with.
#ifndef PGQRS_BENCH_LONE_COMMITS_H_
#define PGQRS_BENCH_LONE_COMMITS_H_

#include <cstdint>

#include "measure.h"

namespace bench {

// One connection that commits one message after the other.
Contestant LoneCommits(std::int64_t count);

}  // namespace bench

#endif  // PGQRS_BENCH_LONE_COMMITS_H_
