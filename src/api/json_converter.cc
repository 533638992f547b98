#include <pgqrs/error.h>
#include <pgqrs/json_converter.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "queue/payload_array.h"

namespace pgqrs::internal {
namespace {

// The texts between the outermost commas of an array or object.
std::vector<std::string_view> PartsOf(const Json& json) {
  std::vector<std::string_view> parts;
  queue::SplitPayloads(json.text(), parts);
  if (parts.size() == 1 && parts.front().empty()) parts.clear();
  return parts;
}

Json AsJson(std::string_view text) { return Json::FromTrusted(std::string(text)); }

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
  const auto parts = PartsOf(json);
  std::vector<Json> elements(parts.size());
  std::transform(parts.begin(), parts.end(), elements.begin(), AsJson);
  return elements;
}

std::vector<std::pair<std::string, Json>> JsonMembers(const Json& json) {
  if (json.text().front() != '{') ThrowNotOfType(json, "an object");
  std::vector<std::pair<std::string, Json>> members;
  for (const auto part : PartsOf(json)) {
    const auto end_of_key = queue::EndOfString(part, 0);
    const auto value = part.find_first_not_of(" \t\r\n", part.find(':', end_of_key) + 1);
    members.emplace_back(AsJson(part.substr(0, end_of_key)).AsString(), AsJson(part.substr(value)));
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
