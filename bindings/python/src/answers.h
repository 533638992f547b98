// What makes Python objects of the results of the library. Each runs with the GIL, and gives an
// object of the type that stands for it.
#ifndef PGQRS_BINDINGS_PYTHON_ANSWERS_H_
#define PGQRS_BINDINGS_PYTHON_ANSWERS_H_

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>
#include <pgqrs/pgqrs.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "records.h"

namespace pgqrs::python {

constexpr auto kTake = [](auto& done) {
  using Value = decltype(done.Get());
  return nanobind::typed<nanobind::object, Value>(nanobind::cast(done.Get()));
};

constexpr auto kTakeNothing = [](auto& done) {
  done.Get();
  return nanobind::typed<nanobind::object, std::nullptr_t>(nanobind::none());
};

inline auto TakeMessages(std::int64_t queue_id) {
  return [queue_id](auto& done) {
    nanobind::typed<nanobind::list, QueueMessage> list;
    for (const auto& message : done.Get()) list.append(ToPython(message, queue_id));
    return list;
  };
}

constexpr auto kTakeInfos = [](auto& done) {
  nanobind::typed<nanobind::list, QueueMessage> list;
  for (const auto& message : done.Get()) list.append(ToPython(message));
  return list;
};

constexpr auto kTakeInfo = [](auto& done) {
  const auto info = done.Get();
  return nanobind::typed<nanobind::object, std::optional<QueueMessage>>(info ? ToPython(*info)
                                                                             : nanobind::none());
};

// Of messages that nobody will hear of: they are given back as if they had not been handed out.
constexpr auto kGiveBack = [](auto& done) {
  try {
    for (auto& message : done.Get()) message.ReleaseUnreadAsync();
  } catch (const Error&) {
    // Then there are none.
  }
};

// Of a consumer: it is closed, which nobody waits for.
constexpr auto kClose = [](auto& done) {
  try {
    done.Get().CloseAsync();
  } catch (const Error&) {
    // Then there is none.
  }
};

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_ANSWERS_H_
