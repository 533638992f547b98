// Checks JSON texts.
#ifndef PGQRS_UTIL_JSON_CHECK_H_
#define PGQRS_UTIL_JSON_CHECK_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs::util {

struct JsonRules {
  int max_depth;
  std::optional<std::size_t> max_string_length = {};
  std::vector<std::string> forbidden_keys = {};
  std::vector<std::string> required_keys = {};
};

// Throws SerializationError where the text is not one JSON document in UTF-8, and ValidationError
// where it breaks a rule or an object names a key twice.
void CheckJson(std::string_view text, const JsonRules& rules);

// Whether the text is a JSON array with so many elements, of whatever depth.
bool IsJsonArray(std::string_view text, std::size_t size);

}  // namespace pgqrs::util

#endif  // PGQRS_UTIL_JSON_CHECK_H_
