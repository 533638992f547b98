#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/error.h>
#include <pgqrs/json_converter.h>
#include <pgqrs/nlohmann_json.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "support/throws.h"

struct Money {
  std::int64_t cents = 0;
};

template <>
struct pgqrs::JsonConverter<Money> {
  static Json ToJson(const Money& money) { return pgqrs::ToJson(money.cents); }
  static Money FromJson(const Json& json) { return {pgqrs::FromJson<std::int64_t>(json)}; }
};

namespace shop {

struct Order {
  std::string name;
  std::vector<int> amounts;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Order, name, amounts)

}  // namespace shop

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
void ExpectText(const T& value, const std::string& text) {
  EXPECT_EQ(ToJson(value).text(), text);
  EXPECT_EQ(FromJson<T>(Json::Parse(text)), value) << text;
}

template <typename T>
std::string WhyNot(const std::string& text) {
  return MessageOf<SerializationError>([&] { FromJson<T>(Json::Parse(text)); });
}

TEST(JsonConverter, SimpleValuesKeepTheirTypes) {
  ExpectText(true, "true");
  ExpectText(false, "false");
  ExpectText(0, "0");
  ExpectText(-7, "-7");
  ExpectText(std::string("quote \" and \\ and \n"), R"("quote \" and \\ and \n")");
  ExpectText(std::string(), R"("")");
  ExpectText(std::string("ü🦜"), "\"ü🦜\"");
  ExpectText(std::monostate(), "null");
  ExpectText(Json::Parse("[1, 2]"), "[1, 2]");
}

TEST(JsonConverter, IntegersReachTheirLimitsAndNoFurther) {
  ExpectText(std::numeric_limits<std::int64_t>::min(), "-9223372036854775808");
  ExpectText(std::numeric_limits<std::int64_t>::max(), "9223372036854775807");
  ExpectText(std::numeric_limits<std::uint64_t>::max(), "18446744073709551615");
  ExpectText(std::int8_t{-128}, "-128");
  EXPECT_THAT(WhyNot<std::int8_t>("128"), HasSubstr("-128 to 127"));
  EXPECT_THAT(WhyNot<std::uint8_t>("-1"), HasSubstr("0 to 255"));
  EXPECT_THAT(WhyNot<std::int64_t>("9223372036854775808"), HasSubstr("an integer"));
  EXPECT_THAT(WhyNot<int>("1.5"), HasSubstr("an integer"));
  EXPECT_THAT(WhyNot<int>("1e3"), HasSubstr("an integer"));
}

TEST(JsonConverter, FloatingPointNumbersComeBackAsTheSame) {
  for (const double value : {0.0, 0.1, -1.5e-300, 1e308, 5e-324, 123456789.123456789}) {
    EXPECT_EQ(FromJson<double>(ToJson(value)), value);
    EXPECT_NO_THROW(Json::Parse(ToJson(value).text()));
  }
  EXPECT_EQ(FromJson<float>(ToJson(0.1F)), 0.1F);
  EXPECT_EQ(ToJson(0.1F).text(), "0.1");
  EXPECT_EQ(FromJson<double>(Json::Parse("3")), 3.0);
  EXPECT_TRUE(std::signbit(FromJson<double>(ToJson(-0.0))));
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(ToJson(value), SerializationError);
  }
  EXPECT_THAT(WhyNot<double>("1e999"), HasSubstr("range of double"));
}

TEST(JsonConverter, ContainersHoldWhatTheyHold) {
  ExpectText(std::vector<int>{}, "[]");
  ExpectText(std::vector<int>{1, 2, 3}, "[1,2,3]");
  ExpectText(std::vector<std::vector<std::string>>{{}, {"a,]", "\"}"}}, R"([[],["a,]","\"}"]])");
  ExpectText(std::array<bool, 2>{true, false}, "[true,false]");
  ExpectText(std::map<std::string, int>{}, "{}");
  ExpectText(std::map<std::string, int>{{"a", 1}, {"b\"{", 2}}, R"({"a":1,"b\"{":2})");
  ExpectText(std::unordered_map<std::string, double>{{"x", 0.5}}, R"({"x":0.5})");
  ExpectText(std::pair<int, std::string>{1, "x"}, R"([1,"x"])");
  ExpectText(std::tuple<int, bool, std::optional<int>>{1, true, std::nullopt}, "[1,true,null]");
  ExpectText(std::optional<int>(), "null");
  ExpectText(std::optional<int>(4), "4");
  ExpectText(std::vector<std::optional<std::map<std::string, std::vector<int>>>>{std::nullopt,
                                                                                 {{{"k", {1}}}}},
             R"([null,{"k":[1]}])");
}

TEST(JsonConverter, WhiteSpaceIsNothing) {
  EXPECT_THAT(FromJson<std::vector<int>>(Json::Parse(" [ 1 ,\n2\t, 3 ] ")), ElementsAre(1, 2, 3));
  EXPECT_THAT(FromJson<std::vector<int>>(Json::Parse("[ ]")), ElementsAre());
  using Map = std::map<std::string, std::vector<int>>;
  EXPECT_EQ(FromJson<Map>(Json::Parse(R"({ "a" : [ 1 ] , "b" : [ ] })")),
            (Map{{"a", {1}}, {"b", {}}}));
}

TEST(JsonConverter, AnotherTypeIsNamed) {
  EXPECT_THAT(WhyNot<std::string>("1"), HasSubstr("a number where a string is expected"));
  EXPECT_THAT(WhyNot<bool>("0"), HasSubstr("a boolean is expected"));
  EXPECT_THAT(WhyNot<int>("\"1\""), HasSubstr("a string where an integer"));
  EXPECT_THAT(WhyNot<std::vector<int>>("{}"), HasSubstr("an object where an array"));
  EXPECT_THAT(WhyNot<std::vector<int>>("[1,true]"), HasSubstr("a boolean where an integer"));
  EXPECT_THAT((WhyNot<std::map<std::string, int>>("[]")), HasSubstr("an array where an object"));
  EXPECT_THAT((WhyNot<std::pair<int, int>>("[1]")), HasSubstr("an array of 2"));
  EXPECT_THAT((WhyNot<std::pair<int, int>>("[1,2,3]")), HasSubstr("an array of 2"));
  EXPECT_THAT(WhyNot<std::monostate>("0"), HasSubstr("null is expected"));
  EXPECT_THROW(ToJson(std::string("\xff")), SerializationError);
  EXPECT_THROW((ToJson(std::map<std::string, int>{{"\xff", 1}})), SerializationError);
}

TEST(JsonConverter, AProgramMayAddItsTypes) {
  EXPECT_EQ(ToJson(std::vector<Money>{{5}, {6}}).text(), "[5,6]");
  EXPECT_EQ(FromJson<std::optional<Money>>(Json::Parse("7")).value().cents, 7);
}

TEST(JsonConverter, StructsOfNlohmannJsonAreKnown) {
  const auto json = ToJson(shop::Order{.name = "tea", .amounts = {1, 2}});
  EXPECT_EQ(json.text(), R"({"amounts":[1,2],"name":"tea"})");
  const auto orders = FromJson<std::vector<shop::Order>>(internal::JsonArray({json, json}));
  ASSERT_EQ(orders.size(), 2U);
  EXPECT_EQ(orders[1].name, "tea");
  EXPECT_THAT(orders[1].amounts, ElementsAre(1, 2));
  EXPECT_THROW(FromJson<shop::Order>(Json::Parse("{}")), SerializationError);
  EXPECT_THROW(ToJson(shop::Order{.name = "\xff", .amounts = {}}), SerializationError);
  const auto document = FromJson<nlohmann::json>(Json::Parse(R"({"a":[1]})"));
  EXPECT_EQ(document["a"][0], 1);
}

}  // namespace
}  // namespace pgqrs::testing
