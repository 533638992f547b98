#include "queue/payload_array.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/seeds.h"

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Split(std::string_view array) {
  std::vector<std::string_view> elements = {"left over"};
  queue::SplitPayloads(array, elements);
  return {elements.begin(), elements.end()};
}

TEST(SplitPayloads, GivesTheTextsOfTheElements) {
  EXPECT_THAT(Split("[1]"), ElementsAre("1"));
  EXPECT_THAT(Split(R"([null,true,"a",-0.0,1e400])"),
              ElementsAre("null", "true", R"("a")", "-0.0", "1e400"));
}

TEST(SplitPayloads, CommasAndBracketsInsideAreNoEnds) {
  EXPECT_THAT(Split(R"([[1,2],{"a":[3,4],"b":{"c":5}},[]])"),
              ElementsAre("[1,2]", R"({"a":[3,4],"b":{"c":5}})", "[]"));
}

TEST(SplitPayloads, StringsMayHoldAnything) {
  EXPECT_THAT(Split(R"(["],[","{\"}","\\","\\\"]",""])"),
              ElementsAre(R"("],[")", R"("{\"}")", R"("\\")", R"("\\\"]")", R"("")"));
  EXPECT_THAT(Split(R"([{"]":"}"},"a,b"])"), ElementsAre(R"({"]":"}"})", R"("a,b")"));
}

TEST(SplitPayloads, WhitespaceAroundElementsGoesAndInsideStays) {
  EXPECT_THAT(Split(" [ 1 ,\n[ 2 , 3 ]\t,\r\" a \" ] \n"),
              ElementsAre("1", "[ 2 , 3 ]", R"(" a ")"));
}

TEST(BlankPayloads, ReplacesTheElementsOfTheMask) {
  EXPECT_EQ(queue::BlankPayloads(R"([1,"a,b",{"c":[2]}])", 0b010), R"([1,null,{"c":[2]}])");
  EXPECT_EQ(queue::BlankPayloads("[1,2,3]", 0b111), "[null,null,null]");
  EXPECT_EQ(queue::BlankPayloads("[1,2,3]", 0), "[1,2,3]");
}

TEST(BlankPayloads, ReachesTheLastOf64) {
  std::string array = "[0";
  for (int i = 1; i < 64; ++i) array += "," + std::to_string(i);
  array += ']';
  const auto elements = Split(queue::BlankPayloads(array, std::uint64_t{1} << 63));
  ASSERT_EQ(elements.size(), 64U);
  EXPECT_EQ(elements[62], "62");
  EXPECT_EQ(elements[63], "null");
}

nlohmann::json RandomJson(Random& random, int depth) {
  static const std::vector<std::string> kStrings = {
      "", "a", "],[", "{\"}", "\\", "\"", "\\\"", ",", "\n\t", "\xc3\xa4\xf0\x9f\x90\x98", "\x01"};
  switch (random.From(0, depth > 0 ? 6 : 4)) {
    case 0:
      return nullptr;
    case 1:
      return random.OneIn(2);
    case 2:
      return random.From(-1000, 1000);
    case 3:
      return static_cast<double>(random.From(-1000, 1000)) / 7;
    case 4:
      return random.Pick(kStrings);
    case 5: {
      auto array = nlohmann::json::array();
      for (auto n = random.From(0, 4); n > 0; --n) array.push_back(RandomJson(random, depth - 1));
      return array;
    }
    default: {
      auto object = nlohmann::json::object();
      for (auto n = random.From(0, 4); n > 0; --n) {
        object[random.Pick(kStrings)] = RandomJson(random, depth - 1);
      }
      return object;
    }
  }
}

TEST(SplitPayloads, AgreesWithAParserOnRandomArrays) {
  ForEachSeed(5, [](std::uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < 50; ++i) {
      auto array = nlohmann::json::array();
      for (auto n = random.From(1, 64); n > 0; --n) array.push_back(RandomJson(random, 3));
      const auto text = array.dump(random.OneIn(2) ? 2 : -1);  // With and without line breaks.
      const auto elements = Split(text);
      ASSERT_EQ(elements.size(), array.size()) << text;
      for (std::size_t k = 0; k < elements.size(); ++k) {
        ASSERT_EQ(nlohmann::json::parse(elements[k]), array[k]) << text;
      }

      const auto mask = random.Bits();
      for (std::size_t k = 0; k < array.size(); ++k) {
        if ((mask >> k & 1) != 0) array[k] = nullptr;
      }
      ASSERT_EQ(nlohmann::json::parse(queue::BlankPayloads(text, mask)), array) << text;
    }
  });
}

}  // namespace
}  // namespace pgqrs::testing
