// A JSON document, kept as the text that it came in.
#ifndef PGQRS_JSON_H_
#define PGQRS_JSON_H_

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace pgqrs {

// What a message carries. A Json is a value: copy it, move it, read it from any thread.
//
// pgqrs does not bring a document model of its own; to build or read structured payloads use the
// JSON library that your program has already:
//
//   queue.Enqueue(Json::Parse(nlohmann_document.dump()));
//   auto document = nlohmann::json::parse(message->payload().text());
//
// Plain strings convert by themselves, so `queue.Enqueue("payload")` stores the JSON string
// "payload".
class Json {
 public:
  // The document `null`.
  Json() : text_("null") {}

  // A JSON string with this content, which must be UTF-8 (else SerializationError).
  Json(std::string_view content);  // NOLINT(google-explicit-constructor)
  template <std::convertible_to<std::string_view> T>
  Json(const T& content)  // NOLINT(google-explicit-constructor)
      : Json(std::string_view(content)) {}

  // Takes one whole JSON document (RFC 8259). It is kept as written, numbers of any size and
  // precision too, but for white space around it. (Postgres gives a message's payload back as an
  // equal document, not as the same text: see docs/limits.md.) Throws SerializationError, which
  // names the position, where the text is no JSON or no UTF-8, and ValidationError where an object
  // names a key twice or nesting is deeper than kMaxDepth.
  static Json Parse(std::string text);

  // The document as text; never empty.
  const std::string& text() const { return text_; }

  // True where the document is a string.
  bool IsString() const { return text_.front() == '"'; }

  // The content of a string document, without quotes and escapes. ValidationError on anything else.
  std::string AsString() const;

  // The same text. Two texts of one value (say, with other spacing) are not equal in this sense.
  friend bool operator==(const Json& a, const Json& b) { return a.text_ == b.text_; }

  // Wraps text that is known to be one valid document, without a look at it. For texts that come
  // out of the database.
  static Json FromTrusted(std::string text) { return Json(Trusted{}, std::move(text)); }

  // The deepest nesting that is taken. A batch keeps its payloads in one array, and SQLite reads
  // 1,000 levels.
  static constexpr int kMaxDepth = 999;

 private:
  struct Trusted {};
  Json(Trusted, std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace pgqrs

#endif  // PGQRS_JSON_H_
