// Between strings and JSON string literals.
#ifndef PGQRS_UTIL_JSON_TEXT_H_
#define PGQRS_UTIL_JSON_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pgqrs::util {

// The JSON string literal of a text, quotes included. Nothing where the text is no well-formed
// UTF-8.
std::optional<std::string> QuoteJson(std::string_view text);

// The text of a JSON string literal. Nothing where the document is another kind of value.
std::optional<std::string> UnquoteJson(std::string_view document);

// The beginning of a text in UTF-8, at most so many bytes, which does not end within a character.
std::string_view FirstCharacters(std::string_view text, std::size_t max_bytes);

}  // namespace pgqrs::util

#endif  // PGQRS_UTIL_JSON_TEXT_H_
