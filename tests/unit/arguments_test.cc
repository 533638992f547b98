#include "api/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/error.h>

#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "support/throws.h"

namespace pgqrs::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Duration kMicrosecond(1);

std::string WhyNotName(const std::string& name) {
  return MessageOf<ValidationError>([&] { internal::CheckQueueName(name); });
}

std::string WhyNotOptions(const EnqueueOptions& options) {
  return MessageOf<ValidationError>([&] { internal::CheckEnqueueOptions(options); });
}

std::string WhyNotPayload(const Config& config, const Json& payload) {
  return MessageOf<ValidationError>([&] { internal::CheckPayload(config, nullptr, payload); });
}

// What CheckConfig says once `change` was made to a configuration that is right.
std::string WhyNotConfig(const std::function<void(Config&)>& change) {
  Config config("sqlite::memory:");
  change(config);
  return MessageOf<ConfigError>([&] { internal::CheckConfig(config); });
}

TEST(CheckConfig, TakesTheDefaultsAndTheEndsOfEachRange) {
  Config config("sqlite::memory:");
  EXPECT_NO_THROW(internal::CheckConfig(config));
  config.connection_timeout = milliseconds(1);
  config.max_connections = 1;
  config.default_lease = kMaxDuration;
  config.max_read_ct = 1;
  config.heartbeat_interval = milliseconds(100);
  config.fallback_poll_interval = milliseconds(1);
  config.max_payload_size = std::size_t{256} << 20;
  config.max_object_depth = 0;
  config.max_enqueue_per_second = 0.001;
  config.max_enqueue_burst = 1;
  config.max_pending_requests = 1;
  config.max_pending_bytes = 1;
  EXPECT_NO_THROW(internal::CheckConfig(config));
}

TEST(CheckConfig, NamesTheFieldThatHasNoMeaning) {
  const std::vector<std::pair<std::string, std::function<void(Config&)>>> mistakes = {
      {"schema", [](Config& c) { c.schema = "a$$b"; }},
      {"connection_timeout", [](Config& c) { c.connection_timeout = Duration(999); }},
      {"connection_timeout", [](Config& c) { c.connection_timeout = kMaxDuration + kMicrosecond; }},
      {"max_connections", [](Config& c) { c.max_connections = 0; }},
      {"max_connections", [](Config& c) { c.max_connections = 1001; }},
      {"default_lease", [](Config& c) { c.default_lease = Duration::zero(); }},
      {"max_read_ct", [](Config& c) { c.max_read_ct = 0; }},
      {"heartbeat_interval", [](Config& c) { c.heartbeat_interval = milliseconds(99); }},
      {"fallback_poll_interval", [](Config& c) { c.fallback_poll_interval = Duration(-1); }},
      {"max_payload_size", [](Config& c) { c.max_payload_size = 0; }},
      {"max_payload_size", [](Config& c) { c.max_payload_size = (std::size_t{256} << 20) + 1; }},
      {"max_object_depth", [](Config& c) { c.max_object_depth = -1; }},
      {"max_object_depth", [](Config& c) { c.max_object_depth = Json::kMaxDepth + 1; }},
      {"max_enqueue_per_second", [](Config& c) { c.max_enqueue_per_second = 0; }},
      {"max_enqueue_per_second",
       [](Config& c) { c.max_enqueue_per_second = std::numeric_limits<double>::quiet_NaN(); }},
      {"max_enqueue_burst", [](Config& c) { c.max_enqueue_burst = 0; }},
      {"max_pending_requests", [](Config& c) { c.max_pending_requests = 0; }},
      {"max_pending_bytes", [](Config& c) { c.max_pending_bytes = 0; }},
  };
  for (const auto& [field, change] : mistakes) {
    EXPECT_THAT(WhyNotConfig(change), AllOf(StartsWith(field + ": "), HasSubstr("must be")));
  }
}

TEST(CheckQueueName, TakesAnyTextOf1To255Bytes) {
  for (const auto* name : {"a", " ", "'; DROP TABLE jobs; --", "\xc3\xa4\xf0\x9f\x98\x80"}) {
    EXPECT_NO_THROW(internal::CheckQueueName(name));
  }
  EXPECT_NO_THROW(internal::CheckQueueName(std::string(255, 'a')));
}

TEST(CheckQueueName, RefusesWhatIsNoName) {
  EXPECT_THAT(WhyNotName(""), HasSubstr("is empty"));
  EXPECT_THAT(WhyNotName(std::string(256, 'a')), HasSubstr("has 256 bytes"));
  EXPECT_THAT(WhyNotName("a\xff"), HasSubstr("is not UTF-8"));
  for (const auto& name : {std::string("a\0b", 3), std::string("a\n"), std::string("\x1f"),
                           std::string("\x7f"), std::string("\xc2\x80"), std::string("\xc2\x9f")}) {
    EXPECT_THAT(WhyNotName(name), HasSubstr("control character"));
  }
  EXPECT_NO_THROW(internal::CheckQueueName("\xc2\xa0"));  // The first that is none.
}

TEST(CheckText, RefusesTooMuchAndWhatIsNoUtf8) {
  EXPECT_NO_THROW(internal::CheckText("reason", "", 0));
  EXPECT_NO_THROW(internal::CheckText("reason", "abc\n", 4));
  EXPECT_THAT(MessageOf<ValidationError>([] { internal::CheckText("reason", "abcde", 4); }),
              AllOf(StartsWith("reason: "), HasSubstr("5 bytes")));
  EXPECT_THAT(MessageOf<ValidationError>([] { internal::CheckText("reason", "\x80", 4); }),
              HasSubstr("not UTF-8"));
  EXPECT_THAT(MessageOf<ValidationError>(
                  [] { internal::CheckText("reason", std::string_view("a\0", 2), 4); }),
              HasSubstr("U+0000"));
}

TEST(CheckEnqueueOptions, TakesOneTimeAndAPriorityFrom0To9) {
  EXPECT_NO_THROW(internal::CheckEnqueueOptions({}));
  EXPECT_NO_THROW(internal::CheckEnqueueOptions({.delay = Duration::zero(), .priority = 0}));
  EXPECT_NO_THROW(internal::CheckEnqueueOptions({.delay = kMaxDuration, .priority = 9}));
  EXPECT_NO_THROW(internal::CheckEnqueueOptions({.visible_at = TimePoint(Duration(-1))}));
}

TEST(CheckEnqueueOptions, RefusesEverythingElse) {
  EXPECT_THAT(WhyNotOptions({.delay = hours(1), .visible_at = TimePoint()}),
              HasSubstr("only one of the two"));
  EXPECT_THAT(WhyNotOptions({.delay = Duration(-1)}), StartsWith("delay: "));
  EXPECT_THAT(WhyNotOptions({.delay = kMaxDuration + kMicrosecond}), StartsWith("delay: "));
  EXPECT_THAT(WhyNotOptions({.visible_at = TimePoint(hours(24L * 366 * 9000))}),
              HasSubstr("year 9999"));
  EXPECT_THAT(WhyNotOptions({.priority = -1}), HasSubstr("priority: must be from 0 to 9"));
  EXPECT_THAT(WhyNotOptions({.priority = 10}), HasSubstr("and is 10"));
}

TEST(CheckPage, TakesLimitsFrom1To10000) {
  EXPECT_NO_THROW(internal::CheckPage({.limit = 1}));
  EXPECT_NO_THROW(internal::CheckPage({.after_id = 7, .limit = 10'000}));
  EXPECT_THROW(internal::CheckPage({.limit = 0}), ValidationError);
  EXPECT_THROW(internal::CheckPage({.limit = 10'001}), ValidationError);
  EXPECT_THROW(internal::CheckPage({.after_id = -1}), ValidationError);
}

TEST(CheckLease, TakesFromAMillisecondToTenYears) {
  EXPECT_NO_THROW(internal::CheckLease(milliseconds(1)));
  EXPECT_NO_THROW(internal::CheckLease(kMaxDuration));
  EXPECT_THAT(MessageOf<ValidationError>([] { internal::CheckLease(Duration(999)); }),
              AllOf(StartsWith("lease: "), HasSubstr("and is 999 µs")));
  EXPECT_THROW(internal::CheckLease(kMaxDuration + kMicrosecond), ValidationError);
  EXPECT_THROW(internal::CheckLease(Duration::max()), ValidationError);
}

TEST(CheckPayload, HoldsThePayloadAgainstTheLimitsOfTheStore) {
  Config config;
  config.max_payload_size = 10;
  EXPECT_NO_THROW(internal::CheckPayload(config, nullptr, Json("12345678")));
  EXPECT_THAT(WhyNotPayload(config, Json("123456789")), HasSubstr("max_payload_size"));

  config = Config();
  config.max_object_depth = 1;
  EXPECT_THAT(WhyNotPayload(config, Json::Parse("[[]]")), HasSubstr("nested"));
  config = Config();
  config.max_string_length = 3;
  EXPECT_THAT(WhyNotPayload(config, Json("1234")), HasSubstr("max_string_length"));
  config = Config();
  config.forbidden_keys = {"a"};
  EXPECT_THAT(WhyNotPayload(config, Json::Parse(R"({"a":1})")), HasSubstr("not allowed"));
  config = Config();
  config.required_keys = {"a"};
  EXPECT_THAT(WhyNotPayload(config, Json::Parse("{}")), HasSubstr("missing"));
  EXPECT_NO_THROW(internal::CheckPayload(config, nullptr, Json::Parse(R"({"a":1})")));
}

}  // namespace
}  // namespace pgqrs::testing
