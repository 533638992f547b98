#include "api/arguments.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <chrono>

#include "util/json_check.h"
#include "util/json_text.h"
#include "util/show.h"

namespace pgqrs::internal {
namespace {

constexpr Duration kMillisecond = std::chrono::milliseconds(1);
constexpr std::size_t kMaxQueueName = 255;

// Why a value is refused. `show` makes a text of it and of the ends of the range.
template <typename T, typename Show>
std::string Outside(std::string_view name, T value, T least, T most, Show show) {
  return std::string(name) + ": must be from " + show(least) + " to " + show(most) + ", and is " +
         show(value);
}

void Require(bool holds, std::string_view field, std::string_view rule) {
  if (!holds) throw ConfigError(std::string(field) + ": " + std::string(rule));
}

template <typename T, typename Show>
void RequireRange(std::string_view field, T value, T least, T most, Show show) {
  if (value < least || value > most) throw ConfigError(Outside(field, value, least, most, show));
}

void RequireDuration(std::string_view field, Duration value, Duration least) {
  RequireRange(field, value, least, kMaxDuration, util::ShowDuration);
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
  Require(!config.schema.empty() && config.schema.size() <= 63, "schema",
          "must be a name of 1 to 63 bytes");
  Require(!HasControl(config.schema), "schema", "must not have control characters");
  // Functions of the schema name it in their bodies, which stand between these.
  Require(config.schema.find("$$") == std::string::npos, "schema",
          "must be a name without $$ in it");
  RequireDuration("connection_timeout", config.connection_timeout, kMillisecond);
  RequireRange("max_connections", config.max_connections, 1, 1000, util::ShowNumber);
  RequireDuration("default_lease", config.default_lease, kMillisecond);
  Require(config.max_read_ct >= 1, "max_read_ct", "must be at least 1");
  RequireDuration("heartbeat_interval", config.heartbeat_interval, 100 * kMillisecond);
  RequireDuration("fallback_poll_interval", config.fallback_poll_interval, kMillisecond);
  RequireRange("max_payload_size", config.max_payload_size, std::size_t{1}, std::size_t{256} << 20,
               util::ShowBytes);
  RequireRange("max_object_depth", config.max_object_depth, 0, Json::kMaxDepth, util::ShowNumber);
  Require(!config.max_enqueue_per_second || *config.max_enqueue_per_second > 0,
          "max_enqueue_per_second", "must be above 0");
  Require(!config.max_enqueue_burst || *config.max_enqueue_burst >= 1, "max_enqueue_burst",
          "must be at least 1");
  Require(config.max_pending_requests >= 1, "max_pending_requests", "must be at least 1");
  Require(config.max_pending_bytes >= 1, "max_pending_bytes", "must be at least 1");
}

void CheckStepName(std::string_view name) {
  constexpr std::size_t kMaxName = 255;
  if (name.empty()) throw ValidationError("step name: is empty");
  CheckText("step name", name, kMaxName);
}

void CheckText(std::string_view argument, std::string_view text, std::size_t max_bytes) {
  const std::string name(argument);
  if (text.size() > max_bytes) {
    throw ValidationError(name + ": has " + util::ShowBytes(text.size()) + "; at most " +
                          util::ShowBytes(max_bytes) + " are allowed");
  }
  if (!util::QuoteJson(text)) throw ValidationError(name + ": is not UTF-8");
  // Not every database can store it.
  if (text.find('\0') != std::string_view::npos) {
    throw ValidationError(name + ": has the control character U+0000");
  }
}

void CheckQueueName(std::string_view name) {
  if (name.empty()) throw ValidationError("queue name: is empty");
  CheckText("queue name", name, kMaxQueueName);
  if (HasControl(name)) throw ValidationError("queue name: has a control character");
}

void CheckTime(std::string_view argument, TimePoint time) {
  // The year 9999 is the last that ISO 8601 and Postgres write with four digits.
  constexpr auto kEnd = TimePoint(std::chrono::sys_days(std::chrono::year(10000) / 1 / 1));
  if (time >= kEnd) throw ValidationError(std::string(argument) + ": is after the year 9999");
}

void CheckEnqueueOptions(const EnqueueOptions& options) {
  if (options.delay && options.visible_at) {
    throw ValidationError("delay, visible_at: only one of the two may be given");
  }
  if (options.delay) CheckDuration("delay", *options.delay, Duration::zero());
  if (options.visible_at) CheckTime("visible_at", *options.visible_at);
  CheckCount("priority", options.priority, 0, 9);
}

void CheckCount(std::string_view argument, std::int64_t count, std::int64_t least,
                std::int64_t most) {
  if (count >= least && count <= most) return;
  throw ValidationError(Outside(argument, count, least, most, util::ShowNumber));
}

void CheckPage(const Page& page) {
  CheckCount("page limit", page.limit, 1, 10'000);
  if (page.after_id < 0) throw ValidationError("page after_id: is negative");
}

void CheckDuration(std::string_view argument, Duration duration, Duration least) {
  if (duration >= least && duration <= kMaxDuration) return;
  throw ValidationError(Outside(argument, duration, least, kMaxDuration, util::ShowDuration));
}

void CheckLease(Duration lease) { CheckDuration("lease", lease, kMillisecond); }

void CheckPayload(const Config& config, driver::JsonCheck check_json, const Json& payload) {
  const auto& text = payload.text();
  if (text.empty()) throw ValidationError("payload: is a Json that was moved from");
  if (text.size() > config.max_payload_size) {
    throw ValidationError("payload: has " + util::ShowBytes(text.size()) +
                          "; max_payload_size is " + util::ShowBytes(config.max_payload_size));
  }
  if (check_json != nullptr) check_json(text);
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
