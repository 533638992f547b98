#ifndef PGQRS_UTIL_THREAD_H_
#define PGQRS_UTIL_THREAD_H_

#include <pgqrs/error.h>

#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace pgqrs::util {

// Throws Error where the system has no more threads to give.
template <typename F>
std::thread StartThread(F body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& error) {
    throw Error(std::string("a thread could not be started: ") + error.what());
  }
}

}  // namespace pgqrs::util

#endif  // PGQRS_UTIL_THREAD_H_
