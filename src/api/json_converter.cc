#include <pgqrs/error.h>
#include <pgqrs/json_converter.h>

#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

namespace pgqrs::internal {
namespace {

// Walks over the text of a document, which is valid JSON.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  char Peek() {
    SkipSpace();
    return text_[at_];
  }
  void Skip() { ++at_; }

  // The text of the value that begins here.
  std::string_view Value() {
    SkipSpace();
    const auto begin = at_;
    std::size_t depth = 0;
    do {
      const char c = text_[at_];
      if (c == '"') {
        SkipString();
        continue;
      }
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') {
        if (depth == 0) break;
        --depth;
        if (depth == 0) {
          ++at_;
          break;
        }
      }
      if (c == ',' && depth == 0) break;
      ++at_;
    } while (at_ < text_.size() && !(depth == 0 && text_[begin] == '"'));
    auto end = at_;
    while (end > begin && IsSpace(text_[end - 1])) --end;
    return text_.substr(begin, end - begin);
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void SkipSpace() {
    while (IsSpace(text_[at_])) ++at_;
  }
  void SkipString() {
    for (++at_; text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

template <typename T>
Json NumberToJson(T value) {
  if (!std::isfinite(value)) {
    throw SerializationError("a number that is not finite has no JSON");
  }
  constexpr std::size_t kLongest = 32;
  std::string text(kLongest, '\0');
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  text.resize(static_cast<std::size_t>(end - text.data()));
  return Json::FromTrusted(std::move(text));
}

template <typename T>
T ParseInt(const Json& json, T least, T most) {
  const auto& text = json.text();
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    ThrowNotOfType(json,
                   "an integer from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

std::string_view TypeOf(const Json& json) {
  switch (json.text().front()) {
    case '"':
      return "a string";
    case '[':
      return "an array";
    case '{':
      return "an object";
    case 't':
    case 'f':
      return "a boolean";
    case 'n':
      return "null";
    default:
      return "a number";
  }
}

}  // namespace

void ThrowNotOfType(const Json& json, std::string_view expected) {
  throw SerializationError("JSON that is " + std::string(TypeOf(json)) + " where " +
                           std::string(expected) + " is expected");
}

bool JsonToBool(const Json& json) {
  if (json.text() == "true") return true;
  if (json.text() != "false") ThrowNotOfType(json, "a boolean");
  return false;
}

std::int64_t JsonToInt(const Json& json, std::int64_t least, std::int64_t most) {
  return ParseInt(json, least, most);
}

std::uint64_t JsonToUnsigned(const Json& json, std::uint64_t most) {
  return ParseInt<std::uint64_t>(json, 0, most);
}

double JsonToDouble(const Json& json) {
  const auto& text = json.text();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    ThrowNotOfType(json, "a number in the range of double");
  }
  return value;
}

Json DoubleToJson(double value) { return NumberToJson(value); }
Json FloatToJson(float value) { return NumberToJson(value); }

std::vector<Json> JsonElements(const Json& json) {
  if (json.text().front() != '[') ThrowNotOfType(json, "an array");
  std::vector<Json> elements;
  Cursor cursor(json.text());
  cursor.Skip();
  while (cursor.Peek() != ']') {
    elements.push_back(Json::FromTrusted(std::string(cursor.Value())));
    if (cursor.Peek() == ',') cursor.Skip();
  }
  return elements;
}

std::vector<std::pair<std::string, Json>> JsonMembers(const Json& json) {
  if (json.text().front() != '{') ThrowNotOfType(json, "an object");
  std::vector<std::pair<std::string, Json>> members;
  Cursor cursor(json.text());
  cursor.Skip();
  while (cursor.Peek() != '}') {
    auto key = Json::FromTrusted(std::string(cursor.Value())).AsString();
    cursor.Peek();
    cursor.Skip();  // The colon.
    members.emplace_back(std::move(key), Json::FromTrusted(std::string(cursor.Value())));
    if (cursor.Peek() == ',') cursor.Skip();
  }
  return members;
}

Json JsonArray(const std::vector<Json>& elements) {
  std::string text = "[";
  for (const auto& element : elements) {
    if (text.size() > 1) text += ',';
    text += element.text();
  }
  return Json::FromTrusted(text + ']');
}

Json JsonObject(const std::vector<std::pair<std::string, Json>>& members) {
  std::string text = "{";
  for (const auto& [key, value] : members) {
    if (text.size() > 1) text += ',';
    text.append(Json(key).text()).append(":").append(value.text());
  }
  return Json::FromTrusted(text + '}');
}

}  // namespace pgqrs::internal
