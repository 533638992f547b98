#include "errors.h"

#include <nanobind/stl/string.h>
#include <pgqrs/error.h>

#include <array>
#include <string>

namespace nb = nanobind;

namespace pgqrs::python {
namespace {

// An exception of a class of pgqrs/_errors.py.
template <typename... Arguments>
nb::object New(const char* name, const Arguments&... arguments) {
  return nb::module_::import_("pgqrs._errors").attr(name)(arguments...);
}

template <typename E>
bool Is(const Error& error) {
  return dynamic_cast<const E*>(&error) != nullptr;
}

// The library's classes and Python's have the same names.
const char* NameOf(const Error& error) {
  struct Class {
    bool (*is)(const Error&);
    const char* name;
  };
  static constexpr std::array kClasses = {
      Class{Is<PgqrsConnectionError>, "PgqrsConnectionError"},
      Class{Is<ConfigError>, "ConfigError"},
      Class{Is<ValidationError>, "ValidationError"},
      Class{Is<SerializationError>, "SerializationError"},
      Class{Is<QueueNotFoundError>, "QueueNotFoundError"},
      Class{Is<QueueAlreadyExistsError>, "QueueAlreadyExistsError"},
      Class{Is<WorkerNotFoundError>, "WorkerNotFoundError"},
      Class{Is<MessageNotFoundError>, "MessageNotFoundError"},
      Class{Is<RateLimitedError>, "RateLimitedError"},
      Class{Is<TimeoutError>, "TimeoutError"},
      Class{Is<StateTransitionError>, "StateTransitionError"},
      Class{Is<InternalError>, "InternalError"},
      Class{Is<SchemaError>, "SchemaError"},
      Class{Is<NonDeterminismError>, "NonDeterminismError"},
  };
  for (const auto& each : kClasses) {
    if (each.is(error)) return each.name;
  }
  return "PgqrsError";
}

}  // namespace

nb::object ExceptionFor(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const WorkflowError& failed) {
    const auto step =
        failed.step().empty() ? nb::none() : nb::object(nb::str(failed.step().c_str()));
    return New("WorkflowError", failed.what(), failed.code(), step);
  } catch (const Error& known) {
    return New(NameOf(known), known.what());
  } catch (nb::python_error& python) {
    return nb::borrow(python.value());
  } catch (const std::exception& other) {
    return New("InternalError", other.what());
  }
}

void TranslateErrors() {
  nb::register_exception_translator([](const std::exception_ptr& error, void*) {
    try {
      std::rethrow_exception(error);
    } catch (const Error&) {
      const auto exception = ExceptionFor(error);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
    }
  });
}

}  // namespace pgqrs::python
