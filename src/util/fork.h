#ifndef PGQRS_UTIL_FORK_H_
#define PGQRS_UTIL_FORK_H_

#include <cstdint>

namespace pgqrs::util {

// How often this process and its ancestors came out of a fork, counted from the first call on. What
// remembers the number can tell later that it is a copy in a forked child.
std::uint64_t ForkGeneration();

}  // namespace pgqrs::util

#endif  // PGQRS_UTIL_FORK_H_
