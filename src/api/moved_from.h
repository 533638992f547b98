#ifndef PGQRS_API_MOVED_FROM_H_
#define PGQRS_API_MOVED_FROM_H_

#include <memory>

namespace pgqrs::internal {

// Throws Error; `what` names what was used.
[[noreturn]] void ThrowMovedFrom(const char* what);

// What a public handle stands for, which is gone once the handle was moved from.
template <typename T>
const std::shared_ptr<T>& CheckNotMovedFrom(const std::shared_ptr<T>& handle, const char* what) {
  if (!handle) ThrowMovedFrom(what);
  return handle;
}

}  // namespace pgqrs::internal

#endif  // PGQRS_API_MOVED_FROM_H_
