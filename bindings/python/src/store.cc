#include "store.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <pgqrs/pgqrs.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "json_text.h"
#include "records.h"
#include "request.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

using Ids = std::vector<std::int64_t>;
using Micros = std::int64_t;

// What a future gave, as a Python object of the type that stands for it.
constexpr auto kTake = [](auto& done) {
  using Value = decltype(done.Get());
  return nb::typed<nb::object, Value>(nb::cast(done.Get()));
};
constexpr auto kTakeNothing = [](auto& done) {
  done.Get();
  return nb::typed<nb::object, std::nullptr_t>(nb::none());
};

std::optional<Duration> ToDuration(std::optional<Micros> micros) {
  return micros ? std::optional(Duration(*micros)) : std::nullopt;
}

TimePoint ToTime(Micros micros) { return TimePoint(Duration(micros)); }

Json ToJson(nb::handle payload) { return Json::FromTrusted(ToJsonText(payload)); }

EnqueueOptions ToOptions(std::optional<Micros> delay, std::optional<Micros> visible_at,
                         int priority) {
  EnqueueOptions options;
  options.delay = ToDuration(delay);
  if (visible_at) options.visible_at = ToTime(*visible_at);
  options.priority = priority;
  return options;
}

// Of messages that nobody will hear of: they are given back.
constexpr auto kGiveBack = [](auto& done) {
  try {
    for (auto& message : done.Get()) message.ReleaseAsync();
  } catch (const Error&) {
    // Then there are none.
  }
};

auto TakeMessages(std::int64_t queue_id) {
  return [queue_id](auto& done) {
    nb::typed<nb::list, QueueMessage> list;
    for (const auto& message : done.Get()) list.append(ToPython(message, queue_id));
    return list;
  };
}

constexpr auto kTakeInfos = [](auto& done) {
  nb::typed<nb::list, QueueMessage> list;
  for (const auto& message : done.Get()) list.append(ToPython(message));
  return list;
};

// Something of the library whose end may wait for the database, and does so without the GIL.
template <typename T>
class Held {
 public:
  explicit Held(T object) : object_(std::move(object)) {}
  Held(Held&&) noexcept = default;
  Held& operator=(Held&&) noexcept = default;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (!object_) return;
    const nb::gil_scoped_release release;
    object_.reset();
  }
  T* operator->() { return &*object_; }
  const T* operator->() const { return &*object_; }

 private:
  std::optional<T> object_;
};

struct PyStore {
  Held<PgqrsStore> store;
};

// A consumer with the id of its queue, which its messages carry.
struct PyConsumer {
  Held<Consumer> consumer;
  std::int64_t queue_id;
};

Config ToConfig(const nb::dict& fields) {
  Config config(nb::cast<std::string>(fields["dsn"]));
  const auto set = [&](const char* name, auto& field) {
    if (fields.contains(name))
      field = nb::cast<std::remove_reference_t<decltype(field)>>(fields[name]);
  };
  const auto set_duration = [&](const char* name, Duration& field) {
    if (fields.contains(name)) field = Duration(nb::cast<Micros>(fields[name]));
  };
  set("schema", config.schema);
  set("install_schema", config.install_schema);
  set("max_connections", config.max_connections);
  set("max_read_ct", config.max_read_ct);
  set("max_payload_size", config.max_payload_size);
  set("max_string_length", config.max_string_length);
  set("max_object_depth", config.max_object_depth);
  set("forbidden_keys", config.forbidden_keys);
  set("required_keys", config.required_keys);
  set("max_enqueue_per_second", config.max_enqueue_per_second);
  set("max_enqueue_burst", config.max_enqueue_burst);
  set_duration("connection_timeout", config.connection_timeout);
  set_duration("default_lease", config.default_lease);
  set_duration("heartbeat_interval", config.heartbeat_interval);
  set_duration("fallback_poll_interval", config.fallback_poll_interval);
  return config;
}

void BindConsumer(nb::module_& module) {
  nb::class_<PyConsumer>(module, "Consumer")
      .def_prop_ro("worker_id", [](const PyConsumer& self) { return self.consumer->worker_id(); })
      .def(
          "dequeue",
          [](PyConsumer& self, int count, std::optional<Micros> lease) {
            return Request::New(
                [&] { return self.consumer->DequeueBatchAsync(count, ToDuration(lease)); },
                TakeMessages(self.queue_id), kGiveBack);
          },
          "count"_a, "lease"_a = nb::none())
      .def(
          "dequeue_wait",
          [](PyConsumer& self, int count, Micros timeout, std::optional<Micros> lease) {
            return Request::New(
                [&] {
                  return self.consumer->DequeueBatchWaitAsync(count, Duration(timeout),
                                                              ToDuration(lease));
                },
                TakeMessages(self.queue_id), kGiveBack);
          },
          "count"_a, "timeout"_a, "lease"_a = nb::none())
      .def("ack",
           [](PyConsumer& self, std::int64_t id) {
             return Request::New([&] { return self.consumer->AckAsync(id); }, kTake);
           })
      .def("ack_many",
           [](PyConsumer& self, const Ids& ids) {
             return Request::New([&] { return self.consumer->AckAsync(ids); }, kTake);
           })
      .def("release",
           [](PyConsumer& self, std::int64_t id, Micros delay) {
             return Request::New([&] { return self.consumer->ReleaseAsync(id, Duration(delay)); },
                                 kTake);
           })
      .def("release_many",
           [](PyConsumer& self, const Ids& ids, Micros delay) {
             return Request::New([&] { return self.consumer->ReleaseAsync(ids, Duration(delay)); },
                                 kTake);
           })
      .def("release_until",
           [](PyConsumer& self, std::int64_t id, Micros visible_at) {
             return Request::New(
                 [&] { return self.consumer->ReleaseUntilAsync(id, ToTime(visible_at)); }, kTake);
           })
      .def("extend_lease",
           [](PyConsumer& self, std::int64_t id, Micros lease) {
             return Request::New(
                 [&] { return self.consumer->ExtendLeaseAsync(id, Duration(lease)); }, kTake);
           })
      .def("delete",
           [](PyConsumer& self, std::int64_t id) {
             return Request::New([&] { return self.consumer->DeleteAsync(id); }, kTake);
           })
      .def("delete_many",
           [](PyConsumer& self, const Ids& ids) {
             return Request::New([&] { return self.consumer->DeleteAsync(ids); }, kTake);
           })
      .def("dead_letter",
           [](PyConsumer& self, std::int64_t id, const std::string& reason) {
             return Request::New([&] { return self.consumer->DeadLetterAsync(id, reason); }, kTake);
           })
      .def("status",
           [](PyConsumer& self) {
             return Request::New([&] { return self.consumer->StatusAsync(); }, kTake);
           })
      .def("set_status",
           [](PyConsumer& self, WorkerStatus status) {
             return Request::New([&] { return self.consumer->SetStatusAsync(status); },
                                 kTakeNothing);
           })
      .def("close", [](PyConsumer& self) {
        return Request::New([&] { return self.consumer->CloseAsync(); }, kTakeNothing);
      });
}

void BindQueue(nb::module_& module) {
  nb::class_<Queue>(module, "Queue")
      .def_prop_ro("id", &Queue::id)
      .def_prop_ro("name", [](const Queue& self) { return self.name(); })
      .def(
          "enqueue",
          [](Queue& self, nb::handle payload, std::optional<Micros> delay,
             std::optional<Micros> visible_at, int priority) {
            const auto json = ToJson(payload);
            return Request::New(
                [&] { return self.EnqueueAsync(json, ToOptions(delay, visible_at, priority)); },
                kTake);
          },
          "payload"_a.none(), "delay"_a = nb::none(), "visible_at"_a = nb::none(), "priority"_a = 5)
      .def(
          "enqueue_batch",
          [](Queue& self, const nb::typed<nb::list, nb::object>& payloads,
             std::optional<Micros> delay, std::optional<Micros> visible_at, int priority) {
            std::vector<Json> json;
            json.reserve(payloads.size());
            for (const auto payload : payloads) json.push_back(ToJson(payload));
            return Request::New(
                [&] {
                  return self.EnqueueBatchAsync(json, ToOptions(delay, visible_at, priority));
                },
                kTake);
          },
          "payloads"_a, "delay"_a = nb::none(), "visible_at"_a = nb::none(), "priority"_a = 5)
      .def("metrics",
           [](Queue& self) { return Request::New([&] { return self.MetricsAsync(); }, kTake); })
      .def(
          "archived",
          [](Queue& self, std::int64_t after_id, int limit) {
            return Request::New(
                [&] { return self.ListArchivedAsync({.after_id = after_id, .limit = limit}); },
                kTakeInfos);
          },
          "after_id"_a = 0, "limit"_a = 100)
      .def(
          "new_consumer",
          [](Queue& self, const std::string& name) {
            return Request::New([&] { return self.NewConsumerAsync(name); },
                                [id = self.id()](auto& done) {
                                  return nb::typed<nb::object, PyConsumer>(
                                      nb::cast(PyConsumer{Held(done.Get()), id}));
                                });
          },
          "name"_a = "");
}

}  // namespace

void BindStore(nb::module_& module) {
  BindConsumer(module);
  BindQueue(module);
  nb::class_<PyStore>(module, "Store")
      .def_prop_ro("worker_id", [](const PyStore& self) { return self.store->worker_id(); })
      .def("queue",
           [](PyStore& self, const std::string& name) {
             return Request::New([&] { return self.store->QueueAsync(name); }, kTake);
           })
      .def("create_queue",
           [](PyStore& self, const std::string& name) {
             return Request::New([&] { return self.store->CreateQueueAsync(name); }, kTake);
           })
      .def("open_queue",
           [](PyStore& self, const std::string& name) {
             return Request::New([&] { return self.store->OpenQueueAsync(name); }, kTake);
           })
      .def("delete_queue",
           [](PyStore& self, const std::string& name, bool force) {
             return Request::New([&] { return self.store->DeleteQueueAsync(name, force); },
                                 kTakeNothing);
           })
      .def("purge_queue",
           [](PyStore& self, const std::string& name) {
             return Request::New([&] { return self.store->PurgeQueueAsync(name); }, kTake);
           })
      .def("queues",
           [](PyStore& self) {
             return Request::New([&] { return self.store->ListQueuesAsync(); }, kTake);
           })
      .def("messages",
           [](PyStore& self, std::int64_t after_id, int limit) {
             return Request::New(
                 [&] {
                   return self.store->Admin().MessagesAsync({.after_id = after_id, .limit = limit});
                 },
                 kTakeInfos);
           })
      .def("metrics",
           [](PyStore& self) {
             return Request::New([&] { return self.store->Admin().MetricsAsync(); }, kTake);
           })
      .def("install",
           [](PyStore& self) {
             return Request::New([&] { return self.store->Admin().InstallAsync(); }, kTakeNothing);
           })
      .def("verify",
           [](PyStore& self) {
             return Request::New([&] { return self.store->Admin().VerifyAsync(); }, kTakeNothing);
           })
      .def("workers",
           [](PyStore& self) {
             return Request::New([&] { return self.store->Admin().WorkersAsync(); }, kTake);
           })
      .def("worker",
           [](PyStore& self, std::int64_t id) {
             return Request::New([&] { return self.store->Admin().WorkerAsync(id); }, kTake);
           })
      .def("stale_workers",
           [](PyStore& self, Micros timeout) {
             return Request::New(
                 [&] { return self.store->Admin().StaleWorkersAsync(Duration(timeout)); }, kTake);
           })
      .def("purge_stale_workers",
           [](PyStore& self, Micros timeout) {
             return Request::New(
                 [&] { return self.store->Admin().PurgeStaleWorkersAsync(Duration(timeout)); },
                 kTake);
           })
      .def("release_worker_messages", [](PyStore& self, std::int64_t id) {
        return Request::New([&] { return self.store->Admin().ReleaseWorkerMessagesAsync(id); },
                            kTake);
      });
  module.def("connect", [](const nb::typed<nb::dict, std::string, nb::object>& fields) {
    const auto config = ToConfig(fields);
    const nb::gil_scoped_release release;
    return PyStore{Held(PgqrsStore::Connect(config))};
  });
}

}  // namespace pgqrs::python
