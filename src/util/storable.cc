#include "util/storable.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "util/json_text.h"

namespace pgqrs::util {

std::string Storable(const char* what) {
  constexpr std::size_t kMost = 16 << 10;
  const std::string_view text = what != nullptr ? what : "";
  std::string stored(FirstCharacters(text, kMost));
  if (!QuoteJson(stored)) {
    std::replace_if(
        stored.begin(), stored.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; },
        '?');
  }
  return stored;
}

}  // namespace pgqrs::util
