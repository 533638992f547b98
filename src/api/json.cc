#include <pgqrs/error.h>
#include <pgqrs/json.h>

#include <utility>

#include "util/json_check.h"
#include "util/json_text.h"

namespace pgqrs {

Json::Json(std::string_view content) {
  auto quoted = util::QuoteJson(content);
  if (!quoted) throw SerializationError("payload: the string is not UTF-8");
  text_ = std::move(*quoted);
}

Json Json::Parse(std::string text) {
  util::CheckJson(text, {.max_depth = kMaxDepth});
  // What is around the document is not a part of it, and would not come back.
  constexpr std::string_view kWhiteSpace = " \t\r\n";
  text.erase(text.find_last_not_of(kWhiteSpace) + 1);
  text.erase(0, text.find_first_not_of(kWhiteSpace));
  return Json(Trusted{}, std::move(text));
}

std::string Json::AsString() const {
  auto text = util::UnquoteJson(text_);
  if (!text) throw ValidationError("Json::AsString: the document is not a string");
  return std::move(*text);
}

}  // namespace pgqrs
