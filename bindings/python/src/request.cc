#include "request.h"

#include <nanobind/typing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <system_error>

#include "errors.h"

namespace nb = nanobind;

namespace pgqrs::python {
namespace {

// A box as Python holds it. The engine's threads hold the box itself, whose end does not need the
// GIL.
struct PyBox {
  std::shared_ptr<Box> box = std::make_shared<Box>();
};

// What is needed of Python. Looked up once, at the first wait in an event loop, so that the import
// of the package is not that of asyncio. Never freed, since the interpreter may end first.
struct Python {
  nb::object get_running_loop = nb::module_::import_("asyncio").attr("get_running_loop");
  // The event loops, each with its box, for as long as they live.
  nb::object boxes = nb::module_::import_("weakref").attr("WeakKeyDictionary")();
};

// Under the GIL, which an import may give up for a while: the first to come back counts.
Python& Lookup() {
  static Python* python = nullptr;
  if (python == nullptr) {
    auto* const made = new Python;  // NOLINT(cppcoreguidelines-owning-memory): see there.
    if (python == nullptr) python = made;
  }
  return *python;
}

// The box of an event loop, made where it has none yet.
std::shared_ptr<Box> BoxOf(nb::handle loop) {
  auto& boxes = Lookup().boxes;
  const nb::object known = boxes.attr("get")(loop);
  if (!known.is_none()) return nb::cast<PyBox&>(known).box;
  const auto made = nb::cast(PyBox());
  auto box = nb::cast<PyBox&>(made).box;
  loop.attr("add_reader")(box->bell(), made.attr("empty"));
  boxes[loop] = made;
  return box;
}

// What `await` gets of a value that is there already.
class Done {
 public:
  explicit Done(nb::object value) : value_(std::move(value)) {}
  [[noreturn]] void Next() {
    PyErr_SetObject(PyExc_StopIteration, value_.ptr());
    throw nb::python_error();
  }

 private:
  nb::object value_;
};

// Whether `await` blocks in this thread.
thread_local bool blocks = false;

// Completes a future, unless whoever waited has given up.
void Complete(nb::handle future, const Result& result) {
  if (nb::cast<bool>(future.attr("done")())) {
    if (result.drop) result.drop();
    return;
  }
  nb::object value;
  try {
    value = result.take();
  } catch (...) {
    future.attr("set_exception")(ExceptionFor(std::current_exception()));
    return;
  }
  future.attr("set_result")(value);
}

}  // namespace

Box::Box() : bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (bell_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

// The references to futures that are left are of a loop that is gone. They are let go without the
// GIL, which may not be there any more, and so never freed.
Box::~Box() { close(bell_); }

void Box::Put(PyObject* future, Result result) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = finished_.empty();
    finished_.push_back({future, std::move(result)});
  }
  if (was_empty) eventfd_write(bell_, 1);
}

void Box::Empty() {
  eventfd_t rings = 0;
  eventfd_read(bell_, &rings);
  std::vector<Finished> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (const auto& [raw, result] : finished) Complete(nb::steal(raw), result);
}

void Request::State::Finish(Result done) {
  {
    const std::lock_guard lock(mutex);
    if (future == nullptr) {
      result = std::move(done);
      finished.notify_one();
      return;
    }
  }
  box->Put(std::exchange(future, nullptr), std::move(done));
}

nb::object Request::Await() {
  if (blocks) return nb::cast(Done(Wait()));
  const auto loop = Lookup().get_running_loop();
  auto waiting = loop.attr("create_future")();
  auto iterator = waiting.attr("__await__")();
  auto box = BoxOf(loop);
  std::unique_lock lock(state_->mutex);
  if (!state_->result) {
    state_->box = std::move(box);
    state_->future = waiting.release().ptr();
    return iterator;
  }
  lock.unlock();
  Complete(waiting, *state_->result);
  return iterator;
}

nb::object Request::Wait() {
  constexpr auto kLookForSignals = std::chrono::milliseconds(50);
  for (;;) {
    {
      const nb::gil_scoped_release release;
      std::unique_lock lock(state_->mutex);
      if (state_->finished.wait_for(lock, kLookForSignals,
                                    [this] { return state_->result.has_value(); }))
        break;
    }
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }
  return state_->result->take();
}

void BindRequest(nb::module_& module) {
  nb::class_<Done>(module, "Done")
      .def("__iter__", [](nb::handle self) { return nb::borrow(self); })
      .def("__next__", &Done::Next);
  module.def("set_blocking", [](bool value) { return std::exchange(blocks, value); });
  module.def("is_blocking", [] { return blocks; });
  nb::class_<PyBox>(module, "Box").def("empty", [](const PyBox& self) { self.box->Empty(); });
  module.attr("T") = nb::type_var("T");
  nb::class_<Request>(module, "Request", nb::is_generic(),
                      nb::sig("class Request(typing.Generic[T])"))
      .def("__await__", &Request::Await,
           nb::sig("def __await__(self) -> collections.abc.Generator[typing.Any, None, T]"))
      .def("wait", &Request::Wait, nb::sig("def wait(self) -> T"));
}

}  // namespace pgqrs::python
