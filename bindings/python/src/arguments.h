// What callers give, in the types of the library.
#ifndef PGQRS_BINDINGS_PYTHON_ARGUMENTS_H_
#define PGQRS_BINDINGS_PYTHON_ARGUMENTS_H_

#include <nanobind/nanobind.h>
#include <pgqrs/time.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace pgqrs::python {

// An int of Python. One that is too large becomes the largest there is, which the library refuses
// with a reason, and an id that nobody has.
struct Int {
  std::int64_t value = 0;
};

// Microseconds, of a duration or since 1970.
using Micros = Int;
using Ids = std::vector<Int>;

inline int ToInt(Int number) {
  using Limits = std::numeric_limits<int>;
  return static_cast<int>(std::clamp<std::int64_t>(number.value, Limits::min(), Limits::max()));
}
inline Duration ToDuration(Micros micros) { return Duration(micros.value); }
inline std::optional<Duration> ToDuration(std::optional<Micros> micros) {
  return micros ? std::optional(Duration(micros->value)) : std::nullopt;
}
inline TimePoint ToTime(Micros micros) { return TimePoint(Duration(micros.value)); }
inline std::vector<std::int64_t> ToIds(const Ids& ids) {
  std::vector<std::int64_t> numbers;
  numbers.reserve(ids.size());
  for (const auto id : ids) numbers.push_back(id.value);
  return numbers;
}

}  // namespace pgqrs::python

template <>
struct nanobind::detail::type_caster<pgqrs::python::Int> {
  NB_TYPE_CASTER(pgqrs::python::Int, const_name("int"))
  bool from_python(handle source, std::uint8_t, cleanup_list*) noexcept {
    if (!PyLong_Check(source.ptr())) return false;
    int overflow = 0;
    value.value = PyLong_AsLongLongAndOverflow(source.ptr(), &overflow);
    using Limits = std::numeric_limits<std::int64_t>;
    if (overflow != 0) value.value = overflow > 0 ? Limits::max() : Limits::min();
    return true;
  }
  static handle from_cpp(pgqrs::python::Int number, rv_policy, cleanup_list*) noexcept {
    return PyLong_FromLongLong(number.value);
  }
};

#endif  // PGQRS_BINDINGS_PYTHON_ARGUMENTS_H_
