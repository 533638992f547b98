#ifndef PGQRS_BINDINGS_PYTHON_ERRORS_H_
#define PGQRS_BINDINGS_PYTHON_ERRORS_H_

#include <nanobind/nanobind.h>

#include <exception>

namespace pgqrs::python {

// The Python exception for an error of the library or of Python itself. Needs the GIL.
nanobind::object ExceptionFor(const std::exception_ptr& error);

// Lets functions of the module raise what ExceptionFor gives.
void TranslateErrors();

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_ERRORS_H_
