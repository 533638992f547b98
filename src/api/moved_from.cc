#include "api/moved_from.h"

#include <pgqrs/error.h>

#include <string>

namespace pgqrs::internal {

void ThrowMovedFrom(const char* what) {
  throw Error(std::string(what) + " was used after it had been moved from");
}

}  // namespace pgqrs::internal
