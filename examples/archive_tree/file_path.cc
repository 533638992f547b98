#include "file_path.h"

#include <charconv>
#include <stdexcept>

namespace archive_tree {

std::string EncodePath(const std::filesystem::path& path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (const char c : path.native()) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '%') {
      text += c;
    } else {
      text += {'%', kDigits[byte >> 4U], kDigits[byte & 0xFU]};
    }
  }
  return text;
}

std::filesystem::path DecodePath(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string digits(text.substr(i + 1, 2));
    const auto end = digits.data() + digits.size();
    if (digits.size() != 2 || std::from_chars(digits.data(), end, byte, 16).ptr != end) {
      throw std::invalid_argument("no encoded path: " + std::string(text));
    }
    path += static_cast<char>(byte);
    i += 2;
  }
  return path;
}

}  // namespace archive_tree
