#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <pgqrs/pgqrs.h>

#include <optional>
#include <string>

#include "json_text.h"
#include "records.h"
#include "workflow.h"

namespace nb = nanobind;

namespace pgqrs::python {
namespace {

// Steps know Running, Success and Error.
RunStatus ToRunStatus(StepStatus status) {
  switch (status) {
    case StepStatus::kRunning:
      return RunStatus::kRunning;
    case StepStatus::kSuccess:
      return RunStatus::kSuccess;
    case StepStatus::kError:
      return RunStatus::kError;
  }
  return RunStatus::kRunning;
}

void BindStatus(nb::module_& module) {
  nb::enum_<RunStatus>(
      module, "WorkflowStatus",
      "The state of a run, and of a step.\n\n"
      "A run goes from Queued to Running, and from there to Success, Error, Paused\n"
      "or, by way of Cancelling, to Cancelled. It stays Running while it sleeps or\n"
      "waits. A step is Running, Success or Error.\n\n"
      "Example:\n"
      "    >>> run = await pgqrs.admin(store).create_workflow(\"greet\", \"ada\")\n"
      "    >>> (await run.info()).status is pgqrs.WorkflowStatus.Queued\n"
      "    True\n")
      .value("Queued", RunStatus::kQueued)
      .value("Running", RunStatus::kRunning)
      .value("Paused", RunStatus::kPaused)
      .value("Success", RunStatus::kSuccess)
      .value("Error", RunStatus::kError)
      .value("Cancelling", RunStatus::kCancelling)
      .value("Cancelled", RunStatus::kCancelled);
}

void BindWorkflow(nb::module_& module) {
  nb::class_<WorkflowInfo>(
      module, "WorkflowRecord",
      "A workflow, as the database knows it.\n\n"
      "Example:\n"
      "    >>> record = await pgqrs.workflow().name(\"greet\").store(store).create()\n"
      "    >>> record.name\n"
      "    'greet'\n")
      .def_ro("id", &WorkflowInfo::id, "What runs call it.")
      .def_ro("name", &WorkflowInfo::name, "Its name, which is that of its queue.")
      .def_ro("queue_id", &WorkflowInfo::queue_id, "The queue in which its runs wait.")
      .def_prop_ro(
          "created_at", [](const WorkflowInfo& self) { return ToIso(self.created_at); },
          "When it was made (ISO 8601).")
      .def("__repr__", [](const WorkflowInfo& self) {
        return "WorkflowRecord(id=" + std::to_string(self.id) +
               ", name=" + nb::cast<std::string>(nb::repr(nb::cast(self.name))) + ")";
      });
}

void BindRun(nb::module_& module) {
  nb::class_<RunInfo>(
      module, "RunRecord",
      "A run, as the database has it. Its id is that of the message that triggered\n"
      "it.\n\n"
      "Example:\n"
      "    >>> run = await pgqrs.admin(store).create_workflow(\"greet\", \"ada\")\n"
      "    >>> [record] = await (await store.get_workflow_runs()).list()\n"
      "    >>> record.input, record.id == record.message_id == run.id()\n"
      "    ('ada', True)\n")
      .def_ro("id", &RunInfo::id, "The id of the run.")
      .def_ro("workflow_id", &RunInfo::workflow_id, "The id of its workflow.")
      .def_ro("workflow_name", &RunInfo::workflow_name, "The name of its workflow.")
      .def_ro("message_id", &RunInfo::id, "The message that triggered it: the same number.")
      .def_ro("status", &RunInfo::status, "Its state.")
      .def_ro("version", &RunInfo::version,
              "The version of the code that executes it. None until it is started.")
      .def_prop_ro(
          "idempotency_key",
          [](const RunInfo& self) {
            return self.idempotency_key.empty() ? std::nullopt
                                                : std::optional(self.idempotency_key);
          },
          "The key that it was triggered with.")
      .def_ro("priority", &RunInfo::priority, "0 (first) to 9.")
      .def_ro("parent_id", &RunInfo::parent_id, "The run that has triggered it.")
      .def_prop_ro(
          "input", [](const RunInfo& self) { return FromJsonText(self.input.text()); },
          nb::for_getter(nb::sig("def input(self) -> typing.Any")), "What it was triggered with.")
      .def_prop_ro(
          "output", [](const RunInfo& self) { return FromJson(self.output); },
          nb::for_getter(nb::sig("def output(self) -> typing.Any")),
          "What it has given. None until it succeeds.")
      .def_prop_ro(
          "error", [](const RunInfo& self) { return FromJson(self.error); },
          nb::for_getter(nb::sig("def error(self) -> dict[str, typing.Any] | None")),
          "Why it failed, or is paused: message, code, is_transient, and the step where it was.")
      .def_prop_ro(
          "created_at", [](const RunInfo& self) { return ToIso(self.created_at); },
          "When it was triggered (ISO 8601).")
      .def_prop_ro(
          "updated_at", [](const RunInfo& self) { return ToIso(self.updated_at); },
          "When its state changed the last time (ISO 8601).")
      .def_prop_ro(
          "started_at", [](const RunInfo& self) { return IsoOrNone(self.started_at); },
          "When it was started the first time (ISO 8601).")
      .def_prop_ro(
          "finished_at", [](const RunInfo& self) { return IsoOrNone(self.finished_at); },
          "When it ended (ISO 8601).")
      .def("__repr__", [](const RunInfo& self) {
        return "RunRecord(id=" + std::to_string(self.id) +
               ", workflow_name=" + nb::cast<std::string>(nb::repr(nb::cast(self.workflow_name))) +
               ", status=" + std::string(ToString(self.status)) + ")";
      });
}

void BindStep(nb::module_& module) {
  nb::class_<StepInfo>(
      module, "StepRecord",
      "A step of a run, as the database has it.\n\n"
      "Example:\n"
      "    >>> run = await pgqrs.admin(store).create_workflow(\"greet\", \"ada\")\n"
      "    >>> await run.complete_step(\"compose\", \"Hello ada\")\n"
      "    >>> [record] = await (await store.get_workflow_steps()).list()\n"
      "    >>> record.step_name, record.status, record.output\n"
      "    ('compose', WorkflowStatus.Success, 'Hello ada')\n")
      .def_ro("id", &StepInfo::id, "Of the record.")
      .def_ro("run_id", &StepInfo::run_id, "The run that it is of.")
      .def_ro("step_name", &StepInfo::name, "Its name.")
      .def_ro("ordinal", &StepInfo::ordinal, "Which call of that name it is, from 0.")
      .def_prop_ro(
          "kind", [](const StepInfo& self) { return std::string(ToString(self.kind)); },
          "Step, Transaction, Sleep, Now, Uuid, Event or Child.")
      .def_prop_ro(
          "status", [](const StepInfo& self) { return ToRunStatus(self.status); },
          "Running, Success or Error.")
      .def_ro("attempts", &StepInfo::attempts, "How often it was tried.")
      .def_prop_ro(
          "input", [](const StepInfo& self) { return FromJson(self.input); },
          nb::for_getter(nb::sig("def input(self) -> typing.Any")),
          "Not recorded by this package: the arguments follow from the run's input.")
      .def_prop_ro(
          "output", [](const StepInfo& self) { return FromJson(self.output); },
          nb::for_getter(nb::sig("def output(self) -> typing.Any")), "What it has given.")
      .def_prop_ro(
          "error", [](const StepInfo& self) { return FromJson(self.error); },
          nb::for_getter(nb::sig("def error(self) -> dict[str, typing.Any] | None")),
          "Why its last try failed: message, code, is_transient.")
      .def_prop_ro(
          "retry_at", [](const StepInfo& self) { return IsoOrNone(self.retry_at); },
          "When it may be tried again (ISO 8601).")
      .def_prop_ro(
          "wake_at", [](const StepInfo& self) { return IsoOrNone(self.wake_at); },
          "When a sleep, or the wait for an event, ends (ISO 8601).")
      .def_ro("child_id", &StepInfo::child_id, "The run that it has triggered.")
      .def_prop_ro(
          "created_at", [](const StepInfo& self) { return ToIso(self.created_at); },
          "When it was recorded first (ISO 8601).")
      .def_prop_ro(
          "updated_at", [](const StepInfo& self) { return ToIso(self.updated_at); },
          "When it was recorded the last time (ISO 8601).")
      .def("__repr__", [](const StepInfo& self) {
        return "StepRecord(run_id=" + std::to_string(self.run_id) +
               ", step_name=" + nb::cast<std::string>(nb::repr(nb::cast(self.name))) +
               ", status=" + std::string(ToString(self.status)) + ")";
      });
}

}  // namespace

void BindWorkflowRecords(nb::module_& module) {
  BindStatus(module);
  BindWorkflow(module);
  BindRun(module);
  BindStep(module);
}

}  // namespace pgqrs::python
