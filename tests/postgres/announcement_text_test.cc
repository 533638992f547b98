#include "driver/postgres/announcement_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace pgqrs::testing {
namespace {

using driver::AnnouncementText;
using driver::ChannelOf;
using driver::ReadAnnouncementText;

TEST(AnnouncementText, ReadsWhatItWrote) {
  const std::vector<driver::Announcement> announcements = {
      {.queue_id = 7, .visible_at = 1'700'000'000'000'000}, {.queue_id = 8, .visible_at = -5}};

  const auto text = AnnouncementText("me", announcements);
  const auto read = ReadAnnouncementText(text);

  EXPECT_EQ(read.sender, "me");
  ASSERT_EQ(read.announcements.size(), 2U);
  EXPECT_EQ(read.announcements[0].queue_id, 7);
  EXPECT_EQ(read.announcements[0].visible_at, 1'700'000'000'000'000);
  EXPECT_EQ(read.announcements[1].queue_id, 8);
  EXPECT_EQ(read.announcements[1].visible_at, -5);
}

TEST(AnnouncementText, ReadsWhatHasNoMeaningAsOfAnyQueue) {
  for (const char* text : {"x 7", "x 7:", "x :7", "x 7:8:9", "x a:8", "x 0:8", "x -1:8", "x  ",
                           "x 99999999999999999999:1"}) {
    const auto read = ReadAnnouncementText(text);
    ASSERT_FALSE(read.announcements.empty()) << text;
    EXPECT_EQ(read.announcements[0].queue_id, 0) << text;
  }
}

TEST(AnnouncementText, OfNothingNamesItsSenderOnly) {
  EXPECT_TRUE(ReadAnnouncementText("").announcements.empty());
  EXPECT_TRUE(ReadAnnouncementText("x").announcements.empty());
  EXPECT_EQ(ReadAnnouncementText("x").sender, "x");
}

TEST(AnnouncementText, OfTheMostThatGoIntoOneFitsTheServersLimit) {
  const std::vector<driver::Announcement> most(
      driver::kMaxAnnouncementsInText, {.queue_id = std::numeric_limits<std::int64_t>::max(),
                                        .visible_at = std::numeric_limits<std::int64_t>::min()});
  EXPECT_LT(AnnouncementText(driver::RandomName(), most).size(), 8000U);
}

TEST(AnnouncementChannel, NeedsNoQuotesAndFitsWhateverTheSchema) {
  const std::array<std::string, 7> schemas = {"public",
                                              "Public",
                                              "",
                                              "we\"ird 'schema'; --",
                                              "\xc3\xa9t\xc3\xa9",
                                              std::string(63, 'x'),
                                              std::string(62, 'x')};
  std::set<std::string> channels;
  for (const auto& schema : schemas) {
    const auto channel = ChannelOf(schema);
    EXPECT_LE(channel.size(), 63U);
    EXPECT_TRUE(channel.starts_with("pgqrs_"));
    EXPECT_TRUE(std::all_of(channel.begin(), channel.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    })) << channel;
    channels.insert(channel);
  }
  EXPECT_EQ(channels.size(), schemas.size());
}

TEST(AnnouncementChannel, StaysTheSameForEverSinceOtherVersionsUseItToo) {
  EXPECT_EQ(ChannelOf(""), "pgqrs_cbf29ce484222325");
  EXPECT_EQ(ChannelOf("a"), "pgqrs_af63dc4c8601ec8c");
}

}  // namespace
}  // namespace pgqrs::testing
