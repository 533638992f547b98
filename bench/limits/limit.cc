#include "limits/limit.h"

#include <stdexcept>

namespace limits {

const char* Name(Durability durability) {
  switch (durability) {
    case Durability::kOff:
      return "OFF";
    case Durability::kNormal:
      return "NORMAL";
    case Durability::kFull:
      break;
  }
  return "FULL";
}

void ExpectNumber(std::int64_t found, std::int64_t expected, std::string_view what) {
  if (found == expected) return;
  throw std::runtime_error("limit program: " + std::to_string(found) + " " + std::string(what) +
                           ", not " + std::to_string(expected));
}

std::string JsonArray(std::string_view payload, int n) {
  std::string array;
  array.reserve((payload.size() + 1) * static_cast<std::size_t>(n) + 1);
  for (int i = 0; i < n; ++i) {
    array += i == 0 ? '[' : ',';
    array += payload;
  }
  array += ']';
  return array;
}

}  // namespace limits
