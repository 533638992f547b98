#include "util/json_text.h"

#include <yyjson.h>

#include <cstdlib>
#include <memory>

namespace pgqrs::util {

std::optional<std::string> QuoteJson(std::string_view text) {
  yyjson_mut_val value = {};
  if (!yyjson_mut_set_strn(&value, text.data() != nullptr ? text.data() : "", text.size())) {
    return std::nullopt;
  }
  std::size_t length = 0;
  const std::unique_ptr<char, decltype(&std::free)> quoted(
      yyjson_mut_val_write(&value, YYJSON_WRITE_NOFLAG, &length), &std::free);
  if (!quoted) return std::nullopt;
  return std::string(quoted.get(), length);
}

std::optional<std::string> UnquoteJson(std::string_view document) {
  const std::unique_ptr<yyjson_doc, decltype(&yyjson_doc_free)> parsed(
      yyjson_read(document.data(), document.size(), YYJSON_READ_NOFLAG), &yyjson_doc_free);
  auto* root = yyjson_doc_get_root(parsed.get());
  if (!yyjson_is_str(root)) return std::nullopt;
  return std::string(yyjson_get_str(root), yyjson_get_len(root));
}

std::string_view FirstCharacters(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  // The bytes of a character behind its first are 10xxxxxx.
  auto end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace pgqrs::util
