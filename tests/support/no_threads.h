#ifndef PGQRS_TESTS_SUPPORT_NO_THREADS_H_
#define PGQRS_TESTS_SUPPORT_NO_THREADS_H_

#include <cstddef>

#ifdef __GLIBC__

#include <pthread.h>

namespace pgqrs::testing {

// While it lives the process gets no new threads: each would need more stack than there is memory.
class NoThreads {
 public:
  NoThreads() {
    pthread_attr_t attributes;
    pthread_getattr_default_np(&attributes);
    pthread_attr_getstacksize(&attributes, &usual_);
    pthread_attr_destroy(&attributes);
    SetStackSize(std::size_t{1} << 50);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  ~NoThreads() { SetStackSize(usual_); }

 private:
  static void SetStackSize(std::size_t size) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
  }

  std::size_t usual_ = 0;
};

}  // namespace pgqrs::testing

#endif  // __GLIBC__

#endif  // PGQRS_TESTS_SUPPORT_NO_THREADS_H_
