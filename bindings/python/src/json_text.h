// JSON text from Python objects, and the other way round, without a document in between.
#ifndef PGQRS_BINDINGS_PYTHON_JSON_TEXT_H_
#define PGQRS_BINDINGS_PYTHON_JSON_TEXT_H_

#include <nanobind/nanobind.h>
#include <pgqrs/json.h>

#include <optional>
#include <string>
#include <string_view>

namespace pgqrs::python {

// The JSON text of a value: dict, list, tuple, str, int, float, bool or None, nested to any depth
// that Json takes. Integers keep all their digits, and floats come back as the same double. Throws
// SerializationError, which says `name`, and names the place in the value and its type: for a key
// that is no str, a float that is no number, a str that is no Unicode, any other type, and a
// container that holds itself. Needs the GIL.
std::string ToJsonText(nanobind::handle value, std::string_view name = "payload");

// The same as a value of the library.
Json ToJson(nanobind::handle value, std::string_view name = "payload");

// The object that a JSON text stands for. The text has to be valid: it comes out of the database.
// Numbers with a fraction or an exponent become float, others int. Needs the GIL.
nanobind::object FromJsonText(std::string_view text);
// None where there is none.
nanobind::object FromJson(const std::optional<Json>& json);

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_JSON_TEXT_H_
