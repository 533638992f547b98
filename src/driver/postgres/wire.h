// Values as they travel between libpq and the server, in the binary format of the protocol
// (network byte order). Without a connection.
#ifndef PGQRS_DRIVER_POSTGRES_WIRE_H_
#define PGQRS_DRIVER_POSTGRES_WIRE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs::driver::wire {

// The object ids of the types that we use: fixed numbers of pg_type.
enum class Type : std::uint32_t {
  kBool = 16,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kTimestamptz = 1184,
  kJsonb = 3802,
  kInt8Array = 1016,
  kTimestamptzArray = 1185,
  kJsonbArray = 3807,
  kTextArray = 1009,
};

// Appends one value. A time is given in microseconds since 1970-01-01 00:00 UTC; those before
// what the server can store become its minus infinity.
void AppendInt8(std::string& out, std::int64_t value);
void AppendTimestamptz(std::string& out, std::int64_t micros);
void AppendJsonb(std::string& out, std::string_view json);

// Appends an array of one dimension, whose lower bound is 1.
class ArrayWriter {
 public:
  // `out` is to be empty. `element_type` is the type of one element.
  ArrayWriter(std::string& out, Type element_type, std::size_t count);

  void AddNull();
  // Appends an element: what `append(out)` appends.
  template <typename F>
  void Add(F append) {
    const auto length_at = BeginElement();
    append(out_);
    EndElement(length_at);
  }

 private:
  std::size_t BeginElement();
  void EndElement(std::size_t length_at);

  std::string& out_;
};

// Reads one value. Throws Failure where the bytes are no value of the type.
std::int64_t ReadInt(Type type, std::string_view bytes);
std::int64_t ReadTimestamptz(std::string_view bytes);  // Infinities become the ends of the range.
std::string_view ReadText(Type type, std::string_view bytes);

}  // namespace pgqrs::driver::wire

#endif  // PGQRS_DRIVER_POSTGRES_WIRE_H_
