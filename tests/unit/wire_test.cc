#include "driver/postgres/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "support/names.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

namespace wire = driver::wire;
using wire::Type;
using namespace std::string_literals;  // NOLINT(google-build-using-namespace): only of literals.

constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kYear2000 = 946'684'800'000'000;
constexpr std::int64_t kFirstTime =
    -210'866'803'200'000'000;  // 4714-11-24 BC, as the server has it.

std::string Int8(std::int64_t value) {
  std::string out;
  wire::AppendInt8(out, value);
  return out;
}

std::string Timestamptz(std::int64_t micros) {
  std::string out;
  wire::AppendTimestamptz(out, micros);
  return out;
}

const std::string kInfinity = "\x7f\xff\xff\xff\xff\xff\xff\xff"s;
const std::string kMinusInfinity = "\x80\0\0\0\0\0\0\0"s;

TEST(Wire, Int8IsBigEndianOfTwosComplement) {
  EXPECT_EQ(Int8(0), "\0\0\0\0\0\0\0\0"s);
  EXPECT_EQ(Int8(1), "\0\0\0\0\0\0\0\x01"s);
  EXPECT_EQ(Int8(-1), "\xff\xff\xff\xff\xff\xff\xff\xff"s);
  EXPECT_EQ(Int8(0x0102030405060708), "\x01\x02\x03\x04\x05\x06\x07\x08"s);
  EXPECT_EQ(Int8(kMax), kInfinity);
  EXPECT_EQ(Int8(kMin), kMinusInfinity);
}

TEST(Wire, ValuesAreAppendedToWhatIsThere) {
  std::string out = "x";
  wire::AppendInt8(out, 1);
  wire::AppendTimestamptz(out, kYear2000);
  wire::AppendJsonb(out, "[]");
  EXPECT_EQ(out, "x\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x01[]"s);
}

TEST(Wire, AnIntegerOfEachSizeIsRead) {
  EXPECT_EQ(wire::ReadInt(Type::kBool, "\x01"), 1);
  EXPECT_EQ(wire::ReadInt(Type::kBool, "\0"s), 0);
  EXPECT_EQ(wire::ReadInt(Type::kInt2, "\x7f\xff"), 32767);
  EXPECT_EQ(wire::ReadInt(Type::kInt2, "\xff\xfe"), -2);
  EXPECT_EQ(wire::ReadInt(Type::kInt4, "\x80\0\0\0"s), -2147483648LL);
  EXPECT_EQ(wire::ReadInt(Type::kInt4, "\0\x01\0\0"s), 65536);
  for (const auto value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 53, kMax, kMin}) {
    EXPECT_EQ(wire::ReadInt(Type::kInt8, Int8(value)), value);
  }
}

TEST(Wire, ATimeIsAnIntegerToo) {
  EXPECT_EQ(wire::ReadInt(Type::kTimestamptz, Timestamptz(1'700'000'000'000'001)),
            1'700'000'000'000'001);
}

TEST(Wire, ATimeCountsMicrosecondsSinceTheYear2000) {
  EXPECT_EQ(Timestamptz(kYear2000), Int8(0));
  EXPECT_EQ(Timestamptz(kYear2000 + 1), Int8(1));
  EXPECT_EQ(Timestamptz(0), Int8(-kYear2000));
  EXPECT_EQ(wire::ReadTimestamptz(Int8(0)), kYear2000);
  EXPECT_EQ(wire::ReadTimestamptz(Int8(-kYear2000)), 0);
}

TEST(Wire, TheFirstAndTheLastTimeOfTheServerAreKept) {
  for (const auto time : {kFirstTime, kMax}) {
    EXPECT_EQ(Timestamptz(time), Int8(time - kYear2000));
    EXPECT_EQ(wire::ReadTimestamptz(Timestamptz(time)), time);
  }
}

TEST(Wire, TimesBeforeThoseOfTheServerBecomeMinusInfinity) {
  for (const auto time : {kFirstTime - 1, kMin, kMin + 1}) {
    EXPECT_EQ(Timestamptz(time), kMinusInfinity) << time;
  }
}

TEST(Wire, TheInfinitiesAreTheEndsOfTheRange) {
  EXPECT_EQ(wire::ReadTimestamptz(kInfinity), kMax);
  EXPECT_EQ(wire::ReadTimestamptz(kMinusInfinity), kMin);
}

TEST(Wire, ATimeOfTheServerThatDoesNotFitIsTheEndOfTheRange) {
  // The server's last day lies behind what 64 bits of microseconds since 1970 can say.
  EXPECT_EQ(wire::ReadTimestamptz(Int8(kMax - kYear2000 + 1)), kMax);
  EXPECT_EQ(wire::ReadTimestamptz(Int8(kMax - 1)), kMax);
}

TEST(Wire, JsonbHasItsVersionInFront) {
  std::string out;
  wire::AppendJsonb(out, R"({"a": 1})");
  EXPECT_EQ(out, "\x01{\"a\": 1}");
  EXPECT_EQ(wire::ReadText(Type::kJsonb, out), R"({"a": 1})");
}

TEST(Wire, TextIsItself) {
  EXPECT_EQ(wire::ReadText(Type::kText, "\x01 t\xc3\xa9xt"), "\x01 t\xc3\xa9xt");
  EXPECT_EQ(wire::ReadText(Type::kText, ""), "");
}

TEST(Wire, AnArrayHasItsDimensionTypeAndLength) {
  std::string out;
  wire::ArrayWriter array(out, Type::kInt8, 3);
  array.Add([](std::string& bytes) { wire::AppendInt8(bytes, 7); });
  array.AddNull();
  array.Add([](std::string& bytes) { wire::AppendInt8(bytes, -1); });
  EXPECT_EQ(out,
            "\0\0\0\x01"  // One dimension,
            "\0\0\0\x01"  // NULLs are possible,
            "\0\0\0\x14"  // of int8;
            "\0\0\0\x03"  // three elements,
            "\0\0\0\x01"  // from the first on.
            "\0\0\0\x08"  // Eight bytes.
            "\0\0\0\0\0\0\0\x07"
            "\xff\xff\xff\xff"  // NULL.
            "\0\0\0\x08"
            "\xff\xff\xff\xff\xff\xff\xff\xff"s);
}

TEST(Wire, AnArrayOfTextsHasElementsOfAnyLength) {
  std::string out;
  wire::ArrayWriter array(out, Type::kText, 3);
  const std::string longer(300, 'x');
  for (const auto& text : {""s, "ab"s, longer}) {
    array.Add([&](std::string& bytes) { bytes += text; });
  }
  EXPECT_EQ(out,
            "\0\0\0\x01\0\0\0\x01\0\0\0\x19\0\0\0\x03\0\0\0\x01"
            "\0\0\0\0\0\0\0\x02"
            "ab\0\0\x01\x2c"s +
                longer);
}

TEST(Wire, AnEmptyArrayHasNoDimension) {
  std::string out;
  const wire::ArrayWriter array(out, Type::kJsonb, 0);
  EXPECT_EQ(out, "\0\0\0\0\0\0\0\x01\0\0\x0e\xda"s);
}

TEST(Wire, MalformedValuesAreFailuresThatNameTheirType) {
  const auto refusal = [](auto read) { return MessageOf<driver::Failure>(read); };
  for (const auto& bytes : std::vector{""s, "\0\0\0\0\0\0\0"s, "\0\0\0\0\0\0\0\0\0"s}) {
    EXPECT_THAT(refusal([&] { wire::ReadInt(Type::kInt8, bytes); }), HasSubstr("type 20"));
    EXPECT_THAT(refusal([&] { wire::ReadInt(Type::kInt2, bytes); }), HasSubstr("type 21"));
    EXPECT_THAT(refusal([&] { wire::ReadInt(Type::kInt4, bytes); }), HasSubstr("type 23"));
    EXPECT_THAT(refusal([&] { wire::ReadInt(Type::kBool, bytes); }), HasSubstr("type 16"));
    EXPECT_THAT(refusal([&] { wire::ReadTimestamptz(bytes); }), HasSubstr("type 1184"));
  }
  EXPECT_THAT(refusal([] { wire::ReadInt(Type::kText, "12345678"); }), HasSubstr("type 25"));
  for (const auto& bytes : std::vector{""s, "[]"s, "\x02[]"s, "\0[]"s}) {
    EXPECT_THAT(refusal([&] { wire::ReadText(Type::kJsonb, bytes); }), HasSubstr("type 3802"));
  }
}

}  // namespace
}  // namespace pgqrs::testing
