#include "queue.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "answers.h"
#include "arguments.h"
#include "consumer.h"
#include "json_text.h"
#include "request.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

EnqueueOptions ToOptions(std::optional<Micros> delay, Int priority) {
  EnqueueOptions options;
  options.delay = ToDuration(delay);
  options.priority = ToInt(priority);
  return options;
}

std::vector<Json> ToJsons(const nb::list& payloads) {
  std::vector<Json> json;
  json.reserve(payloads.size());
  for (const auto payload : payloads) {
    try {
      json.push_back(ToJson(payload));
    } catch (const SerializationError& error) {
      throw SerializationError("payload " + std::to_string(json.size()) + ": " + error.what());
    }
  }
  return json;
}

void BindEnqueues(nb::class_<Queue>& queue) {
  constexpr Int kPriority = {5};
  queue
      .def(
          "enqueue",
          [](Queue& self, nb::handle payload, std::optional<Micros> delay, Int priority) {
            const auto json = ToJson(payload);
            return Request::New([&] { return self.EnqueueAsync(json, ToOptions(delay, priority)); },
                                kTake);
          },
          "payload"_a.none(), "delay"_a = nb::none(), "priority"_a = kPriority)
      .def(
          "enqueue_batch",
          [](Queue& self, const nb::typed<nb::list, nb::object>& payloads,
             std::optional<Micros> delay, Int priority) {
            const auto json = ToJsons(payloads);
            return Request::New(
                [&] { return self.EnqueueBatchAsync(json, ToOptions(delay, priority)); }, kTake);
          },
          "payloads"_a, "delay"_a = nb::none(), "priority"_a = kPriority);
}

void BindFinished(nb::class_<Queue>& queue) {
  queue
      .def(
          "archived",
          [](Queue& self, Int after_id, Int limit) {
            return Request::New(
                [&] {
                  return self.ListArchivedAsync(
                      {.after_id = after_id.value, .limit = ToInt(limit)});
                },
                kTakeInfos);
          },
          "after_id"_a, "limit"_a)
      .def(
          "apply_retention",
          [](Queue& self, std::optional<Micros> max_age, std::optional<Int> max_count) {
            RetentionPolicy policy = {.max_age = ToDuration(max_age)};
            if (max_count) policy.max_count = max_count->value;
            return Request::New([&] { return self.ApplyRetentionAsync(policy); }, kTake);
          },
          "max_age"_a = nb::none(), "max_count"_a = nb::none())
      .def(
          "dead_letters",
          [](Queue& self, Int after_id, Int limit) {
            return Request::New(
                [&] {
                  return self.ListDeadLettersAsync(
                      {.after_id = after_id.value, .limit = ToInt(limit)});
                },
                kTakeInfos);
          },
          "after_id"_a, "limit"_a)
      .def(
          "replay_dead_letter",
          [](Queue& self, Int message_id) {
            return Request::New([&] { return self.ReplayDeadLetterAsync(message_id.value); },
                                kTake);
          },
          "message_id"_a)
      .def("replay_dead_letters",
           [](Queue& self) {
             return Request::New([&] { return self.ReplayDeadLettersAsync(); }, kTake);
           })
      .def("purge_dead_letters", [](Queue& self) {
        return Request::New([&] { return self.PurgeDeadLettersAsync(); }, kTake);
      });
}

}  // namespace

void BindQueue(nb::module_& module) {
  nb::class_<Queue> queue(module, "Queue");
  BindEnqueues(queue);
  BindFinished(queue);
  queue.def_prop_ro("id", &Queue::id)
      .def_prop_ro("name", [](const Queue& self) { return self.name(); })
      .def("metrics",
           [](Queue& self) { return Request::New([&] { return self.MetricsAsync(); }, kTake); })
      .def(
          "new_consumer",
          [](Queue& self, const std::string& name) {
            return Request::New(
                [&] { return self.NewConsumerAsync(name); },
                [id = self.id()](auto& done) {
                  return nb::typed<nb::object, PyConsumer>(nb::cast(PyConsumer(done.Get(), id)));
                },
                kClose);
          },
          "name"_a = "");
}

}  // namespace pgqrs::python
