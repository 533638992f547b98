#include "workflow.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <pgqrs/pgqrs.h>

#include <optional>
#include <string>
#include <vector>

#include "answers.h"
#include "arguments.h"
#include "json_text.h"
#include "request.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

constexpr auto kTakeId = [](auto& done) {
  return nb::typed<nb::object, std::int64_t>(nb::cast(done.Get().id()));
};

// The text itself, for who reads it in another way.
constexpr auto kTakeText = [](auto& done) {
  return nb::typed<nb::object, std::string>(nb::cast(done.Get().text()));
};

RunFilter ToFilter(const std::string& workflow, const std::vector<RunStatus>& statuses,
                   const std::string& idempotency_key, std::optional<Int> parent_id,
                   std::optional<Micros> created_from, std::optional<Micros> created_to,
                   bool newest_first, Int after_id, Int limit) {
  RunFilter filter;
  filter.workflow = workflow;
  filter.statuses = statuses;
  filter.idempotency_key = idempotency_key;
  if (parent_id) filter.parent_id = parent_id->value;
  if (created_from) filter.created_from = ToTime(*created_from);
  if (created_to) filter.created_to = ToTime(*created_to);
  if (newest_first) filter.order = ListOrder::kNewestFirst;
  filter.after_id = after_id.value;
  filter.limit = ToInt(limit);
  return filter;
}

void BindDefinitions(nb::class_<PyStore>& store) {
  store
      .def(
          "create_workflow",
          [](PyStore& self, const std::string& name) {
            return Request::New([&] { return self.store->Workflows().CreateAsync(name); }, kTake);
          },
          "name"_a)
      .def(
          "find_workflow",
          [](PyStore& self, const std::string& name) {
            return Request::New([&] { return self.store->Workflows().FindAsync(name); }, kTake);
          },
          "name"_a)
      .def("workflows",
           [](PyStore& self) {
             return Request::New([&] { return self.store->Workflows().ListAsync(); }, kTake);
           })
      .def(
          "trigger",
          [](PyStore& self, const std::string& name, nb::handle input, const std::string& key,
             std::optional<Micros> delay, Int priority) {
            const auto json = ToJson(input);
            const TriggerOptions options = {
                .idempotency_key = key, .delay = ToDuration(delay), .priority = ToInt(priority)};
            return Request::New(
                [&] { return self.store->Workflows().TriggerAsync(name, json, options); }, kTakeId);
          },
          "name"_a, "input"_a.none(), "idempotency_key"_a, "delay"_a.none(), "priority"_a)
      .def(
          "apply_run_retention",
          [](PyStore& self, const std::string& name, std::optional<Micros> max_age,
             std::optional<Int> max_count) {
            RunRetention retention;
            retention.max_age = ToDuration(max_age);
            if (max_count) retention.max_count = max_count->value;
            return Request::New(
                [&] { return self.store->Workflows().ApplyRetentionAsync(name, retention); },
                kTake);
          },
          "name"_a, "max_age"_a.none(), "max_count"_a.none());
}

// A run of which only the id is known, without a look at the database.
RunHandle Handle(PyStore& self, Int run_id) { return self.store->Workflows().Handle(run_id.value); }

void BindRuns(nb::class_<PyStore>& store) {
  store
      .def(
          "run_info",
          [](PyStore& self, Int run_id) {
            return Request::New([&] { return Handle(self, run_id).InfoAsync(); }, kTake);
          },
          "run_id"_a)
      .def(
          "run_result",
          [](PyStore& self, Int run_id, std::optional<Micros> timeout) {
            return Request::New(
                [&] { return Handle(self, run_id).ResultJsonAsync(ToDuration(timeout)); },
                kTakeText);
          },
          "run_id"_a, "timeout"_a.none())
      .def(
          "cancel_run",
          [](PyStore& self, Int run_id) {
            return Request::New([&] { return Handle(self, run_id).CancelAsync(); }, kTake);
          },
          "run_id"_a)
      .def(
          "pause_run",
          [](PyStore& self, Int run_id) {
            return Request::New([&] { return Handle(self, run_id).PauseAsync(); }, kTakeNothing);
          },
          "run_id"_a)
      .def(
          "resume_run",
          [](PyStore& self, Int run_id) {
            return Request::New([&] { return Handle(self, run_id).ResumeAsync(); }, kTakeNothing);
          },
          "run_id"_a)
      .def(
          "retry_run",
          [](PyStore& self, Int run_id) {
            return Request::New([&] { return self.store->Workflows().RetryAsync(run_id.value); },
                                kTakeNothing);
          },
          "run_id"_a)
      .def(
          "fork_run",
          [](PyStore& self, Int run_id, const std::string& from_step, Int ordinal,
             std::optional<Int> version) {
            ForkOptions options;
            if (version) options.version = ToInt(*version);
            return Request::New(
                [&] {
                  return self.store->Workflows().ForkAsync(run_id.value, from_step, ToInt(ordinal),
                                                           options);
                },
                kTakeId);
          },
          "run_id"_a, "from_step"_a, "ordinal"_a, "version"_a.none())
      .def(
          "send_event",
          [](PyStore& self, Int run_id, const std::string& name, nb::handle payload) {
            const auto json = ToJson(payload);
            return Request::New(
                [&] { return self.store->Workflows().SendEventAsync(run_id.value, name, json); },
                kTakeNothing);
          },
          "run_id"_a, "name"_a, "payload"_a.none());
}

void BindLists(nb::class_<PyStore>& store) {
  store
      .def(
          "runs",
          [](PyStore& self, const std::string& workflow, const std::vector<RunStatus>& statuses,
             const std::string& idempotency_key, std::optional<Int> parent_id,
             std::optional<Micros> created_from, std::optional<Micros> created_to,
             bool newest_first, Int after_id, Int limit) {
            const auto filter = ToFilter(workflow, statuses, idempotency_key, parent_id,
                                         created_from, created_to, newest_first, after_id, limit);
            return Request::New([&] { return self.store->Workflows().RunsAsync(filter); }, kTake);
          },
          "workflow"_a, "statuses"_a, "idempotency_key"_a, "parent_id"_a.none(),
          "created_from"_a.none(), "created_to"_a.none(), "newest_first"_a, "after_id"_a, "limit"_a)
      .def(
          "cancel_runs",
          [](PyStore& self, const std::string& workflow, const std::vector<RunStatus>& statuses,
             const std::string& idempotency_key, std::optional<Int> parent_id,
             std::optional<Micros> created_from, std::optional<Micros> created_to) {
            const auto filter = ToFilter(workflow, statuses, idempotency_key, parent_id,
                                         created_from, created_to, false, {}, {100});
            return Request::New([&] { return self.store->Workflows().CancelManyAsync(filter); },
                                kTake);
          },
          "workflow"_a, "statuses"_a, "idempotency_key"_a, "parent_id"_a.none(),
          "created_from"_a.none(), "created_to"_a.none())
      .def(
          "steps",
          [](PyStore& self, std::optional<Int> run_id, const std::string& name, Int after_id,
             Int limit) {
            StepFilter filter;
            if (run_id) filter.run_id = run_id->value;
            filter.name = name;
            filter.after_id = after_id.value;
            filter.limit = ToInt(limit);
            return Request::New([&] { return self.store->Workflows().StepsAsync(filter); }, kTake);
          },
          "run_id"_a.none(), "name"_a, "after_id"_a, "limit"_a);
}

}  // namespace

void BindWorkflows(nb::module_& module, nb::class_<PyStore>& store) {
  BindDefinitions(store);
  BindRuns(store);
  BindLists(store);
  BindRunControl(module, store);
}

}  // namespace pgqrs::python
