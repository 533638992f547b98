// The limit that single enqueues and steps of workflows are compared with.
#ifndef PGQRS_BENCH_LONE_COMMITS_H_
#define PGQRS_BENCH_LONE_COMMITS_H_

#include <cstdint>
#include <memory>

#include "limits/limit.h"
#include "measure.h"

namespace bench {

// How many messages a second one connection commits, one after the other, in an empty database.
double RateOfLoneCommits(std::unique_ptr<limits::Limit> limit, std::int64_t count);

Contestant LoneCommits(std::int64_t count);

}  // namespace bench

#endif  // PGQRS_BENCH_LONE_COMMITS_H_
