#ifndef PGQRS_UTIL_STORABLE_H_
#define PGQRS_UTIL_STORABLE_H_

#include <string>

namespace pgqrs::util {

// An exception's text as it can be stored: UTF-8 without U+0000, and not endless. Some exceptions
// have none (null).
std::string Storable(const char* what);

}  // namespace pgqrs::util

#endif  // PGQRS_UTIL_STORABLE_H_
