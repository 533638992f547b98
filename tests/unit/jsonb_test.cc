#include "driver/postgres/jsonb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/error.h>

#include <string>
#include <vector>

#include "support/names.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

using driver::CheckJsonb;

// Empty where it is taken.
std::string Refusal(const std::string& json) {
  const auto text = MessageOf<SerializationError>([&] { CheckJsonb(json); });
  return text == "(no error)" ? "" : text;
}

const std::string kLongest(131'072, '9');         // Digits before the point.
const std::string kLongestFraction(16'383, '1');  // And behind it.

TEST(Jsonb, OrdinaryDocumentsAreTaken) {
  for (const std::string json :
       {"null", "true", "false", "0", "-0.0", "12.50", R"("")", R"("1e1000000")", R"("\\u0000")",
        "[]", R"({"e":[1e400,"\"1e1000000"]})", "[1E+5,-1e-5,0e0]"}) {
    EXPECT_EQ(Refusal(json), "") << json;
  }
}

TEST(Jsonb, TheCharacterZeroIsRefusedInKeysAndValues) {
  for (const std::string json :
       {R"("\u0000")", R"("a\\\u0000")", R"({"\u0000":1})", R"([1,{"a":["\"\u0000"]}])"}) {
    EXPECT_THAT(Refusal(json), AllOf(StartsWith("payload"), HasSubstr("U+0000"))) << json;
  }
}

TEST(Jsonb, TheLongestNumbersAreTaken) {
  const std::string longest_of_both = std::string(kLongest).append(".").append(kLongestFraction);
  for (const auto& json : std::vector<std::string>{
           kLongest, "-" + kLongest, "1e131071", "9.99E+131071", "0.001e131074",
           "0." + kLongestFraction, longest_of_both, "1e-16383", "1.25e-16381", "0e1000000000",
           "1e0000000000000000000000002"}) {
    EXPECT_EQ(Refusal(json), "") << json.substr(0, 30);
  }
}

TEST(Jsonb, LongerNumbersAreRefused) {
  for (const auto& json :
       std::vector<std::string>{"1" + kLongest, "1e131072", "[0.1E131073]", "-12e131071"}) {
    EXPECT_THAT(Refusal(json), HasSubstr("before the point")) << json.substr(0, 30);
  }
  for (const auto& json : std::vector<std::string>{"0." + kLongestFraction + "0", "1e-16384",
                                                   "0e-16384", "{\"a\":1.25e-16382}"}) {
    EXPECT_THAT(Refusal(json), HasSubstr("behind the point")) << json.substr(0, 30);
  }
  for (const std::string json : {"0e1073741823", "1e-1073741823", "1e99999999999999999999"}) {
    EXPECT_THAT(Refusal(json), HasSubstr("exponent")) << json;
  }
}

TEST(Jsonb, NumbersThatGrowTogetherAreRefused) {
  std::string json = "[1e131071";
  for (int i = 0; i < 7; ++i) json += ",1e131071";
  EXPECT_EQ(Refusal(json + "]"), "");
  EXPECT_THAT(Refusal(json + ",1e1000]"), HasSubstr("1 MiB"));
}

TEST(Jsonb, AnErrorShowsNothingOfThePayload) {
  EXPECT_THAT(Refusal(R"(["s3cret\u0000",1])"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(Refusal(R"(["s3cret",1234e131072])"), Not(HasSubstr("1234")));
}

}  // namespace
}  // namespace pgqrs::testing
