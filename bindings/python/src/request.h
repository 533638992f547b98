// How results of the library reach Python.
//
// A call hands its request to the engine at once and gives a Request, which is waited for in one of
// two ways: `await request` in an event loop of asyncio, or `request.wait()`, which blocks. When
// the engine has finished, on a thread of its own, the result goes to whoever waits, without the
// GIL.
//
// For an event loop it is put into the loop's box; the first that is put into an empty box rings.
// The loop then empties the box, on its own thread, and completes all futures that are in it. So
// however many requests one group of the engine finishes, the loop wakes up once.
#ifndef PGQRS_BINDINGS_PYTHON_REQUEST_H_
#define PGQRS_BINDINGS_PYTHON_REQUEST_H_

#include <nanobind/nanobind.h>
#include <pgqrs/future.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace pgqrs::python {

// What became of a request.
struct Result {
  // Makes the object that the caller gets, or throws. Runs with the GIL, once.
  std::function<nanobind::object()> take;
  // Undoes what the caller will never hear of, since the wait for it was cancelled. May be empty.
  std::function<void()> drop;
};

// What has been finished for one event loop. It rings an eventfd that the loop watches.
class Box {
 public:
  Box();
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;
  ~Box();

  int bell() const { return bell_; }

  // From any thread, without the GIL. Takes over the reference to the future.
  void Put(PyObject* future, Result result);

  // Completes the futures that are there. On the loop's thread.
  void Empty();

 private:
  struct Finished {
    PyObject* future;
    Result result;
  };

  const int bell_;
  std::mutex mutex_;
  std::vector<Finished> finished_;
};

template <typename T>
struct Typed;

// A call that was handed to the engine. Waited for once.
class Request {
 public:
  // Starts a call: `start` gives a pgqrs::Future, and runs without the GIL, since it waits where
  // the engine has too much to do. `take` makes an object of the future's result, and `drop`, where
  // there is one, gives it back.
  template <typename Start, typename Take>
  static auto New(Start start, Take take) {
    return New(std::move(start), std::move(take), nullptr);
  }
  template <typename Start, typename Take, typename Drop>
  static auto New(Start start, Take take, Drop drop);

  // The iterator that `await` wants. RuntimeError where no event loop runs in this thread.
  nanobind::object Await();

  // Waits, without the GIL. A signal whose handler raises, as that of Ctrl-C does, ends the wait;
  // the call goes on.
  nanobind::object Wait();

 private:
  // What the request and the engine's thread share.
  struct State {
    void Finish(Result result);

    std::mutex mutex;
    std::condition_variable finished;
    std::optional<Result> result;
    std::shared_ptr<Box> box;    // Of the loop that waits,
    PyObject* future = nullptr;  // and what it waits for.
  };

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A request by the type of what it gives, which shows in the signatures of the module.
template <typename T>
struct Typed {
  Request request;
};

template <typename Start, typename Take, typename Drop>
auto Request::New(Start start, Take take, Drop drop) {
  Request request;
  const nanobind::gil_scoped_release release;
  start().Then([state = request.state_, take, drop](auto done) {
    auto shared = std::make_shared<decltype(done)>(std::move(done));
    Result result;
    result.take = [shared, take]() -> nanobind::object { return take(*shared); };
    if constexpr (!std::is_null_pointer_v<Drop>) result.drop = [shared, drop] { drop(*shared); };
    state->Finish(std::move(result));
  });
  using Future = decltype(start());
  return Typed<std::invoke_result_t<Take, Future&>>{std::move(request)};
}

void BindRequest(nanobind::module_& module);

}  // namespace pgqrs::python

template <typename T>
struct nanobind::detail::type_caster<pgqrs::python::Typed<T>> {
  using Value = pgqrs::python::Typed<T>;
  template <typename>
  using Cast = Value;
  static constexpr auto Name = const_name("Request[") + make_caster<T>::Name + const_name("]");
  static handle from_cpp(Value&& value, rv_policy, cleanup_list*) noexcept {
    return nanobind::cast(std::move(value.request)).release();
  }
};

#endif  // PGQRS_BINDINGS_PYTHON_REQUEST_H_
