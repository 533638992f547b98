#include "consumer.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>

#include "answers.h"
#include "arguments.h"
#include "request.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

void BindDequeues(nb::class_<PyConsumer>& consumer) {
  consumer
      .def(
          "dequeue",
          [](PyConsumer& self, Int batch_size, std::optional<Micros> lease) {
            return Request::New(
                [&] {
                  return self.consumer->DequeueBatchAsync(ToInt(batch_size), ToDuration(lease));
                },
                TakeMessages(self.queue_id), kGiveBack);
          },
          "batch_size"_a, "lease"_a = nb::none())
      .def(
          "dequeue_wait",
          [](PyConsumer& self, Int batch_size, Micros timeout, std::optional<Micros> lease) {
            return Request::New(
                [&] {
                  return self.consumer->DequeueBatchWaitAsync(
                      ToInt(batch_size), ToDuration(timeout), ToDuration(lease));
                },
                TakeMessages(self.queue_id), kGiveBack);
          },
          "batch_size"_a, "timeout"_a, "lease"_a = nb::none())
      .def(
          "dequeue_at",
          [](PyConsumer& self, Int batch_size, Micros at, std::optional<Micros> lease) {
            return Request::New(
                [&] {
                  return self.consumer->DequeueBatchAtAsync(ToInt(batch_size), ToTime(at),
                                                            ToDuration(lease));
                },
                TakeMessages(self.queue_id), kGiveBack);
          },
          "batch_size"_a, "at"_a, "lease"_a = nb::none());
}

void BindSettlements(nb::class_<PyConsumer>& consumer) {
  consumer
      .def(
          "ack",
          [](PyConsumer& self, Int message_id) {
            return Request::New([&] { return self.consumer->AckAsync(message_id.value); }, kTake);
          },
          "message_id"_a)
      .def(
          "ack_many",
          [](PyConsumer& self, const Ids& message_ids) {
            return Request::New([&] { return self.consumer->AckAsync(ToIds(message_ids)); }, kTake);
          },
          "message_ids"_a)
      .def(
          "release",
          [](PyConsumer& self, Int message_id, Micros delay) {
            return Request::New(
                [&] { return self.consumer->ReleaseAsync(message_id.value, ToDuration(delay)); },
                kTake);
          },
          "message_id"_a, "delay"_a = Micros())
      .def(
          "release_many",
          [](PyConsumer& self, const Ids& message_ids, Micros delay) {
            return Request::New(
                [&] { return self.consumer->ReleaseAsync(ToIds(message_ids), ToDuration(delay)); },
                kTake);
          },
          "message_ids"_a, "delay"_a = Micros())
      .def(
          "release_unread",
          [](PyConsumer& self, Int message_id, Micros delay) {
            return Request::New(
                [&] {
                  return self.consumer->ReleaseUnreadAsync(message_id.value, ToDuration(delay));
                },
                kTake);
          },
          "message_id"_a, "delay"_a = Micros())
      .def(
          "release_until",
          [](PyConsumer& self, Int message_id, Micros visible_at) {
            return Request::New(
                [&] {
                  return self.consumer->ReleaseUntilAsync(message_id.value, ToTime(visible_at));
                },
                kTake);
          },
          "message_id"_a, "visible_at"_a)
      .def(
          "extend_lease",
          [](PyConsumer& self, Int message_id, Micros lease) {
            return Request::New(
                [&] {
                  return self.consumer->ExtendLeaseAsync(message_id.value, ToDuration(lease));
                },
                kTake);
          },
          "message_id"_a, "lease"_a)
      .def(
          "delete",
          [](PyConsumer& self, Int message_id) {
            return Request::New([&] { return self.consumer->DeleteAsync(message_id.value); },
                                kTake);
          },
          "message_id"_a)
      .def(
          "delete_many",
          [](PyConsumer& self, const Ids& message_ids) {
            return Request::New([&] { return self.consumer->DeleteAsync(ToIds(message_ids)); },
                                kTake);
          },
          "message_ids"_a)
      .def(
          "dead_letter",
          [](PyConsumer& self, Int message_id, const std::string& reason) {
            return Request::New(
                [&] { return self.consumer->DeadLetterAsync(message_id.value, reason); }, kTake);
          },
          "message_id"_a, "reason"_a);
}

}  // namespace

PyConsumer::~PyConsumer() {
  if (!consumer) return;
  try {
    consumer->CloseAsync();
  } catch (const Error&) {
    // It is closed, or its store is; or this is a forked child.
  }
}

void BindConsumer(nb::module_& module) {
  nb::class_<PyConsumer> consumer(module, "Consumer");
  BindDequeues(consumer);
  BindSettlements(consumer);
  consumer
      .def_prop_ro("worker_id", [](const PyConsumer& self) { return self.consumer->worker_id(); })
      .def("status",
           [](PyConsumer& self) {
             return Request::New([&] { return self.consumer->StatusAsync(); }, kTake);
           })
      .def(
          "set_status",
          [](PyConsumer& self, WorkerStatus status) {
            return Request::New([&] { return self.consumer->SetStatusAsync(status); },
                                kTakeNothing);
          },
          "status"_a)
      .def("close", [](PyConsumer& self) {
        return Request::New([&] { return self.consumer->CloseAsync(); }, kTakeNothing);
      });
}

}  // namespace pgqrs::python
