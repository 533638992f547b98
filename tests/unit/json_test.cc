#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/error.h>
#include <pgqrs/json.h>

#include <string>
#include <string_view>

#include "support/throws.h"
#include "util/json_check.h"
#include "util/json_text.h"

namespace pgqrs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

// What Json::Parse says against a text.
std::string WhyNotJson(std::string text) {
  return MessageOf<SerializationError>([&] { Json::Parse(std::move(text)); });
}

std::string BrokenRule(std::string_view text, const util::JsonRules& rules) {
  return MessageOf<ValidationError>([&] { util::CheckJson(text, rules); });
}

TEST(Json, LeavesOutWhiteSpaceAroundTheDocument) {
  EXPECT_EQ(Json::Parse("\t\r\n [ 1 ] \n").text(), "[ 1 ]");
  EXPECT_EQ(Json::Parse(" 0").text(), "0");
  EXPECT_EQ(Json::Parse("\" \" ").text(), "\" \"");
}

class ValidJson : public ::testing::TestWithParam<const char*> {};

TEST_P(ValidJson, IsKeptAsWritten) { EXPECT_EQ(Json::Parse(GetParam()).text(), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Texts, ValidJson,
    ::testing::Values("null", "true", "false", "0", "-0", "-0.0", "1E+2", "1e-7", "0.5e00",
                      "9223372036854775808", "18446744073709551616", "1e400", "-1e-400",
                      "123456789012345678901234567890.123456789012345678901234567890", R"("")",
                      R"("\u0000")", R"("\ud83d\ude00")", R"("\"\\\/\b\f\n\r\t")",
                      "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\x7f\"", "[]", "{}", "[ 1 ]",
                      "{ \"a\" :\t\r\nnull }", R"({"":0})", R"({"a":1,"A":1})",
                      R"([{"a":1},{"a":1}])"));

class InvalidJson : public ::testing::TestWithParam<std::string_view> {};

TEST_P(InvalidJson, IsRefusedWithThePosition) {
  EXPECT_THAT(WhyNotJson(std::string(GetParam())), HasSubstr("at byte"));
}

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace)

INSTANTIATE_TEST_SUITE_P(Texts, InvalidJson,
                         ::testing::Values(""sv, " "sv, "nul"sv, "NULL"sv, "NaN"sv, "Infinity"sv,
                                           "-Infinity"sv, "-"sv, "01"sv, "+1"sv, ".5"sv, "1."sv,
                                           "1e"sv, "0x1"sv, "1 2"sv, "[1,]"sv, "[,1]"sv, "[1"sv,
                                           "[1}"sv, "{\"a\"}"sv, "{\"a\":}"sv, "{\"a\":1,}"sv,
                                           "{a:1}"sv, "{1:1}"sv, "'a'"sv, "\"a"sv, "\"\\x\""sv,
                                           "\"\\u12\""sv, "\"\n\""sv, "\"\t\""sv, "\"\0\""sv,
                                           "1\0"sv, "/**/1"sv,
                                           "\xef\xbb\xbf"
                                           "1"sv));

// Broken UTF-8: a lone continuation, an overlong form, a surrogate, beyond U+10FFFF, a cut one.
INSTANTIATE_TEST_SUITE_P(BrokenUtf8, InvalidJson,
                         ::testing::Values("\"\x80\""sv, "\"\xc0\x80\""sv, "\"\xed\xa0\x80\""sv,
                                           "\"\xf4\x90\x80\x80\""sv, "\"\xe2\x82\""sv,
                                           "\"\xff\""sv));

// Half of a surrogate pair names no character.
INSTANTIATE_TEST_SUITE_P(LoneSurrogates, InvalidJson,
                         ::testing::Values(R"("\ud800")"sv, R"("\udc00")"sv,
                                           R"("\ud800\u0041")"sv));

TEST(Json, IsNullByDefault) { EXPECT_EQ(Json().text(), "null"); }

TEST(Json, StringsAreQuotedAndComeBackEqual) {
  using std::string_literals::operator""s;
  for (const auto& content :
       {""s, "plain"s, "\"\\/\b\f\n\r\t"s, "\0\x01\x1f\x7f"s, "\xc3\xa4\xf0\x9f\x98\x80"s}) {
    const Json json(content);
    EXPECT_TRUE(json.IsString());
    EXPECT_EQ(json.AsString(), content);
    EXPECT_NO_THROW(Json::Parse(json.text())) << json.text();
  }
}

TEST(Json, AnEmptyViewIsTheEmptyString) { EXPECT_EQ(Json(std::string_view()).text(), "\"\""); }

TEST(Json, AStringThatIsNotUtf8IsRefused) {
  EXPECT_THAT(MessageOf<SerializationError>([] { Json(std::string("\xff")); }), HasSubstr("UTF-8"));
}

TEST(Json, AsStringUndoesEscapes) {
  EXPECT_EQ(Json::Parse(R"("\u00e4\ud83d\ude00\/")").AsString(), "\xc3\xa4\xf0\x9f\x98\x80/");
}

TEST(Json, AsStringRefusesOtherDocuments) {
  for (const auto* text : {"1", "1e400", "null", "[\"a\"]", "{}"}) {
    EXPECT_THAT(
        MessageOf<ValidationError>([&] { static_cast<void>(Json::Parse(text).AsString()); }),
        HasSubstr("not a string"));
  }
}

TEST(Json, EqualityIsThatOfTheTexts) {
  EXPECT_EQ(Json::Parse("[1]"), Json::Parse("[1]"));
  EXPECT_NE(Json::Parse("[1]"), Json::Parse("[ 1 ]"));
}

TEST(Json, NestingIsBounded) {
  EXPECT_NO_THROW(Json::Parse(Nested(Json::kMaxDepth)));
  EXPECT_THAT(MessageOf<ValidationError>([] { Json::Parse(Nested(Json::kMaxDepth + 1)); }),
              HasSubstr("nested deeper than 999"));
  // Far beyond what a stack would bear.
  EXPECT_THROW(Json::Parse(Nested(1'000'000)), ValidationError);
  EXPECT_THAT(WhyNotJson(std::string(1'000'000, '[')), HasSubstr("not JSON"));
}

TEST(Json, AKeyMayBeThereOnceInAnObject) {
  for (const auto* text :
       {R"({"a":1,"a":1})", R"({"a":1,"\u0061":2})", R"({"x":[{"a":1,"b":2,"a":3}]})",
        R"({"\u0000":1,"\u0000":1})", R"({"":1,"":1})",
        R"({"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"10":0,"\u0031":0})"}) {
    EXPECT_THAT(MessageOf<ValidationError>([&] { Json::Parse(text); }), HasSubstr("twice")) << text;
  }
}

TEST(Json, KeysThatOnlyLookAlikeAreDifferent) {
  EXPECT_NO_THROW(Json::Parse("{\"\xc3\xa4\":1,\"a\xcc\x88\":2}"));  // Composed and decomposed.
  EXPECT_NO_THROW(Json::Parse(R"({"a":1,"a\u0000":2,"\u0000a":3})"));
}

TEST(Json, ManyKeysAreCheckedToo) {
  std::string text = "{";
  for (int i = 0; i < 20'000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_NO_THROW(Json::Parse(text + "\"last\":0}"));
  EXPECT_THROW(Json::Parse(text + "\"k77\":0}"), ValidationError);
}

TEST(JsonErrors, ShowTheBeginningOfALongKeyInWholeCharacters) {
  const std::string key = std::string(63, 'k') + "\xf0\x9f\x98\x80 and more";
  const auto why =
      MessageOf<ValidationError>([&] { Json::Parse("{\"" + key + "\":1,\"" + key + "\":2}"); });
  EXPECT_THAT(why, HasSubstr(std::string(63, 'k')));
  EXPECT_THAT(why, Not(HasSubstr("and more")));
  EXPECT_TRUE(util::QuoteJson(why).has_value()) << "the error is no UTF-8";
}

TEST(JsonErrors, HoldNothingOfTheValues) {
  EXPECT_THAT(WhyNotJson(R"({"password":"secret)"), Not(HasSubstr("secret")));
  EXPECT_THAT(BrokenRule(R"(["secret"])", {.max_depth = 1, .max_string_length = 1}),
              Not(HasSubstr("secret")));
}

TEST(JsonRules, DepthCountsArraysAndObjects) {
  EXPECT_NO_THROW(util::CheckJson("1", {.max_depth = 0}));
  EXPECT_THAT(BrokenRule("[]", {.max_depth = 0}), HasSubstr("nested deeper than 0"));
  EXPECT_NO_THROW(util::CheckJson(R"({"a":1,"b":"c"})", {.max_depth = 1}));
  EXPECT_THAT(BrokenRule(R"({"a":[]})", {.max_depth = 1}), HasSubstr("nested deeper than 1"));
}

TEST(JsonRules, StringsAndKeysAreMeasuredInBytesWithoutEscapes) {
  const util::JsonRules rules = {.max_depth = 5, .max_string_length = 4};
  EXPECT_NO_THROW(util::CheckJson("[\"\xf0\x9f\x98\x80\",\"\\u0061bcd\"]", rules));
  EXPECT_THAT(BrokenRule(R"(["abcde"])", rules), HasSubstr("max_string_length"));
  EXPECT_THAT(BrokenRule(R"({"abcde":1})", rules), HasSubstr("max_string_length"));
  EXPECT_THAT(BrokenRule(R"("abcde")", rules), HasSubstr("max_string_length"));
}

TEST(JsonRules, ForbiddenKeysAreRefusedAtAnyDepth) {
  const util::JsonRules rules = {.max_depth = 5, .forbidden_keys = {"secret"}};
  EXPECT_NO_THROW(util::CheckJson(R"({"Secret":1,"a":"secret"})", rules));
  EXPECT_THAT(BrokenRule(R"({"secret":1})", rules), HasSubstr("\"secret\" is not allowed"));
  EXPECT_THAT(BrokenRule(R"([{"a":{"\u0073ecret":1}}])", rules), HasSubstr("not allowed"));
}

TEST(JsonRules, RequiredKeysAreAskedOfTheOutermostObjectOnly) {
  const util::JsonRules rules = {.max_depth = 5, .required_keys = {"id"}};
  EXPECT_NO_THROW(util::CheckJson(R"({"\u0069d":null})", rules));
  EXPECT_NO_THROW(util::CheckJson(R"([{}])", rules));
  EXPECT_NO_THROW(util::CheckJson("5", rules));
  EXPECT_THAT(BrokenRule(R"({"a":{"id":1}})", rules), HasSubstr("\"id\" is missing"));
}

}  // namespace
}  // namespace pgqrs::testing
