#include "queue/payload_array.h"

namespace pgqrs::queue {
namespace {

constexpr std::string_view kWhitespace = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const auto begin = text.find_first_not_of(kWhitespace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhitespace) - begin + 1);
}

// The position of the comma or bracket that ends the element which begins at `i`.
std::size_t EndOfElement(std::string_view text, std::size_t i) {
  int depth = 0;
  while (i < text.size()) {
    switch (text[i]) {
      case '"':
        i = EndOfString(text, i);
        continue;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        if (depth == 0) return i;
        --depth;
        break;
      case ',':
        if (depth == 0) return i;
        break;
      default:
        break;
    }
    ++i;
  }
  return i;
}

}  // namespace

std::size_t EndOfString(std::string_view text, std::size_t i) {
  const auto begin = i + 1;
  for (auto quote = text.find('"', begin); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    // It ends the string unless an odd number of backslashes stands before it.
    auto first = quote;
    while (first > begin && text[first - 1] == '\\') --first;
    if ((quote - first) % 2 == 0) return quote + 1;
  }
  return text.size();
}

void SplitPayloads(std::string_view array, std::vector<std::string_view>& elements) {
  elements.clear();
  array = Trim(array);
  std::size_t begin = 1;
  while (begin < array.size()) {
    const auto end = EndOfElement(array, begin);
    elements.push_back(Trim(array.substr(begin, end - begin)));
    begin = end + 1;
  }
}

std::string BlankPayloads(std::string_view array, std::uint64_t mask) {
  std::vector<std::string_view> elements;
  SplitPayloads(array, elements);
  std::string blanked = "[";
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) blanked += ',';
    blanked += (mask >> i & 1) != 0 ? "null" : elements[i];
  }
  blanked += ']';
  return blanked;
}

}  // namespace pgqrs::queue
