#include "request.h"

#include <nanobind/typing.h>
#include <pgqrs/error.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
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

// Whether `await` blocks in this thread.
thread_local bool blocks = false;

// Signals are for the main thread alone.
bool IsMainThread() {
  thread_local const bool is_main = [] {
    const auto threading = nb::module_::import_("threading");
    return threading.attr("main_thread")().is(threading.attr("current_thread")());
  }();
  return is_main;
}

// What `await` goes through: it gives the event loop a future to wait for, at most once, and then
// the result.
class Waiter {
 public:
  // Blocks.
  explicit Waiter(std::shared_ptr<Pending> pending) : pending_(std::move(pending)) {}
  // Waits in this loop.
  Waiter(std::shared_ptr<Pending> pending, nb::handle loop) : pending_(std::move(pending)) {
    auto future = loop.attr("create_future")();
    if (!pending_->WaitWith(future, BoxOf(loop))) return;
    future_ = std::move(future);
    iterator_ = future_.attr("__await__")();
  }
  Waiter(Waiter&&) noexcept = default;
  Waiter& operator=(Waiter&&) = delete;
  ~Waiter() {
    if (pending_) pending_->Abandon();
  }

  // The slots of the type, as Python has them.
  static PyObject* Next(PyObject* self) noexcept;
  static int Traverse(PyObject* self, visitproc visit, void* arg) noexcept;
  static int Clear(PyObject* self) noexcept;

  // Whoever waits gets an exception instead, or goes.
  nb::object Throw(const nb::args& exception) {
    pending_->Abandon();
    if (iterator_.is_valid()) return iterator_.attr("throw")(*exception);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception[0].ptr())), exception[0].ptr());
    throw nb::python_error();
  }
  void Close() { pending_->Abandon(); }

 private:
  // Null, with StopIteration, where that is the result.
  PyObject* Next();

  std::shared_ptr<Pending> pending_;
  nb::object future_;
  nb::object iterator_;
  bool is_waiting_ = false;
};

// Ends an iterator with a value.
void StopWith(nb::handle value) {
  // What stands for the arguments of an exception, or is one, is taken for that.
  if (PyTuple_Check(value.ptr()) || PyExceptionInstance_Check(value.ptr())) {
    const auto stop = nb::handle(PyExc_StopIteration)(value);
    PyErr_SetObject(PyExc_StopIteration, stop.ptr());
  } else {
    PyErr_SetObject(PyExc_StopIteration, value.ptr());
  }
}

PyObject* Waiter::Next() {
  if (!future_.is_valid()) {
    if (blocks) pending_->Wait();
  } else if (!std::exchange(is_waiting_, true) || !nb::cast<bool>(future_.attr("done")())) {
    return PyIter_Next(iterator_.ptr());
  }
  StopWith(pending_->Take());
  return nullptr;
}

PyObject* Waiter::Next(PyObject* self) noexcept {
  try {
    return nb::inst_ptr<Waiter>(self)->Next();
  } catch (nb::python_error& error) {
    error.restore();
  } catch (...) {
    const auto exception = ExceptionFor(std::current_exception());
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  }
  return nullptr;
}

int Waiter::Traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  const auto* waiter = nb::inst_ptr<Waiter>(self);
  Py_VISIT(waiter->future_.ptr());
  Py_VISIT(waiter->iterator_.ptr());
  return 0;
}

int Waiter::Clear(PyObject* self) noexcept {
  auto* waiter = nb::inst_ptr<Waiter>(self);
  waiter->pending_->Abandon();
  waiter->iterator_.reset();
  waiter->future_.reset();
  return 0;
}

}  // namespace

Box::Box() : bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (bell_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Box::~Box() { close(bell_); }

void Box::Put(std::shared_ptr<Pending> finished) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = finished_.empty();
    finished_.push_back(std::move(finished));
  }
  if (was_empty) eventfd_write(bell_, 1);
}

// A signal whose handler raises may come at any of them: the others are woken all the same.
void Box::Empty() {
  eventfd_t rings = 0;
  eventfd_read(bell_, &rings);
  std::vector<std::shared_ptr<Pending>> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  std::exception_ptr raised;
  for (const auto& pending : finished) {
    try {
      pending->Wake();
    } catch (nb::python_error&) {
      raised = std::current_exception();
    }
  }
  if (raised) std::rethrow_exception(raised);
}

bool Pending::Finish(Result result) {
  std::unique_lock lock(mutex_);
  if (is_abandoned_) return false;
  result_ = std::move(result);
  const auto box = std::exchange(box_, nullptr);
  finished_.notify_one();
  lock.unlock();
  if (box) box->Put(shared_from_this());
  return true;
}

bool Pending::WaitWith(nb::handle future, std::shared_ptr<Box> box) {
  const std::lock_guard lock(mutex_);
  if (result_) return false;
  box_ = std::move(box);
  future_ = future;
  return true;
}

void Pending::Wake() {
  const auto future = nb::borrow(future_);
  if (!future.is_valid()) return;
  const auto wake = [&future] {
    if (!nb::cast<bool>(future.attr("done")())) future.attr("set_result")(nb::none());
  };
  try {
    wake();
  } catch (nb::python_error&) {
    wake();  // A signal: it may have come before or after.
    throw;
  }
}

void Pending::Wait() {
  constexpr auto kLookForSignals = std::chrono::milliseconds(50);
  const bool looks_for_signals = IsMainThread();
  const auto is_there = [this] { return result_.has_value(); };
  for (;;) {
    {
      const ReleasedGil released;
      std::unique_lock lock(mutex_);
      if (!looks_for_signals) {
        finished_.wait(lock, is_there);
        return;
      }
      if (finished_.wait_for(lock, kLookForSignals, is_there)) return;
    }
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }
}

nb::object Pending::Take() {
  std::optional<Result> result;
  {
    const std::lock_guard lock(mutex_);
    result.swap(result_);
  }
  if (!result) throw Error("the result of a request is there once");
  return result->take();
}

void Pending::Abandon() {
  std::optional<Result> result;
  {
    const std::lock_guard lock(mutex_);
    is_abandoned_ = true;
    box_.reset();
    result.swap(result_);
  }
  future_ = nb::handle();
  if (!result || !result->drop) return;
  const ReleasedGil released;
  result->drop();
}

Request::~Request() {
  if (pending_) pending_->Abandon();
}

void Request::CheckThatSomebodyWaits() {
  if (!blocks) Lookup().get_running_loop();
}

nb::object Request::Await() {
  if (!pending_) {
    PyErr_SetString(PyExc_RuntimeError, "a request can be awaited once");
    throw nb::python_error();
  }
  if (blocks) return nb::cast(Waiter(std::exchange(pending_, nullptr)));
  const auto loop = Lookup().get_running_loop();
  return nb::cast(Waiter(std::exchange(pending_, nullptr), loop));
}

void BindRequest(nb::module_& module) {
  static std::array<PyType_Slot, 5> slots = {{
      {Py_tp_iter, reinterpret_cast<void*>(&PyObject_SelfIter)},
      {Py_tp_iternext,
       reinterpret_cast<void*>(static_cast<PyObject* (*)(PyObject*) noexcept>(&Waiter::Next))},
      {Py_tp_traverse, reinterpret_cast<void*>(&Waiter::Traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(&Waiter::Clear)},
      {0, nullptr},
  }};
  nb::class_<Waiter>(module, "Waiter", nb::type_slots(slots.data()))
      .def("throw", &Waiter::Throw, nb::sig("def throw(self, *exception: typing.Any) -> object"))
      .def("close", &Waiter::Close);
  module.def(
      "set_blocking", [](bool value) { return std::exchange(blocks, value); }, nb::arg("value"));
  module.def("is_blocking", [] { return blocks; });
  nb::class_<PyBox>(module, "Box").def("empty", [](const PyBox& self) { self.box->Empty(); });
  module.attr("T") = nb::type_var("T");
  nb::class_<Request>(module, "Request", nb::is_generic(),
                      nb::sig("class Request(typing.Generic[T])"))
      .def("__await__", &Request::Await,
           nb::sig("def __await__(self) -> collections.abc.Generator[typing.Any, None, T]"));
}

}  // namespace pgqrs::python
