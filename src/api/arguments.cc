#include "api/arguments.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <chrono>

#include "util/json_check.h"
#include "util/json_text.h"

namespace pgqrs::internal {
namespace {

constexpr Duration kMillisecond = std::chrono::milliseconds(1);
constexpr std::size_t kMaxQueueName = 255;

std::string Shown(Duration duration) { return std::to_string(duration.count()) + " µs"; }

void Require(bool holds, std::string_view field, std::string_view rule) {
  if (!holds) throw ConfigError(std::string(field) + ": " + std::string(rule));
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// The control characters U+0080 to U+009F are C2 80 to C2 9F in UTF-8.
bool HasControl(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), IsControl)) return true;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xc2' && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

}  // namespace

void CheckConfig(const Config& config) {
  const auto in_range = [](Duration value, Duration least) {
    return value >= least && value <= kMaxDuration;
  };
  Require(in_range(config.connection_timeout, kMillisecond), "connection_timeout",
          "must be from 1 ms to ten years");
  Require(config.max_connections >= 1 && config.max_connections <= 1000, "max_connections",
          "must be from 1 to 1000");
  Require(in_range(config.default_lease, kMillisecond), "default_lease",
          "must be from 1 ms to ten years");
  Require(config.max_read_ct >= 1, "max_read_ct", "must be at least 1");
  Require(in_range(config.heartbeat_interval, 100 * kMillisecond), "heartbeat_interval",
          "must be from 100 ms to ten years");
  Require(in_range(config.fallback_poll_interval, kMillisecond), "fallback_poll_interval",
          "must be from 1 ms to ten years");
  Require(config.max_payload_size >= 1 && config.max_payload_size <= std::size_t{256} << 20,
          "max_payload_size", "must be from 1 byte to 256 MiB");
  Require(config.max_object_depth >= 0 && config.max_object_depth <= Json::kMaxDepth,
          "max_object_depth", "must be from 0 to " + std::to_string(Json::kMaxDepth));
  Require(!config.max_enqueue_per_second || *config.max_enqueue_per_second > 0,
          "max_enqueue_per_second", "must be above 0");
  Require(!config.max_enqueue_burst || *config.max_enqueue_burst >= 1, "max_enqueue_burst",
          "must be at least 1");
  Require(config.max_pending_requests >= 1, "max_pending_requests", "must be at least 1");
  Require(config.max_pending_bytes >= 1, "max_pending_bytes", "must be at least 1");
}

void CheckText(std::string_view argument, std::string_view text, std::size_t max_bytes) {
  const std::string name(argument);
  if (text.size() > max_bytes) {
    throw ValidationError(name + ": has " + std::to_string(text.size()) + " bytes; at most " +
                          std::to_string(max_bytes) + " are allowed");
  }
  if (!util::QuoteJson(text)) throw ValidationError(name + ": is not UTF-8");
}

void CheckQueueName(std::string_view name) {
  if (name.empty()) throw ValidationError("queue name: is empty");
  CheckText("queue name", name, kMaxQueueName);
  if (HasControl(name)) throw ValidationError("queue name: has a control character");
}

void CheckEnqueueOptions(const EnqueueOptions& options) {
  if (options.delay && options.visible_at) {
    throw ValidationError("delay, visible_at: only one of the two may be given");
  }
  if (options.delay) CheckDuration("delay", *options.delay, Duration::zero());
  if (options.visible_at) {
    // The year 9999 is the last that ISO 8601 and Postgres write with four digits.
    constexpr auto kEnd = TimePoint(std::chrono::sys_days(std::chrono::year(10000) / 1 / 1));
    if (*options.visible_at >= kEnd) throw ValidationError("visible_at: is after the year 9999");
  }
  CheckCount("priority", options.priority, 0, 9);
}

void CheckCount(std::string_view argument, std::int64_t count, std::int64_t least,
                std::int64_t most) {
  if (count >= least && count <= most) return;
  throw ValidationError(std::string(argument) + ": must be from " + std::to_string(least) + " to " +
                        std::to_string(most) + ", and is " + std::to_string(count));
}

void CheckPage(const Page& page) {
  CheckCount("page limit", page.limit, 1, 10'000);
  if (page.after_id < 0) throw ValidationError("page after_id: is negative");
}

void CheckDuration(std::string_view argument, Duration duration, Duration least) {
  if (duration >= least && duration <= kMaxDuration) return;
  throw ValidationError(std::string(argument) + ": must be from " + Shown(least) + " to " +
                        Shown(kMaxDuration) + ", and is " + Shown(duration));
}

void CheckLease(Duration lease) { CheckDuration("lease", lease, kMillisecond); }

void CheckPayload(const Config& config, const Json& payload) {
  const auto& text = payload.text();
  if (text.empty()) throw ValidationError("payload: is a Json that was moved from");
  if (text.size() > config.max_payload_size) {
    throw ValidationError("payload: " + std::to_string(text.size()) +
                          " bytes are more than max_payload_size, " +
                          std::to_string(config.max_payload_size));
  }
  // Json has made sure of everything else already, except for what only this store asks for.
  const bool has_rules = config.max_string_length || config.max_object_depth < Json::kMaxDepth ||
                         !config.forbidden_keys.empty() || !config.required_keys.empty();
  if (!has_rules) return;
  util::CheckJson(text, {.max_depth = config.max_object_depth,
                         .max_string_length = config.max_string_length,
                         .forbidden_keys = config.forbidden_keys,
                         .required_keys = config.required_keys});
}

}  // namespace pgqrs::internal
