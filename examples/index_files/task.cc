#include "task.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace index_files {
namespace {

// The length in bytes of the UTF-8 character at the front of `text`; 0 where there is none.
// (Unicode 15, table 3-7: well-formed byte sequences.)
std::size_t Utf8CharLength(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto follows = [byte](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return false;
    }
    return true;
  };
  const auto first = byte(0);
  const auto second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF && follows(1, 2)) return 2;
  if (first >= 0xE0 && first <= 0xEF && follows(1, 3)) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && follows(1, 4)) {
    const bool overlong = first == 0xF0 && second < 0x90;
    const bool too_large = first == 0xF4 && second > 0x8F;
    return overlong || too_large ? 0 : 4;
  }
  return 0;
}

// True for the characters that a terminal could take for a command: C0, DEL and C1.
bool IsControl(std::string_view character) {
  const auto first = static_cast<std::uint8_t>(character[0]);
  if (character.size() == 2) return first == 0xC2 && static_cast<std::uint8_t>(character[1]) < 0xA0;
  return first < 0x20 || first == 0x7F;
}

}  // namespace

std::string EncodePath(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(path.size());
  while (!path.empty()) {
    const std::size_t length = Utf8CharLength(path);
    const std::string_view character = path.substr(0, length == 0 ? 1 : length);
    if (length == 0 || character == "%" || IsControl(character)) {
      for (const char c : character) {
        const auto byte = static_cast<std::uint8_t>(c);
        encoded.append({'%', kHex[byte >> 4], kHex[byte & 0xF]});
      }
    } else {
      encoded += character;
    }
    path.remove_prefix(character.size());
  }
  return encoded;
}

std::string DecodePath(std::string_view encoded) {
  std::string path;
  path.reserve(encoded.size());
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%' && i + 2 < encoded.size()) {
      std::uint8_t byte = 0;
      std::from_chars(encoded.data() + i + 1, encoded.data() + i + 3, byte, 16);
      path += static_cast<char>(byte);
      i += 2;
    } else {
      path += encoded[i];
    }
  }
  return path;
}

pgqrs::Json ToJson(const Task& task) {
  nlohmann::json document = {{"path", task.path}};
  if (!task.problem.empty()) document["problem"] = task.problem;
  return pgqrs::Json::Parse(document.dump());
}

Task TaskFromJson(const pgqrs::Json& json) {
  const auto document = nlohmann::json::parse(json.text());
  return {.path = document.at("path").get<std::string>(),
          .problem = document.value("problem", std::string())};
}

}  // namespace index_files
