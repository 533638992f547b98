// Consumers, in Python.
#ifndef PGQRS_BINDINGS_PYTHON_CONSUMER_H_
#define PGQRS_BINDINGS_PYTHON_CONSUMER_H_

#include <nanobind/nanobind.h>
#include <pgqrs/consumer.h>

#include <cstdint>

#include "held.h"

namespace pgqrs::python {

// A consumer with the id of its queue, which its messages carry.
struct PyConsumer {
  Held<Consumer> consumer;
  std::int64_t queue_id;
};

void BindConsumer(nanobind::module_& module);

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_CONSUMER_H_
