#include "util/show.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>

namespace pgqrs::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using util::ShowBytes;
using util::ShowCount;
using util::ShowDuration;
using util::ShowNumber;

TEST(Show, LongNumbersAreGrouped) {
  EXPECT_EQ(ShowNumber(0), "0");
  EXPECT_EQ(ShowNumber(999), "999");
  EXPECT_EQ(ShowNumber(-1000), "-1,000");
  EXPECT_EQ(ShowNumber(1'234'567), "1,234,567");
  EXPECT_EQ(ShowNumber(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Show, OneIsASingular) {
  EXPECT_EQ(ShowCount(1, "message"), "1 message");
  EXPECT_EQ(ShowCount(0, "message"), "0 messages");
  EXPECT_EQ(ShowCount(2000, "live worker"), "2,000 live workers");
}

TEST(Show, DurationsNameOnlyTheUnitsThatTheyNeed) {
  EXPECT_EQ(ShowDuration(Duration::zero()), "0 s");
  EXPECT_EQ(ShowDuration(Duration(999)), "999 µs");
  EXPECT_EQ(ShowDuration(milliseconds(1)), "1 ms");
  EXPECT_EQ(ShowDuration(seconds(90)), "1 min 30 s");
  EXPECT_EQ(ShowDuration(-(hours(1) + milliseconds(5))), "-1 h 5 ms");
  EXPECT_EQ(ShowDuration(days(1) + minutes(2)), "1 day 2 min");
  EXPECT_EQ(ShowDuration(kMaxDuration), "3,660 days");
  EXPECT_EQ(ShowDuration(kMaxDuration + Duration(1)), "3,660 days 1 µs");
  EXPECT_EQ(ShowDuration(Duration::min()), "-106,751,991 days 4 h 54 s 775 ms 808 µs");
}

TEST(Show, BytesAreExact) {
  EXPECT_EQ(ShowBytes(0), "0 bytes");
  EXPECT_EQ(ShowBytes(1), "1 byte");
  EXPECT_EQ(ShowBytes(1025), "1,025 bytes");
  EXPECT_EQ(ShowBytes(std::size_t{64} << 10), "64 KiB");
  EXPECT_EQ(ShowBytes(std::size_t{16} << 20), "16 MiB");
}

}  // namespace
}  // namespace pgqrs::testing
