#ifndef PGQRS_API_UUID_H_
#define PGQRS_API_UUID_H_

#include <string>

namespace pgqrs::internal {

// A random UUID: version 4 of RFC 9562.
std::string MakeRandomUuid();

}  // namespace pgqrs::internal

#endif  // PGQRS_API_UUID_H_
