// How results of the library reach Python.
//
// A call hands its request to the engine at once and gives a Request, which is awaited: in an event
// loop of asyncio, or in a thread where that blocks. When the engine has finished, the thread that
// did it hands the result to whoever waits, without the GIL.
//
// For an event loop it is put into the loop's box; the first that is put into an empty box rings.
// The loop then empties the box, on its own thread, and completes all futures that are in it. So
// however many requests one group of the engine finishes, the loop wakes up once.
//
// The engine's threads hold no Python object. Who waits may give up, whenever it is: then the
// result is undone where that is possible, whether it is there already or comes later.
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

#include "gil.h"

namespace pgqrs::python {

// What became of a request.
struct Result {
  // Makes the object that the caller gets, or throws. Runs with the GIL, once.
  std::function<nanobind::object()> take;
  // Undoes what the caller will never hear of. Without the GIL. May be empty.
  std::function<void()> drop;
};

class Pending;

// What has been finished for one event loop. It rings an eventfd that the loop watches.
class Box {
 public:
  Box();
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;
  ~Box();

  int bell() const { return bell_; }

  // From any thread, without the GIL.
  void Put(std::shared_ptr<Pending> finished);

  // Wakes those who wait for what is there. On the loop's thread.
  void Empty();

 private:
  const int bell_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Pending>> finished_;
};

// What a request, whoever waits for it and the engine's thread share.
class Pending : public std::enable_shared_from_this<Pending> {
 public:
  // The result is there. From the engine's thread, once. False where nobody waits any more.
  bool Finish(Result result);

  // From now on the future is completed by the box once the result is there. It stays the caller's,
  // who calls Abandon before it goes. False where the result is there already. With the GIL.
  bool WaitWith(nanobind::handle future, std::shared_ptr<Box> box);

  // Tells the future that the result is there. With the GIL.
  void Wake();

  // Blocks until the result is there. With the GIL. A signal whose handler raises, as that of
  // Ctrl-C does, ends the wait by that exception.
  void Wait();

  // The result, once. With the GIL.
  nanobind::object Take();

  // Nobody waits any more. With the GIL.
  void Abandon();

 private:
  std::mutex mutex_;
  std::condition_variable finished_;
  std::optional<Result> result_;  // Until it is taken or dropped.
  std::shared_ptr<Box> box_;      // Of the loop that waits.
  bool is_abandoned_ = false;
  nanobind::handle future_;  // With the GIL only.
};

template <typename T>
struct Typed;

// A call that was handed to the engine. Waited for once.
class Request {
 public:
  // Starts a call: `start` gives a pgqrs::Future, and runs without the GIL, since it waits where
  // the engine has too much to do. `take` makes an object of the future's result, and `drop`, where
  // there is one, gives it back. RuntimeError where nobody could wait: there is no event loop, and
  // the thread does not block.
  template <typename Start, typename Take>
  static auto New(Start start, Take take) {
    return New(std::move(start), std::move(take), nullptr);
  }
  template <typename Start, typename Take, typename Drop>
  static auto New(Start start, Take take, Drop drop);

  Request(Request&&) noexcept = default;
  Request& operator=(Request&&) = delete;
  ~Request();

  // The iterator that `await` wants. RuntimeError the second time.
  nanobind::object Await();

 private:
  Request() = default;
  static void CheckThatSomebodyWaits();

  std::shared_ptr<Pending> pending_ = std::make_shared<Pending>();
};

// A request by the type of what it gives, which shows in the signatures of the module.
template <typename T>
struct Typed {
  Request request;
};

template <typename Start, typename Take, typename Drop>
auto Request::New(Start start, Take take, Drop drop) {
  CheckThatSomebodyWaits();
  Request request;
  const ReleasedGil released;
  using Future = decltype(start());
  constexpr bool kHasDrop = !std::is_null_pointer_v<Drop>;
  start().Offer(
      [pending = request.pending_, take, drop](Future& done) {
        auto shared = std::make_shared<Future>(std::move(done));
        Result result;
        result.take = [shared, take]() -> nanobind::object { return take(*shared); };
        if constexpr (kHasDrop) result.drop = [shared, drop] { drop(*shared); };
        if (pending->Finish(std::move(result))) return true;
        done = std::move(*shared);
        return !kHasDrop;
      },
      [drop](Future done) {
        if constexpr (kHasDrop) drop(done);
      });
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
