#ifndef PGQRS_BINDINGS_PYTHON_GIL_H_
#define PGQRS_BINDINGS_PYTHON_GIL_H_

#include <nanobind/nanobind.h>

namespace pgqrs::python {

// Gives the GIL up for as long as it lives.
//
// A thread that would take it back once the interpreter ends is stopped for good instead, as newer
// versions of Python do by themselves: older ones end the thread then, in the midst of our code.
class ReleasedGil {
 public:
  ReleasedGil() : thread_(PyEval_SaveThread()) {}
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;
  ~ReleasedGil();

 private:
  PyThreadState* thread_;
};

// To be called by the thread that ends the interpreter, before it does.
void NoteThatPythonEnds();

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_GIL_H_
