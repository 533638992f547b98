// Consumers, in Python.
#ifndef PGQRS_BINDINGS_PYTHON_CONSUMER_H_
#define PGQRS_BINDINGS_PYTHON_CONSUMER_H_

#include <nanobind/nanobind.h>
#include <pgqrs/consumer.h>

#include <cstdint>
#include <utility>

#include "held.h"

namespace pgqrs::python {

// A consumer with the id of its queue, which its messages carry.
struct PyConsumer {
  PyConsumer(Consumer of_queue, std::int64_t id) : consumer(std::move(of_queue)), queue_id(id) {}
  PyConsumer(PyConsumer&&) noexcept = default;
  PyConsumer& operator=(PyConsumer&&) = delete;
  // Closes it, without waiting for that.
  ~PyConsumer();

  Held<Consumer> consumer;
  std::int64_t queue_id;
};

void BindConsumer(nanobind::module_& module);

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_CONSUMER_H_
