#include "records.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <array>
#include <chrono>
#include <cstdio>

#include "json_text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

std::optional<std::string> TextOrNone(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
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
                               .payload = message.payload().text(),
                               .lease_token = RunTicket::Of(message).lease_token});
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

std::optional<std::string> IsoOrNone(const std::optional<TimePoint>& time) {
  return time ? std::optional(ToIso(*time)) : std::nullopt;
}

namespace {

// What a payload holds may lead back to its message. The names are those that Py_VISIT wants.
int Traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  const auto* message = nb::inst_ptr<QueueMessage>(self);
  Py_VISIT(message->load.ptr());
  Py_VISIT(message->payload_object.ptr());
  return 0;
}

int Clear(PyObject* self) noexcept {
  auto* message = nb::inst_ptr<QueueMessage>(self);
  message->load.reset();
  message->payload_object.reset();
  return 0;
}

void BindMessages(nb::module_& module) {
  static std::array<PyType_Slot, 3> slots = {{
      {Py_tp_traverse, reinterpret_cast<void*>(&Traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(&Clear)},
      {0, nullptr},
  }};
  nb::class_<QueueMessage>(module, "QueueMessage", nb::type_slots(slots.data()), nb::is_generic(),
                           nb::sig("class QueueMessage(typing.Generic[T])"),
                           "A message, as a consumer holds it or as a listing shows it. Times are "
                           "in ISO 8601, in UTC.\n\n"
                           "Example:\n"
                           "    >>> for message in await consumer.dequeue(10):\n"
                           "    ...     print(message.payload, message.read_ct)\n"
                           "    {'to': 'ada'} 1\n")
      .def_ro("id", &QueueMessage::id, "Unique in the database; later ones are larger.")
      .def_ro("queue_id", &QueueMessage::queue_id, "The id of its queue.")
      .def_prop_ro("payload", &Payload, nb::for_getter(nb::sig("def payload(self) -> T")),
                   "The JSON value, or an instance of the payload type that was asked for.\n\n"
                   "Raises:\n"
                   "    SerializationError: It is no instance of that type.\n")
      .def_ro("read_ct", &QueueMessage::read_ct,
              "How often it was handed out, this time included, since it was enqueued or replayed.")
      .def_ro("priority", &QueueMessage::priority, "0 (first) to 9.")
      .def_prop_ro(
          "vt", [](const QueueMessage& self) { return IsoOrNone(self.visible_at); },
          "When it becomes visible; while it is held: when the lease ends. None once finished.")
      .def_prop_ro(
          "enqueued_at", [](const QueueMessage& self) { return ToIso(self.enqueued_at); },
          "When it was stored.")
      .def_prop_ro(
          "dequeued_at", [](const QueueMessage& self) { return IsoOrNone(self.dequeued_at); },
          "When it was handed out the last time.")
      .def_prop_ro(
          "archived_at", [](const QueueMessage& self) { return IsoOrNone(self.archived_at); },
          "When it was archived, or became a dead letter.")
      .def_ro("producer_worker_id", &QueueMessage::producer_worker_id,
              "The worker that enqueued it.")
      .def_ro("consumer_worker_id", &QueueMessage::consumer_worker_id,
              "The worker that holds it, or held it last.")
      .def_prop_ro(
          "reason", [](const QueueMessage& self) { return TextOrNone(self.reason); },
          "Why it is a dead letter.")
      .def_prop_ro(
          "last_error", [](const QueueMessage& self) { return TextOrNone(self.last_error); },
          "What was said when it was given back the last time, in a listing.")
      .def("__repr__", &Describe);

  // The payloads of these messages are made of their texts by `load`.
  module.def(
      "load_with",
      [](const nb::typed<nb::list, QueueMessage>& messages, const nb::callable& load) {
        for (auto message : messages) nb::cast<QueueMessage&>(message).load = load;
      },
      nb::sig("def load_with(messages: list[QueueMessage[typing.Any]], load: "
              "collections.abc.Callable[[str], typing.Any]) -> None"));
}

void BindQueueRecords(nb::module_& module) {
  nb::class_<QueueInfo>(module, "QueueInfo",
                        "A queue.\n\n"
                        "Example:\n"
                        "    >>> [info] = await (await store.get_queues()).list()\n"
                        "    >>> info.queue_name\n"
                        "    'jobs'\n")
      .def_ro("id", &QueueInfo::id, "What messages call it.")
      .def_ro("queue_name", &QueueInfo::queue_name, "Its name.")
      .def_prop_ro(
          "created_at", [](const QueueInfo& self) { return ToIso(self.created_at); },
          "When it was made (ISO 8601).")
      .def("__repr__", [](const QueueInfo& self) {
        return "QueueInfo(id=" + std::to_string(self.id) +
               ", queue_name=" + nb::cast<std::string>(nb::repr(nb::cast(self.queue_name))) + ")";
      });

  nb::class_<QueueMetrics>(module, "QueueMetrics",
                           "How many messages of a queue are in which state, at one moment.\n\n"
                           "Example:\n"
                           "    >>> metrics = await store.metrics(\"jobs\")\n"
                           "    >>> metrics.locked_messages, metrics.archived_messages\n"
                           "    (0, 0)\n")
      .def_ro("name", &QueueMetrics::queue_name, "The name of the queue.")
      .def_prop_ro(
          "total_messages",
          [](const QueueMetrics& self) {
            return self.waiting + self.delayed + self.leased + self.archived + self.dead;
          },
          "All that is there, archive and dead letters included.")
      .def_prop_ro(
          "pending_messages", [](const QueueMetrics& self) { return self.waiting + self.delayed; },
          "Those that nobody holds and that are not finished, delayed ones included.")
      .def_ro("locked_messages", &QueueMetrics::leased, "Those that a worker holds.")
      .def_ro("archived_messages", &QueueMetrics::archived, "Those in the archive.")
      .def_ro("delayed_messages", &QueueMetrics::delayed, "Those that are not visible yet.")
      .def_ro("dead_messages", &QueueMetrics::dead, "The dead letters.")
      .def_ro("enqueued_per_second", &QueueMetrics::enqueued_per_second, "Over the last minute.")
      .def_ro("finished_per_second", &QueueMetrics::finished_per_second, "Over the last minute.")
      .def_prop_ro(
          "oldest_pending_message",
          [](const QueueMetrics& self) { return IsoOrNone(self.oldest_waiting); },
          "When the oldest visible message was enqueued (ISO 8601).")
      .def_prop_ro(
          "newest_message", [](const QueueMetrics& self) { return IsoOrNone(self.newest_message); },
          "When the newest message was enqueued (ISO 8601).");
}

void BindWorkerRecords(nb::module_& module) {
  nb::enum_<WorkerStatus>(
      module, "WorkerStatus",
      "The state of a worker.\n\n"
      "It goes from Ready to Polling or Suspended, from Polling to Ready or\n"
      "Interrupted, from Interrupted to Suspended, and from Suspended to Ready\n"
      "or Stopped; anything else is StateTransitionError.\n\n"
      "Example:\n"
      "    >>> await consumer.status() is pgqrs.WorkerStatus.Ready\n"
      "    True\n")
      .value("Ready", WorkerStatus::kReady)
      .value("Polling", WorkerStatus::kPolling)
      .value("Suspended", WorkerStatus::kSuspended)
      .value("Interrupted", WorkerStatus::kInterrupted)
      .value("Stopped", WorkerStatus::kStopped);

  nb::class_<WorkerInfo>(module, "WorkerInfo",
                         "A worker: a store, a consumer or a Worker.\n\n"
                         "Example:\n"
                         "    >>> workers = await store.get_workers()\n"
                         "    >>> (await workers.get(consumer.worker_id)).status\n"
                         "    WorkerStatus.Ready\n")
      .def_ro("id", &WorkerInfo::id, "Never given twice.")
      .def_ro("name", &WorkerInfo::name, "Its name, which several may have.")
      .def_ro("status", &WorkerInfo::status, "Its state.")
      .def_ro("queue_id", &WorkerInfo::queue_id, "Its queue. None: it serves any.")
      .def_prop_ro(
          "started_at", [](const WorkerInfo& self) { return ToIso(self.started_at); },
          "When it was registered (ISO 8601).")
      .def_prop_ro(
          "heartbeat_at", [](const WorkerInfo& self) { return ToIso(self.heartbeat_at); },
          "When it last said that it lives; of a stopped one: when it stopped (ISO 8601).");

  nb::class_<WorkerHealth>(module, "WorkerHealth",
                           "How many workers of a queue are in which state.\n\n"
                           "Example:\n"
                           "    >>> workers = await store.get_workers()\n"
                           "    >>> (await workers.health_stats())[0].stale_workers\n"
                           "    0\n")
      .def_ro("queue_name", &WorkerHealth::queue_name,
              "The name of the queue; empty for workers that serve any.")
      .def_ro("total_workers", &WorkerHealth::total, "All of them.")
      .def_ro("ready_workers", &WorkerHealth::ready, "Those in the state Ready.")
      .def_ro("polling_workers", &WorkerHealth::polling, "Those in the state Polling.")
      .def_ro("interrupted_workers", &WorkerHealth::interrupted, "Those in the state Interrupted.")
      .def_ro("suspended_workers", &WorkerHealth::suspended, "Those in the state Suspended.")
      .def_ro("stopped_workers", &WorkerHealth::stopped, "Those in the state Stopped.")
      .def_ro("stale_workers", &WorkerHealth::stale,
              "Those that are not Stopped and whose heartbeat is too old.");
}

}  // namespace

void BindRecords(nb::module_& module) {
  BindMessages(module);
  BindQueueRecords(module);
  BindWorkerRecords(module);
}

}  // namespace pgqrs::python
