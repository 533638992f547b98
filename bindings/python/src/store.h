#ifndef PGQRS_BINDINGS_PYTHON_STORE_H_
#define PGQRS_BINDINGS_PYTHON_STORE_H_

#include <nanobind/nanobind.h>
#include <pgqrs/store.h>

#include "held.h"

namespace pgqrs::python {

// Store, Queue and Consumer. Durations are microseconds, times microseconds since 1970.
struct PyStore {
  Held<PgqrsStore> store;
};

void BindStore(nanobind::module_& module);

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_STORE_H_
