#include "gil.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace pgqrs::python {
namespace {

std::atomic<bool> python_ends{false};
std::thread::id ending_thread;  // Written before the flag.

}  // namespace

ReleasedGil::~ReleasedGil() {
  while (python_ends && std::this_thread::get_id() != ending_thread) {
    std::this_thread::sleep_for(std::chrono::hours(1));
  }
  PyEval_RestoreThread(thread_);
}

void NoteThatPythonEnds() {
  ending_thread = std::this_thread::get_id();
  python_ends = true;
}

}  // namespace pgqrs::python
