// What the server's type jsonb cannot hold of JSON.
#ifndef PGQRS_DRIVER_POSTGRES_JSONB_H_
#define PGQRS_DRIVER_POSTGRES_JSONB_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pgqrs::driver {

// jsonb keeps a number as `numeric`, which has so many digits at most, whatever the exponent.
inline constexpr std::int64_t kMaxDigitsBeforePoint = 131'072;
inline constexpr std::int64_t kMaxDigitsBehindPoint = 16'383;

// It gives a number back with all digits and no exponent: 1e400 has 401. By so much may the numbers
// of a document grow; without a limit a short payload could become longer than the server can send,
// and nobody would get its batch.
inline constexpr std::size_t kMaxNumberGrowth = std::size_t{1} << 20;

// Throws SerializationError where jsonb cannot hold a document, which is known to be JSON.
void CheckJsonb(std::string_view json);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_JSONB_H_
