#include "store.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <pgqrs/pgqrs.h>

#include <optional>
#include <string>
#include <type_traits>

#include "answers.h"
#include "arguments.h"
#include "gil.h"
#include "request.h"
#include "workflow.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

// The field of a configuration. ConfigError where it has another type.
template <typename T>
T FieldOf(const nb::dict& fields, const char* name) {
  try {
    return nb::cast<T>(fields[name]);
  } catch (const nb::cast_error&) {
    throw ConfigError(std::string(name) + ": cannot be " +
                      nb::cast<std::string>(nb::repr(fields[name])));
  }
}

Config ToConfig(const nb::dict& fields) {
  Config config(FieldOf<std::string>(fields, "dsn"));
  const auto set = [&](const char* name, auto& field) {
    field = FieldOf<std::remove_reference_t<decltype(field)>>(fields, name);
  };
  const auto set_duration = [&](const char* name, Duration& field) {
    field = ToDuration(FieldOf<Micros>(fields, name));
  };
  set("schema", config.schema);
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
  return config;
}

void BindQueues(nb::class_<PyStore>& store) {
  store
      .def(
          "create_queue",
          [](PyStore& self, const std::string& queue) {
            return Request::New([&] { return self.store->CreateQueueAsync(queue); }, kTake);
          },
          "queue"_a)
      .def(
          "open_queue",
          [](PyStore& self, const std::string& queue) {
            return Request::New([&] { return self.store->OpenQueueAsync(queue); }, kTake);
          },
          "queue"_a)
      .def(
          "delete_queue",
          [](PyStore& self, const std::string& queue, bool force) {
            return Request::New([&] { return self.store->DeleteQueueAsync(queue, force); },
                                kTakeNothing);
          },
          "queue"_a, "force"_a)
      .def(
          "purge_queue",
          [](PyStore& self, const std::string& queue) {
            return Request::New([&] { return self.store->PurgeQueueAsync(queue); }, kTake);
          },
          "queue"_a)
      .def("queues",
           [](PyStore& self) {
             return Request::New([&] { return self.store->ListQueuesAsync(); }, kTake);
           })
      .def("metrics", [](PyStore& self) {
        return Request::New([&] { return self.store->Admin().MetricsAsync(); }, kTake);
      });
}

void BindWorkers(nb::class_<PyStore>& store) {
  store
      .def("workers",
           [](PyStore& self) {
             return Request::New([&] { return self.store->Admin().WorkersAsync(); }, kTake);
           })
      .def(
          "worker",
          [](PyStore& self, Int worker_id) {
            return Request::New([&] { return self.store->Admin().WorkerAsync(worker_id.value); },
                                kTake);
          },
          "worker_id"_a)
      .def(
          "worker_health",
          [](PyStore& self, std::optional<Micros> timeout) {
            return Request::New(
                [&] { return self.store->Admin().WorkerHealthAsync(ToDuration(timeout)); }, kTake);
          },
          "timeout"_a = nb::none())
      .def(
          "purge_stale_workers",
          [](PyStore& self, Micros timeout) {
            return Request::New(
                [&] { return self.store->Admin().PurgeStaleWorkersAsync(ToDuration(timeout)); },
                kTake);
          },
          "timeout"_a)
      .def(
          "release_worker_messages",
          [](PyStore& self, Int worker_id) {
            return Request::New(
                [&] { return self.store->Admin().ReleaseWorkerMessagesAsync(worker_id.value); },
                kTake);
          },
          "worker_id"_a);
}

}  // namespace

void BindStore(nb::module_& module) {
  nb::class_<PyStore> store(module, "Store");
  BindQueues(store);
  BindWorkers(store);
  BindWorkflows(module, store);
  store.def_prop_ro("worker_id", [](const PyStore& self) { return self.store->worker_id(); })
      .def("close", [](PyStore& self) { self.store.Drop(); })
      .def(
          "find_message",
          [](PyStore& self, Int message_id) {
            return Request::New([&] { return self.store->FindMessageAsync(message_id.value); },
                                kTakeInfo);
          },
          "message_id"_a)
      .def(
          "messages",
          [](PyStore& self, Int after_id, Int limit) {
            return Request::New(
                [&] {
                  return self.store->Admin().MessagesAsync(
                      {.after_id = after_id.value, .limit = ToInt(limit)});
                },
                kTakeInfos);
          },
          "after_id"_a, "limit"_a)
      .def("install",
           [](PyStore& self) {
             return Request::New([&] { return self.store->Admin().InstallAsync(); }, kTakeNothing);
           })
      .def("verify", [](PyStore& self) {
        return Request::New([&] { return self.store->Admin().VerifyAsync(); }, kTakeNothing);
      });
  module.def(
      "connect",
      [](const nb::typed<nb::dict, std::string, nb::object>& fields) {
        const auto config = ToConfig(fields);
        const ReleasedGil released;
        return PyStore{Held(PgqrsStore::Connect(config))};
      },
      "fields"_a);
}

}  // namespace pgqrs::python
