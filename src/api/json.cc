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
  return Json(Trusted{}, std::move(text));
}

std::string Json::AsString() const {
  auto text = util::UnquoteJson(text_);
  if (!text) throw ValidationError("Json::AsString: the document is not a string");
  return std::move(*text);
}

}  // namespace pgqrs
