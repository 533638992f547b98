// The library's records as Python objects.
#ifndef PGQRS_BINDINGS_PYTHON_RECORDS_H_
#define PGQRS_BINDINGS_PYTHON_RECORDS_H_

#include <nanobind/nanobind.h>
#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <optional>
#include <string>

namespace pgqrs::python {

// A message, under lease or as a listing shows it. Its payload and times become Python objects when
// they are asked for: a consumer that only acks does not pay for them.
struct QueueMessage {
  std::int64_t id = 0;
  std::int64_t queue_id = 0;
  int read_ct = 0;
  int priority = 0;
  TimePoint enqueued_at;
  std::optional<TimePoint> visible_at;
  std::optional<TimePoint> dequeued_at;
  std::optional<TimePoint> archived_at;
  std::optional<std::int64_t> producer_worker_id;
  std::optional<std::int64_t> consumer_worker_id;
  std::string reason;      // Why it is a dead letter.
  std::string last_error;  // What the last release said.
  std::string payload;
  std::int64_t lease_token = 0;          // Of a message under lease, for the start of its run.
  nanobind::object load = {};            // Makes it of the text, in place of the reader of JSON.
  nanobind::object payload_object = {};  // Once it was asked for.
};

nanobind::object ToPython(const Message& message, std::int64_t queue_id);
nanobind::object ToPython(const MessageInfo& message);

// ISO 8601 in UTC, with microseconds and offset: 2026-05-17T08:30:00.000000+00:00.
std::string ToIso(TimePoint time);
std::optional<std::string> IsoOrNone(const std::optional<TimePoint>& time);

void BindRecords(nanobind::module_& module);

}  // namespace pgqrs::python

#endif  // PGQRS_BINDINGS_PYTHON_RECORDS_H_
