#include "api/uuid.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>

namespace pgqrs::internal {

std::string MakeRandomUuid() {
  std::random_device random;  // The system's own source.
  std::array<std::uint32_t, 4> words;
  for (auto& word : words) word = random();
  constexpr std::size_t kLength = 36;
  std::array<char, kLength + 1> text;
  std::snprintf(text.data(), text.size(), "%08x-%04x-4%03x-%04x-%04x%08x", words[0], words[1] >> 16,
                words[1] & 0xfffU, (words[2] >> 16 & 0x3fffU) | 0x8000U, words[2] & 0xffffU,
                words[3]);
  return {text.data(), kLength};
}

}  // namespace pgqrs::internal
