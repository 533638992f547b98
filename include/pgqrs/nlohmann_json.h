// Lets workflows take and give whatever nlohmann-json converts: its own documents, and structs with
// `to_json` and `from_json` (NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE makes both). Needs nlohmann-json;
// <pgqrs/pgqrs.h> does not include this header.
#ifndef PGQRS_NLOHMANN_JSON_H_
#define PGQRS_NLOHMANN_JSON_H_

#include <pgqrs/error.h>
#include <pgqrs/json_converter.h>

#include <nlohmann/json.hpp>

namespace pgqrs {
namespace internal {

template <typename T>
concept NlohmannStruct = std::is_class_v<T> &&
    (std::same_as<T, nlohmann::json> || std::same_as<T, nlohmann::ordered_json> ||
     requires(nlohmann::json & json, const T& value) { to_json(json, value); });

}  // namespace internal

template <internal::NlohmannStruct T>
struct JsonConverter<T> {
  static Json ToJson(const T& value) {
    try {
      return Json::Parse(nlohmann::json(value).dump());
    } catch (const nlohmann::json::exception& error) {
      throw SerializationError(error.what());
    }
  }
  static T FromJson(const Json& json) {
    try {
      return nlohmann::json::parse(json.text()).template get<T>();
    } catch (const nlohmann::json::exception& error) {
      throw SerializationError(error.what());
    }
  }
};

}  // namespace pgqrs

#endif  // PGQRS_NLOHMANN_JSON_H_
