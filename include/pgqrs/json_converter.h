// How values of C++ become JSON and back: the inputs and outputs of workflows and their steps.
//
// Built in are bool, integers, floating point numbers, std::string, std::optional, std::vector,
// std::array, std::map and std::unordered_map with std::string keys, std::pair, std::tuple,
// std::monostate (null) and Json itself. Include <pgqrs/nlohmann_json.h> for structs that
// nlohmann-json converts; for anything else specialise JsonConverter:
//
//   template <>
//   struct pgqrs::JsonConverter<Money> {
//     static Json ToJson(const Money& money) { return pgqrs::ToJson(money.cents); }
//     static Money FromJson(const Json& json) { return {pgqrs::FromJson<std::int64_t>(json)}; }
//   };
#ifndef PGQRS_JSON_CONVERTER_H_
#define PGQRS_JSON_CONVERTER_H_

#include <pgqrs/json.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace pgqrs {

// Both throw SerializationError where a value has no JSON, or the JSON is of another type.
template <typename T>
struct JsonConverter {
  // Any type for which this template is chosen; false as it stands would be so at once.
  static_assert(
      sizeof(T) == 0,
      "There is no JSON for this type: include <pgqrs/nlohmann_json.h> where nlohmann-json "
      "converts it, or specialise pgqrs::JsonConverter. Text is std::string, not char*");
};

template <typename T>
Json ToJson(const T& value) {
  return JsonConverter<T>::ToJson(value);
}

template <typename T>
T FromJson(const Json& json) {
  return JsonConverter<T>::FromJson(json);
}

namespace internal {

[[noreturn]] void ThrowNotOfType(const Json& json, std::string_view expected);
bool JsonToBool(const Json& json);
std::int64_t JsonToInt(const Json& json, std::int64_t least, std::int64_t most);
std::uint64_t JsonToUnsigned(const Json& json, std::uint64_t most);
double JsonToDouble(const Json& json);
// The shortest text that reads back as the same number; SerializationError for NaN and infinities.
Json DoubleToJson(double value);
Json FloatToJson(float value);
std::vector<Json> JsonElements(const Json& json);
std::vector<std::pair<std::string, Json>> JsonMembers(const Json& json);
Json JsonArray(const std::vector<Json>& elements);
Json JsonObject(const std::vector<std::pair<std::string, Json>>& members);

template <typename T>
Json RangeToJson(const T& range) {
  std::vector<Json> elements;
  elements.reserve(range.size());
  for (const auto& element : range) {
    elements.push_back(ToJson<typename T::value_type>(element));
  }
  return JsonArray(elements);
}

template <typename T>
struct MapConverter {
  static Json ToJson(const T& map) {
    std::vector<std::pair<std::string, Json>> members;
    members.reserve(map.size());
    for (const auto& [key, value] : map) members.emplace_back(key, pgqrs::ToJson(value));
    return JsonObject(members);
  }
  static T FromJson(const Json& json) {
    T map;
    for (const auto& [key, value] : JsonMembers(json)) {
      map.emplace(key, pgqrs::FromJson<typename T::mapped_type>(value));
    }
    return map;
  }
};

template <typename T>
struct TupleConverter {
  static Json ToJson(const T& tuple) {
    return std::apply([](const auto&... element) { return JsonArray({pgqrs::ToJson(element)...}); },
                      tuple);
  }
  static T FromJson(const Json& json) {
    const auto elements = JsonElements(json);
    constexpr std::size_t kSize = std::tuple_size_v<T>;
    if (elements.size() != kSize) {
      ThrowNotOfType(json, "an array of " + std::to_string(kSize));
    }
    return [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
      return T{pgqrs::FromJson<std::tuple_element_t<kIndex, T>>(elements[kIndex])...};
    }
    (std::make_index_sequence<kSize>());
  }
};

}  // namespace internal

template <>
struct JsonConverter<Json> {
  static Json ToJson(const Json& json) { return json; }
  static Json FromJson(const Json& json) { return json; }
};

template <>
struct JsonConverter<std::monostate> {
  static Json ToJson(const std::monostate& /*nothing*/) { return {}; }
  static std::monostate FromJson(const Json& json) {
    if (json.text() != "null") internal::ThrowNotOfType(json, "null");
    return {};
  }
};

template <>
struct JsonConverter<bool> {
  static Json ToJson(bool value) { return Json::FromTrusted(value ? "true" : "false"); }
  static bool FromJson(const Json& json) { return internal::JsonToBool(json); }
};

template <std::integral T>
struct JsonConverter<T> {
  static Json ToJson(T value) { return Json::FromTrusted(std::to_string(value)); }
  static T FromJson(const Json& json) {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::signed_integral<T>) {
      return static_cast<T>(internal::JsonToInt(json, Limits::min(), Limits::max()));
    } else {
      return static_cast<T>(internal::JsonToUnsigned(json, Limits::max()));
    }
  }
};

template <>
struct JsonConverter<double> {
  static Json ToJson(double value) { return internal::DoubleToJson(value); }
  static double FromJson(const Json& json) { return internal::JsonToDouble(json); }
};

template <>
struct JsonConverter<float> {
  static Json ToJson(float value) { return internal::FloatToJson(value); }
  static float FromJson(const Json& json) {
    return static_cast<float>(internal::JsonToDouble(json));
  }
};

template <>
struct JsonConverter<std::string> {
  static Json ToJson(const std::string& value) { return {value}; }
  static std::string FromJson(const Json& json) {
    if (!json.IsString()) internal::ThrowNotOfType(json, "a string");
    return json.AsString();
  }
};

template <typename T>
struct JsonConverter<std::optional<T>> {
  static Json ToJson(const std::optional<T>& value) {
    return value ? pgqrs::ToJson(*value) : Json();
  }
  static std::optional<T> FromJson(const Json& json) {
    if (json.text() == "null") return std::nullopt;
    return pgqrs::FromJson<T>(json);
  }
};

template <typename T>
struct JsonConverter<std::vector<T>> {
  static Json ToJson(const std::vector<T>& values) { return internal::RangeToJson(values); }
  static std::vector<T> FromJson(const Json& json) {
    std::vector<T> values;
    for (const auto& element : internal::JsonElements(json)) {
      values.push_back(pgqrs::FromJson<T>(element));
    }
    return values;
  }
};

template <typename T, std::size_t kSize>
struct JsonConverter<std::array<T, kSize>> : internal::TupleConverter<std::array<T, kSize>> {};

template <typename T>
struct JsonConverter<std::map<std::string, T>> : internal::MapConverter<std::map<std::string, T>> {
};

template <typename T>
struct JsonConverter<std::unordered_map<std::string, T>>
    : internal::MapConverter<std::unordered_map<std::string, T>> {};

template <typename First, typename Second>
struct JsonConverter<std::pair<First, Second>>
    : internal::TupleConverter<std::pair<First, Second>> {};

template <typename... T>
struct JsonConverter<std::tuple<T...>> : internal::TupleConverter<std::tuple<T...>> {};

}  // namespace pgqrs

#endif  // PGQRS_JSON_CONVERTER_H_
