#include "json_text.h"

#include <nanobind/stl/string.h>
#include <pgqrs/error.h>
#include <pgqrs/json.h>
#include <yyjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace nb = nanobind;

namespace pgqrs::python {
namespace {

// Writes one document. Where something cannot be written it tells the way to it, which is put
// together only then.
class Writer {
 public:
  std::string Write(nb::handle payload) {
    text_.reserve(kUsualSize);
    Value(payload, 0);
    return std::move(text_);
  }

 private:
  void Value(nb::handle value, int depth);
  void Text(nb::handle text);
  void Integer(nb::handle number);
  void Float(nb::handle number);
  void Dict(nb::handle dict, int depth);
  void Sequence(nb::handle sequence, int depth);

  // What is no longer than this is written without moving what is there already.
  static constexpr std::size_t kUsualSize = 240;

  std::string text_;
};

[[noreturn]] void Refuse(const std::string& what) { throw SerializationError("payload: " + what); }

nb::object Owned(PyObject* object) {
  if (object == nullptr) throw nb::python_error();
  return nb::steal(object);
}

nb::object Held(PyObject* borrowed) {
  if (borrowed == nullptr) throw nb::python_error();
  return nb::borrow(borrowed);
}

// Takes away the error that Python has raised where it is of this class; any other goes on.
void Expect(PyObject* kind) {
  if (PyErr_ExceptionMatches(kind) == 0) throw nb::python_error();
  PyErr_Clear();
}

// As the class has it: the attribute may be anything, by a metaclass.
std::string TypeName(nb::handle value) {
  return nb::cast<std::string>(
      Owned(PyType_GetName(reinterpret_cast<PyTypeObject*>(value.type().ptr()))));
}

// A key as it is shown, whatever its class makes of that.
std::string Shown(nb::handle key) {
  return nb::cast<std::string>(nb::repr(Owned(PyUnicode_FromObject(key.ptr()))));
}

// An instance of a class that is made for JSON, as a value of it.
nb::object ToPlain(nb::handle value) {
  const auto payload = nb::module_::import_("pgqrs._payload");
  try {
    auto plain = nb::object(payload.attr("to_plain")(value));
    if (plain.is(value)) Refuse("a " + TypeName(value) + " cannot be written as JSON");
    return plain;
  } catch (const nb::python_error& error) {
    if (!error.matches(payload.attr("SerializationError"))) throw;
    Refuse(nb::cast<std::string>(nb::str(error.value())));
  }
}

void CheckDepth(int depth) {
  if (depth > Json::kMaxDepth) {
    throw ValidationError("payload: nests deeper than " + std::to_string(Json::kMaxDepth) +
                          " levels, or holds itself");
  }
}

// Adds where it was to the reason of a value in a container.
template <typename Place, typename F>
void At(Place place, F write) {
  try {
    write();
  } catch (const SerializationError& error) {
    constexpr std::string_view kPrefix = "payload";
    throw SerializationError(std::string(kPrefix) + place() +
                             std::string(error.what()).substr(kPrefix.size()));
  }
}

void Writer::Value(nb::handle value, int depth) {
  auto* object = value.ptr();
  if (object == Py_None) {
    text_ += "null";
  } else if (object == Py_True) {
    text_ += "true";
  } else if (object == Py_False) {
    text_ += "false";
  } else if (PyUnicode_Check(object)) {
    Text(value);
  } else if (PyLong_Check(object)) {
    Integer(value);
  } else if (PyFloat_Check(object)) {
    Float(value);
  } else if (PyDict_Check(object)) {
    Dict(value, depth + 1);
  } else if (PyList_Check(object) || PyTuple_Check(object)) {
    Sequence(value, depth + 1);
  } else {
    CheckDepth(depth + 1);  // What it becomes may be an instance again.
    Value(ToPlain(value), depth + 1);
  }
}

void Writer::Text(nb::handle text) {
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (utf8 == nullptr) {
    Expect(PyExc_UnicodeEncodeError);
    Refuse("a str holds a lone surrogate, which is no Unicode text");
  }
  text_ += '"';
  const char* const end = utf8 + size;
  const char* from = utf8;
  for (const char* at = utf8; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    text_.append(from, at);
    from = at + 1;
    switch (byte) {
      case '"':
        text_ += "\\\"";
        break;
      case '\\':
        text_ += "\\\\";
        break;
      case '\n':
        text_ += "\\n";
        break;
      case '\t':
        text_ += "\\t";
        break;
      case '\r':
        text_ += "\\r";
        break;
      default: {
        constexpr std::string_view kDigits = "0123456789abcdef";
        text_ += "\\u00";
        text_ += kDigits[byte >> 4];
        text_ += kDigits[byte & 15];
      }
    }
  }
  text_.append(from, end);
  text_ += '"';
}

void Writer::Integer(nb::handle number) {
  int overflow = 0;
  const auto value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow == 0) {
    std::array<char, 24> digits{};
    const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    text_.append(digits.data(), result.ptr);
    return;
  }
  const auto digits = nb::steal(PyNumber_ToBase(number.ptr(), 10));
  if (!digits.is_valid()) {
    Expect(PyExc_ValueError);
    Refuse("an int has more digits than sys.set_int_max_str_digits() allows");
  }
  text_ += nb::cast<std::string>(digits);
}

void Writer::Float(nb::handle number) {
  const double value = PyFloat_AsDouble(number.ptr());
  if (!std::isfinite(value)) {
    Refuse(std::isnan(value) ? "NaN is no JSON number" : "an infinite float is no JSON number");
  }
  std::array<char, 32> digits{};  // The shortest that give the same double again.
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string_view text(digits.data(), static_cast<std::size_t>(result.ptr - digits.data()));
  text_ += text;
  // So that it comes back as a float.
  if (text.find_first_of(".e") == std::string_view::npos) text_ += ".0";
}

void Writer::Dict(nb::handle dict, int depth) {
  CheckDepth(depth);
  text_ += '{';
  PyObject* next_key = nullptr;
  PyObject* next_value = nullptr;
  Py_ssize_t position = 0;
  const auto size = PyDict_Size(dict.ptr());
  for (bool is_first = true; PyDict_Next(dict.ptr(), &position, &next_key, &next_value) != 0;
       is_first = false) {
    // An instance in it runs Python, and meanwhile the dict may be changed.
    const auto key = Held(next_key);
    const auto value = Held(next_value);
    if (!is_first) text_ += ',';
    if (!PyUnicode_Check(key.ptr())) {
      Refuse("a key is a " + TypeName(key) + "; keys of JSON objects are str");
    }
    Text(key);
    text_ += ':';
    At([&] { return "[" + Shown(key) + "]"; }, [&] { Value(value, depth); });
    if (PyDict_Size(dict.ptr()) != size) Refuse("a dict was changed while it was written");
  }
  text_ += '}';
}

void Writer::Sequence(nb::handle sequence, int depth) {
  CheckDepth(depth);
  const bool is_list = PyList_Check(sequence.ptr());
  text_ += '[';
  // Asked for each time, as a list may be changed meanwhile; and not by __len__, which a class may
  // have of its own.
  const auto size = [&] {
    return is_list ? PyList_Size(sequence.ptr()) : PyTuple_Size(sequence.ptr());
  };
  for (Py_ssize_t i = 0; i < size(); ++i) {
    if (i > 0) text_ += ',';
    const auto item =
        Held(is_list ? PyList_GetItem(sequence.ptr(), i) : PyTuple_GetItem(sequence.ptr(), i));
    At([&] { return "[" + std::to_string(i) + "]"; }, [&] { Value(item, depth); });
  }
  text_ += ']';
}

struct FreeDocument {
  void operator()(yyjson_doc* document) const { yyjson_doc_free(document); }
};

nb::object ObjectOf(yyjson_val* value, int depth);

nb::object TextOf(yyjson_val* value) {
  return Owned(PyUnicode_DecodeUTF8(yyjson_get_str(value),
                                    static_cast<Py_ssize_t>(yyjson_get_len(value)), nullptr));
}

// A number as it stands in the text.
nb::object NumberOf(yyjson_val* value) {
  const std::string text(yyjson_get_raw(value), yyjson_get_len(value));
  if (text.find_first_of(".eE") == std::string::npos) {
    std::int64_t number = 0;
    const auto* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    if (result.ec == std::errc() && result.ptr == end) return Owned(PyLong_FromLongLong(number));
    auto* const large = PyLong_FromString(text.c_str(), nullptr, 10);
    if (large != nullptr) return Owned(large);
    Expect(PyExc_ValueError);
    throw SerializationError(
        "a stored payload holds an int of more digits than sys.set_int_max_str_digits() allows");
  }
  double number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) {
    // Too large for a double, or too small: as Python reads it.
    const bool is_small =
        text.find("e-") != std::string::npos || text.find("E-") != std::string::npos;
    number = std::copysign(is_small ? 0.0 : HUGE_VAL, text.front() == '-' ? -1.0 : 1.0);
  }
  return Owned(PyFloat_FromDouble(number));
}

nb::object ListOf(yyjson_val* value, int depth) {
  auto list = Owned(PyList_New(static_cast<Py_ssize_t>(yyjson_arr_size(value))));
  std::size_t index = 0;
  std::size_t count = 0;
  yyjson_val* item = nullptr;
  yyjson_arr_foreach(value, index, count, item) {
    PyList_SetItem(list.ptr(), static_cast<Py_ssize_t>(index),
                   ObjectOf(item, depth).release().ptr());
  }
  return list;
}

nb::object DictOf(yyjson_val* value, int depth) {
  auto dict = Owned(PyDict_New());
  std::size_t index = 0;
  std::size_t count = 0;
  yyjson_val* key = nullptr;
  yyjson_val* item = nullptr;
  yyjson_obj_foreach(value, index, count, key, item) {
    if (PyDict_SetItem(dict.ptr(), TextOf(key).ptr(), ObjectOf(item, depth).ptr()) != 0) {
      throw nb::python_error();
    }
  }
  return dict;
}

int Deeper(int depth) {
  if (depth >= Json::kMaxDepth) {
    throw SerializationError("a stored payload nests deeper than " +
                             std::to_string(Json::kMaxDepth) + " levels");
  }
  return depth + 1;
}

nb::object ObjectOf(yyjson_val* value, int depth) {
  switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
      return nb::none();
    case YYJSON_TYPE_BOOL:
      return nb::bool_(yyjson_get_bool(value));
    case YYJSON_TYPE_STR:
      return TextOf(value);
    case YYJSON_TYPE_ARR:
      return ListOf(value, Deeper(depth));
    case YYJSON_TYPE_OBJ:
      return DictOf(value, Deeper(depth));
    default:
      return NumberOf(value);
  }
}

}  // namespace

std::string ToJsonText(nb::handle value, std::string_view name) {
  const auto renamed = [name](const std::exception& error) {
    constexpr std::string_view kPrefix = "payload";
    return std::string(name) + std::string(error.what()).substr(kPrefix.size());
  };
  try {
    return Writer().Write(value);
  } catch (const SerializationError& error) {
    throw SerializationError(renamed(error));
  } catch (const ValidationError& error) {
    throw ValidationError(renamed(error));
  }
}

Json ToJson(nb::handle value, std::string_view name) {
  return Json::FromTrusted(ToJsonText(value, name));
}

nb::object FromJson(const std::optional<Json>& json) {
  return json ? FromJsonText(json->text()) : nb::none();
}

nb::object FromJsonText(std::string_view text) {
  yyjson_read_err error{};
  // yyjson does not change the text without the flag that lets it.
  const std::unique_ptr<yyjson_doc, FreeDocument> document(yyjson_read_opts(
      const_cast<char*>(text.data()), text.size(), YYJSON_READ_NUMBER_AS_RAW, nullptr, &error));
  if (!document) throw SerializationError(std::string("a stored payload is no JSON: ") + error.msg);
  return ObjectOf(yyjson_doc_get_root(document.get()), 0);
}

}  // namespace pgqrs::python
