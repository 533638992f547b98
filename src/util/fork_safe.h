#ifndef PGQRS_UTIL_FORK_SAFE_H_
#define PGQRS_UTIL_FORK_SAFE_H_

#include <pthread.h>

namespace pgqrs::util {

// The one T of this process, with a `mutex()` for all that it holds. A fork waits until nobody is
// at it, so that a child finds it free. Where it has an `AfterFork()`, the child calls that before
// anything else. Never destroyed: what uses it may outlive every other static object.
template <typename T>
T& ForkSafe() {
  static auto& object = *new T;
  static const int registered =
      pthread_atfork([] { object.mutex().lock(); }, [] { object.mutex().unlock(); },
                     [] {
                       if constexpr (requires { object.AfterFork(); }) object.AfterFork();
                       object.mutex().unlock();
                     });
  static_cast<void>(registered);
  return object;
}

}  // namespace pgqrs::util

#endif  // PGQRS_UTIL_FORK_SAFE_H_
