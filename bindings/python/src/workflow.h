// Workflows and executions of their runs, in Python.
#ifndef PGQRS_BINDINGS_PYTHON_WORKFLOW_H_
#define PGQRS_BINDINGS_PYTHON_WORKFLOW_H_

#include <nanobind/nanobind.h>

#include "store.h"

namespace pgqrs::python {

void BindWorkflowRecords(nanobind::module_& module);

// The calls of a store, and the class of executions.
void BindWorkflows(nanobind::module_& module, nanobind::class_<PyStore>& store);
void BindRunControl(nanobind::module_& module, nanobind::class_<PyStore>& store);

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_WORKFLOW_H_
