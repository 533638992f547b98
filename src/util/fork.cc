#include "util/fork.h"

#include <pthread.h>

#include <atomic>

namespace pgqrs::util {
namespace {

std::atomic<std::uint64_t> generation{0};

}  // namespace

std::uint64_t ForkGeneration() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { ++generation; });
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

}  // namespace pgqrs::util
