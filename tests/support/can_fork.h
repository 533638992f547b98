#ifndef PGQRS_TESTS_SUPPORT_CAN_FORK_H_
#define PGQRS_TESTS_SUPPORT_CAN_FORK_H_

namespace pgqrs::testing {

// ThreadSanitizer cannot go on in a child of a process with threads, and AddressSanitizer's
// allocator may be locked for good in one: no thread is left that would give its lock back.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define PGQRS_TESTS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define PGQRS_TESTS_SANITIZED 1
#endif
#endif
#ifdef PGQRS_TESTS_SANITIZED
inline constexpr bool kCanFork = false;
#else
inline constexpr bool kCanFork = true;
#endif

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_CAN_FORK_H_
