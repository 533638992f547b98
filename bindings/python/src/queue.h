// Queues, in Python.
#ifndef PGQRS_BINDINGS_PYTHON_QUEUE_H_
#define PGQRS_BINDINGS_PYTHON_QUEUE_H_

#include <nanobind/nanobind.h>

namespace pgqrs::python {

void BindQueue(nanobind::module_& module);

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_QUEUE_H_
