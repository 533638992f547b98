#include "records.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <cstdio>

#include "json_text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

std::optional<std::string> IsoOrNone(const std::optional<TimePoint>& time) {
  return time ? std::optional(ToIso(*time)) : std::nullopt;
}

nb::object Payload(QueueMessage& message) {
  if (!message.payload_object.is_valid()) {
    message.payload_object = message.load.is_valid() ? nb::object(message.load(message.payload))
                                                     : FromJsonText(message.payload);
  }
  return message.payload_object;
}

std::string Describe(const QueueMessage& message) {
  return "QueueMessage(id=" + std::to_string(message.id) +
         ", queue_id=" + std::to_string(message.queue_id) +
         ", read_ct=" + std::to_string(message.read_ct) + ", payload=" + message.payload + ")";
}

}  // namespace

nb::object ToPython(const Message& message, std::int64_t queue_id) {
  return nb::cast(QueueMessage{.id = message.id(),
                               .queue_id = queue_id,
                               .read_ct = message.read_count(),
                               .priority = message.priority(),
                               .enqueued_at = message.enqueued_at(),
                               .visible_at = message.lease_end(),
                               .dequeued_at = message.dequeued_at(),
                               .archived_at = {},
                               .producer_worker_id = message.producer_worker_id(),
                               .consumer_worker_id = message.worker_id(),
                               .reason = {},
                               .last_error = {},
                               .payload = message.payload().text()});
}

nb::object ToPython(const MessageInfo& message) {
  return nb::cast(QueueMessage{.id = message.id,
                               .queue_id = message.queue_id,
                               .read_ct = message.read_count,
                               .priority = message.priority,
                               .enqueued_at = message.enqueued_at,
                               .visible_at = message.visible_at,
                               .dequeued_at = message.dequeued_at,
                               .archived_at = message.archived_at,
                               .producer_worker_id = message.producer_worker_id,
                               .consumer_worker_id = message.worker_id,
                               .reason = message.reason,
                               .last_error = message.last_error,
                               .payload = message.payload.text()});
}

std::string ToIso(TimePoint time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06d+00:00",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

void BindRecords(nb::module_& module) {
  nb::class_<QueueMessage>(module, "QueueMessage", nb::is_generic(),
                           nb::sig("class QueueMessage(typing.Generic[T])"))
      .def_ro("id", &QueueMessage::id)
      .def_ro("queue_id", &QueueMessage::queue_id)
      .def_ro("read_ct", &QueueMessage::read_ct)
      .def_ro("priority", &QueueMessage::priority)
      .def_ro("producer_worker_id", &QueueMessage::producer_worker_id)
      .def_ro("consumer_worker_id", &QueueMessage::consumer_worker_id)
      .def_ro("reason", &QueueMessage::reason)
      .def_ro("last_error", &QueueMessage::last_error)
      .def_prop_ro("payload", &Payload, nb::for_getter(nb::sig("def payload(self) -> T")))
      .def_prop_ro("vt", [](const QueueMessage& self) { return IsoOrNone(self.visible_at); })
      .def_prop_ro("enqueued_at", [](const QueueMessage& self) { return ToIso(self.enqueued_at); })
      .def_prop_ro("dequeued_at",
                   [](const QueueMessage& self) { return IsoOrNone(self.dequeued_at); })
      .def_prop_ro("archived_at",
                   [](const QueueMessage& self) { return IsoOrNone(self.archived_at); })
      .def("__repr__", &Describe);

  // The payloads of these messages are made of their texts by `load`.
  module.def(
      "load_with",
      [](const nb::typed<nb::list, QueueMessage>& messages, const nb::callable& load) {
        for (auto message : messages) nb::cast<QueueMessage&>(message).load = load;
      },
      nb::sig("def load_with(messages: list[QueueMessage[typing.Any]], load: "
              "collections.abc.Callable[[str], typing.Any]) -> None"));

  nb::class_<QueueInfo>(module, "QueueInfo")
      .def_ro("id", &QueueInfo::id)
      .def_ro("queue_name", &QueueInfo::queue_name)
      .def_prop_ro("created_at", [](const QueueInfo& self) { return ToIso(self.created_at); });

  nb::class_<QueueMetrics>(module, "QueueMetrics")
      .def_ro("name", &QueueMetrics::queue_name)
      .def_prop_ro("total_messages",
                   [](const QueueMetrics& self) {
                     return self.waiting + self.delayed + self.leased + self.archived + self.dead;
                   })
      .def_prop_ro("pending_messages",
                   [](const QueueMetrics& self) { return self.waiting + self.delayed; })
      .def_ro("locked_messages", &QueueMetrics::leased)
      .def_ro("archived_messages", &QueueMetrics::archived)
      .def_ro("delayed_messages", &QueueMetrics::delayed)
      .def_ro("dead_messages", &QueueMetrics::dead)
      .def_ro("enqueued_per_second", &QueueMetrics::enqueued_per_second)
      .def_ro("finished_per_second", &QueueMetrics::finished_per_second)
      .def_prop_ro("oldest_pending_message",
                   [](const QueueMetrics& self) { return IsoOrNone(self.oldest_waiting); })
      .def_prop_ro("newest_message",
                   [](const QueueMetrics& self) { return IsoOrNone(self.newest_message); });

  nb::class_<WorkerHealth>(module, "WorkerHealth")
      .def_ro("queue_name", &WorkerHealth::queue_name)
      .def_ro("total_workers", &WorkerHealth::total)
      .def_ro("ready_workers", &WorkerHealth::ready)
      .def_ro("polling_workers", &WorkerHealth::polling)
      .def_ro("interrupted_workers", &WorkerHealth::interrupted)
      .def_ro("suspended_workers", &WorkerHealth::suspended)
      .def_ro("stopped_workers", &WorkerHealth::stopped)
      .def_ro("stale_workers", &WorkerHealth::stale);

  nb::enum_<WorkerStatus>(module, "WorkerStatus")
      .value("Ready", WorkerStatus::kReady)
      .value("Polling", WorkerStatus::kPolling)
      .value("Suspended", WorkerStatus::kSuspended)
      .value("Interrupted", WorkerStatus::kInterrupted)
      .value("Stopped", WorkerStatus::kStopped);

  nb::class_<WorkerInfo>(module, "WorkerInfo")
      .def_ro("id", &WorkerInfo::id)
      .def_ro("name", &WorkerInfo::name)
      .def_ro("status", &WorkerInfo::status)
      .def_ro("queue_id", &WorkerInfo::queue_id)
      .def_prop_ro("started_at", [](const WorkerInfo& self) { return ToIso(self.started_at); })
      .def_prop_ro("heartbeat_at", [](const WorkerInfo& self) { return ToIso(self.heartbeat_at); });
}

}  // namespace pgqrs::python
