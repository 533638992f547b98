#ifndef PGQRS_API_BACKOFF_H_
#define PGQRS_API_BACKOFF_H_

#include <pgqrs/time.h>

namespace pgqrs::internal {

// base · 2^(tries − 1), at most `most`; with jitter give or take a random quarter before that.
Duration ExponentialDelay(Duration base, Duration most, int tries, bool jitter);

}  // namespace pgqrs::internal

#endif  // PGQRS_API_BACKOFF_H_
