// JSON texts compared by their value: white space, escapes, the order of an object's keys and how a
// number is written do not count. Numbers are exact whatever their size; -0 is 0.
#ifndef PGQRS_TESTS_SUPPORT_JSON_VALUE_H_
#define PGQRS_TESTS_SUPPORT_JSON_VALUE_H_

#include <gmock/gmock.h>
#include <pgqrs/json.h>

#include <concepts>
#include <string>
#include <string_view>
#include <tuple>

namespace pgqrs::testing {

// The same text for all texts of one value. Throws std::runtime_error where it is no JSON.
std::string CanonicalJson(std::string_view text);

// A template, since a string is also a Json.
template <std::same_as<Json> T>
std::string CanonicalJson(const T& json) {
  return CanonicalJson(json.text());
}

// A text or Json of the same value as another: EXPECT_THAT(message->payload(), IsJson("[1]")).
MATCHER_P(IsJson, expected, "is the JSON value " + CanonicalJson(expected)) {
  const auto value = CanonicalJson(arg);
  *result_listener << "which is " << value;
  return value == CanonicalJson(expected);
}

// The same of two, for ::testing::Pointwise.
MATCHER(SameJson, "are the same JSON value") {
  return CanonicalJson(std::get<0>(arg)) == CanonicalJson(std::get<1>(arg));
}

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_JSON_VALUE_H_
