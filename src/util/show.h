// Quantities in words, as texts of errors show them. All of them are exact.
#ifndef PGQRS_UTIL_SHOW_H_
#define PGQRS_UTIL_SHOW_H_

#include <pgqrs/time.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgqrs::util {

// "3,660".
std::string ShowNumber(std::int64_t number);

// "1 message", "2,000 messages": for nouns whose plural ends with an s.
std::string ShowCount(std::int64_t n, std::string_view noun);

// "3,660 days", "1 min 30 s", "-5 ms", "0 s".
std::string ShowDuration(Duration duration);

// "16 MiB", "64 KiB", "1,025 bytes": in the largest unit in which it is a whole number.
std::string ShowBytes(std::size_t bytes);

}  // namespace pgqrs::util

#endif  // PGQRS_UTIL_SHOW_H_
