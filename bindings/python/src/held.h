#ifndef PGQRS_BINDINGS_PYTHON_HELD_H_
#define PGQRS_BINDINGS_PYTHON_HELD_H_

#include <nanobind/nanobind.h>
#include <pgqrs/error.h>

#include <atomic>
#include <memory>
#include <utility>

#include "gil.h"

namespace pgqrs::python {

// Something of the library whose end may wait for the database, and does so without the GIL. Calls
// use it without the GIL too, so it stays until those that are under way are done with it.
template <typename T>
class Held {
 public:
  explicit Held(T object) : object_(std::make_shared<T>(std::move(object))) {}
  Held(Held&& other) noexcept : object_(other.object_.exchange(nullptr)) {}
  Held& operator=(Held&&) = delete;
  ~Held() { Drop(); }

  std::shared_ptr<T> operator->() const {
    auto object = object_.load();
    if (!object) throw Error("the store is closed");
    return object;
  }

  explicit operator bool() const { return object_.load() != nullptr; }

  // Gives it up, where that has not been done.
  void Drop() {
    auto object = object_.exchange(nullptr);
    if (!object) return;
    const ReleasedGil released;
    object.reset();
  }

 private:
  std::atomic<std::shared_ptr<T>> object_;
};

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_HELD_H_
