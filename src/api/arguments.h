// Checks what callers give. Each function throws ValidationError, which names the argument.
#ifndef PGQRS_API_ARGUMENTS_H_
#define PGQRS_API_ARGUMENTS_H_

#include <pgqrs/config.h>
#include <pgqrs/json.h>
#include <pgqrs/queue.h>
#include <pgqrs/records.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "driver/driver.h"

namespace pgqrs::internal {

// Throws ConfigError instead.
void CheckConfig(const Config& config);

void CheckQueueName(std::string_view name);
void CheckStepName(std::string_view name);
void CheckText(std::string_view argument, std::string_view text, std::size_t max_bytes);
void CheckTime(std::string_view argument, TimePoint time);
void CheckEnqueueOptions(const EnqueueOptions& options);
void CheckCount(std::string_view argument, std::int64_t count, std::int64_t least,
                std::int64_t most);
void CheckPage(const Page& page);

// At least `least`, and at most kMaxDuration.
void CheckDuration(std::string_view argument, Duration duration, Duration least);
void CheckLease(Duration lease);

// Holds a payload against the limits of the store, and against those of its database where it has
// any (`check_json`, or null). Throws SerializationError for the latter.
void CheckPayload(const Config& config, driver::JsonCheck check_json, const Json& payload);

}  // namespace pgqrs::internal

#endif  // PGQRS_API_ARGUMENTS_H_
