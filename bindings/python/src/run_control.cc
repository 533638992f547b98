#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>
#include <pgqrs/pgqrs.h>

#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "answers.h"
#include "arguments.h"
#include "errors.h"
#include "gil.h"
#include "json_text.h"
#include "request.h"
#include "workflow.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace pgqrs::python {
namespace {

// Outcomes are small ints, of which 0 is the usual one: `if await …` asks for the others.
constexpr auto kTakeOutcome = [](auto& done) {
  return nb::typed<nb::object, int>(nb::int_(static_cast<int>(done.Get())));
};

std::optional<Json> ToJsonOrNone(nb::handle value) {
  return value.is_none() ? std::nullopt : std::optional(ToJson(value));
}

std::optional<TimePoint> ToTimeOrNone(std::optional<Micros> micros) {
  return micros ? std::optional(ToTime(*micros)) : std::nullopt;
}

std::optional<std::int64_t> ToMicros(const std::optional<TimePoint>& time) {
  return time ? std::optional<std::int64_t>(time->time_since_epoch().count()) : std::nullopt;
}

using StartedObject = nb::typed<nb::object, RunControl>;

// ---- Steps

void BindClaimedStep(nb::module_& module) {
  nb::class_<ClaimedStep>(module, "ClaimedStep")
      .def_ro("name", &ClaimedStep::name)
      .def_ro("ordinal", &ClaimedStep::ordinal)
      .def_ro("is_recorded", &ClaimedStep::is_recorded)
      .def_ro("child_id", &ClaimedStep::child_id)
      .def_rw("attempts", &ClaimedStep::attempts)
      .def_prop_ro("is_success",
                   [](const ClaimedStep& self) {
                     return self.is_recorded && self.status == StepStatus::kSuccess;
                   })
      .def_prop_ro("is_error",
                   [](const ClaimedStep& self) {
                     return self.is_recorded && self.status == StepStatus::kError;
                   })
      .def_prop_ro("retry_at", [](const ClaimedStep& self) { return ToMicros(self.retry_at); })
      .def_prop_ro("wake_at", [](const ClaimedStep& self) { return ToMicros(self.wake_at); })
      .def(
          "set_wake_at",
          [](ClaimedStep& self, std::optional<Micros> time) { self.wake_at = ToTimeOrNone(time); },
          "time"_a.none())
      .def(
          "output", [](const ClaimedStep& self) { return FromJson(self.output); },
          nb::sig("def output(self) -> typing.Any"))
      .def("output_text",
           [](const ClaimedStep& self) {
             return self.output ? self.output->text() : std::string("null");
           })
      .def(
          "error", [](const ClaimedStep& self) { return FromJson(self.error); },
          nb::sig("def error(self) -> typing.Any"))
      .def("set_running",
           [](ClaimedStep& self) {
             self.status = StepStatus::kRunning;
             self.output.reset();
             self.error.reset();
             self.retry_at.reset();
           })
      .def(
          "set_success",
          [](ClaimedStep& self, nb::handle output) {
            self.output = ToJson(output);
            self.status = StepStatus::kSuccess;
            self.error.reset();
            self.retry_at.reset();
          },
          "output"_a.none())
      .def(
          "set_error",
          [](ClaimedStep& self, nb::handle error, std::optional<Micros> retry_at) {
            self.error = ToJson(error);
            self.status = StepStatus::kError;
            self.output.reset();
            self.retry_at = ToTimeOrNone(retry_at);
          },
          "error"_a, "retry_at"_a.none());
}

// ---- Transactions

std::string ToText(nb::handle text, std::string_view argument) {
  const std::string name(argument);
  if (!PyUnicode_Check(text.ptr())) {
    const auto type =
        name + ": a str is wanted, not " + nb::cast<std::string>(nb::str(text.type()));
    throw nb::type_error(type.c_str());
  }
  Py_ssize_t size = 0;
  const char* const bytes = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (bytes != nullptr) return {bytes, static_cast<std::size_t>(size)};
  PyErr_Clear();
  throw ValidationError(name + ": a str holds a lone surrogate, which is no Unicode text");
}

SqlValue ToSql(nb::handle value) {
  PyObject* const object = value.ptr();
  if (value.is_none()) return std::monostate();
  if (PyBool_Check(object)) return std::int64_t{object == Py_True ? 1 : 0};
  if (PyLong_Check(object)) {
    int overflow = 0;
    const auto number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow != 0) throw ValidationError("parameters: an int has more than 64 bits");
    return std::int64_t{number};
  }
  if (PyFloat_Check(object)) return PyFloat_AsDouble(object);
  if (PyUnicode_Check(object)) return ToText(value, "parameters");
  if (PyBytes_Check(object)) {
    const auto bytes = nb::borrow<nb::bytes>(value);
    const auto* begin = static_cast<const std::byte*>(bytes.data());
    return Blob(begin, begin + bytes.size());
  }
  throw ValidationError("parameters: None, bool, int, float, str and bytes are possible, and not " +
                        nb::cast<std::string>(nb::str(value.type())));
}

std::vector<SqlValue> ToSqls(const nb::sequence& values) {
  PyObject* const object = values.ptr();
  if (PyUnicode_Check(object) || PyBytes_Check(object) || PyByteArray_Check(object)) {
    throw nb::type_error("parameters: a list or a tuple is wanted, not a single text");
  }
  std::vector<SqlValue> parameters;
  for (const auto value : values) parameters.push_back(ToSql(value));
  return parameters;
}

nb::object ToObject(const SqlValue& value) {
  return std::visit(
      [](const auto& content) -> nb::object {
        using T = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nb::none();
        } else if constexpr (std::is_same_v<T, Blob>) {
          return nb::bytes(content.data(), content.size());
        } else {
          return nb::cast(content);
        }
      },
      value);
}

// What a body gets. Its transaction ends with the body, whatever threads the body has left behind:
// one statement runs at a time, and the end waits for it. Never locked with the GIL.
class PyTransaction {
 public:
  explicit PyTransaction(Transaction& transaction) : transaction_(&transaction) {}

  template <typename F>
  auto Use(const F& use) {
    const ReleasedGil released;
    const std::lock_guard lock(*mutex_);
    if (transaction_ == nullptr) throw Error("the transaction is over");
    return use(*transaction_);
  }

  void End() {
    const ReleasedGil released;
    const std::lock_guard lock(*mutex_);
    transaction_ = nullptr;
  }

 private:
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  Transaction* transaction_;
};

using Rows = nb::typed<nb::list, nb::typed<nb::tuple, nb::any, nb::ellipsis>>;

void BindTransaction(nb::module_& module) {
  nb::class_<PyTransaction>(
      module, "Transaction",
      "The transaction of a step, in which its record is stored too.\n\n"
      "Statements are those of the database that the store is in, with ? as parameters on SQLite\n"
      "and Turso and $1 on Postgres. Valid inside of the step alone, which runs in a thread.\n\n"
      "Example:\n"
      "    >>> @pgqrs.transaction_step\n"
      "    ... def book(transaction: pgqrs.Transaction, amount: int) -> int:\n"
      "    ...     transaction.execute(\"CREATE TABLE IF NOT EXISTS book (amount int)\")\n"
      "    ...     transaction.execute(\"INSERT INTO book VALUES (?)\", [amount])\n"
      "    ...     return transaction.query(\"SELECT sum(amount) FROM book\")[0][0]\n"
      "    >>> @pgqrs.workflow\n"
      "    ... async def keep_books(run: pgqrs.Run, amount: int) -> int:\n"
      "    ...     return await book(run, amount)\n"
      "    >>> run = await pgqrs.admin(store).create_workflow(\"keep_books\", 5)\n"
      "    >>> await keep_books(run, run.input)\n"
      "    5\n")
      .def(
          "execute",
          [](PyTransaction& self, nb::handle sql, const nb::sequence& parameters) {
            const auto text = ToText(sql, "sql");
            const auto values = ToSqls(parameters);
            return self.Use(
                [&](Transaction& transaction) { return transaction.Execute(text, values); });
          },
          "sql"_a, "parameters"_a = nb::tuple(),
          nb::sig("def execute(self, sql: str, parameters: collections.abc.Sequence[None | bool | "
                  "int | "
                  "float | str | bytes] = ()) -> int"),
          "Runs a statement, and gives how many rows it has inserted, updated or deleted.")
      .def(
          "query",
          [](PyTransaction& self, nb::handle sql, const nb::sequence& parameters) {
            const auto text = ToText(sql, "sql");
            const auto values = ToSqls(parameters);
            const auto rows =
                self.Use([&](Transaction& transaction) { return transaction.Query(text, values); });
            Rows list;
            for (const auto& row : rows) {
              nb::list cells;
              for (const auto& cell : row) cells.append(ToObject(cell));
              list.append(nb::tuple(cells));
            }
            return list;
          },
          "sql"_a, "parameters"_a = nb::tuple(),
          nb::sig(
              "def query(self, sql: str, parameters: collections.abc.Sequence[None | bool | int | "
              "float | str | bytes] = ()) -> list[tuple[typing.Any, ...]]"),
          "Runs a statement, and gives its rows as tuples of None, int, float, str and bytes.");
}

// Thrown through the library in place of what a body has raised.
struct BodyRaised : std::runtime_error {
  BodyRaised() : std::runtime_error("the body raised") {}
};

// Runs the body in this thread. Gives the outcome, or raises what the body has raised as
// `(exception,)`, so that it can be told from an error of the database.
nb::object Transact(RunControl& self, ClaimedStep& step, const nb::callable& body) {
  nb::object raised;
  bool body_threw = false;
  auto outcome = RunOutcome::kStale;
  try {
    const ReleasedGil released;
    outcome = self.Transact(
        step,
        [&](Transaction& transaction) {
          const nb::gil_scoped_acquire acquired;
          raised.reset();
          const auto given = nb::cast(PyTransaction(transaction));
          try {
            auto output = ToJson(body(given), "output");
            nb::cast<PyTransaction&>(given).End();
            return output;
          } catch (...) {
            nb::cast<PyTransaction&>(given).End();
            raised = ExceptionFor(std::current_exception());
          }
          throw BodyRaised();
        },
        body_threw);
  } catch (...) {
    if (!body_threw) throw;
    if (raised.is_valid()) return nb::make_tuple(raised);
    return nb::make_tuple(ExceptionFor(std::current_exception()));  // Its output cannot be stored.
  }
  return nb::int_(static_cast<int>(outcome));
}

// ---- Executions

void BindClaims(nb::class_<RunControl>& control) {
  control
      .def(
          "claim",
          [](RunControl& self, const std::string& scope, std::string_view name, int kind) {
            return self.Claim(scope, name, static_cast<StepKind>(kind));
          },
          "scope"_a, "name"_a, "kind"_a)
      .def("find", &RunControl::Find, "name"_a)
      .def("get", &RunControl::Get, "name"_a, "ordinal"_a)
      .def("check_end", &RunControl::CheckEnd)
      // The step as it is.
      .def(
          "record",
          [](RunControl& self, const ClaimedStep& step) {
            if (step.output) self.CheckOutput(*step.output);
            return Request::New([&] { return self.RecordAsync(step); }, kTakeOutcome);
          },
          "step"_a)
      // What most steps do: one call.
      .def(
          "succeed",
          [](RunControl& self, ClaimedStep& step, nb::handle output) {
            step.output = ToJson(output, "output");
            self.CheckOutput(*step.output);
            ++step.attempts;
            step.status = StepStatus::kSuccess;
            step.error.reset();
            step.retry_at.reset();
            return Request::New([&] { return self.RecordAsync(step); }, kTakeOutcome);
          },
          "step"_a, "output"_a.none());
}

void BindEnds(nb::class_<RunControl>& control) {
  control
      .def(
          "suspend",
          [](RunControl& self, const nb::typed<nb::list, ClaimedStep>& steps,
             std::optional<Micros> until, const std::vector<std::string>& events, bool children) {
            RunWaitFor wait = {
                .until = ToTimeOrNone(until), .events = events, .children = children};
            for (const auto step : steps) wait.steps.push_back(nb::cast<ClaimedStep&>(step));
            return Request::New([&] { return self.SuspendAsync(wait); }, kTakeOutcome);
          },
          "steps"_a, "until"_a.none(), "events"_a, "children"_a)
      .def(
          "give_back",
          [](RunControl& self, Micros delay) {
            return Request::New([&] { return self.GiveBackAsync(ToDuration(delay)); },
                                kTakeOutcome);
          },
          "delay"_a)
      .def(
          "pause",
          [](RunControl& self, nb::handle reason, std::optional<Micros> resume_after,
             const nb::typed<nb::list, ClaimedStep>& steps) {
            const auto json = ToJsonOrNone(reason);
            std::vector<ClaimedStep> recorded;
            for (const auto step : steps) recorded.push_back(nb::cast<ClaimedStep&>(step));
            return Request::New(
                [&] { return self.PauseAsync(json, ToDuration(resume_after), recorded); },
                kTakeOutcome);
          },
          "reason"_a.none(), "resume_after"_a.none(), "steps"_a)
      .def(
          "finish",
          [](RunControl& self, nb::handle output) {
            const auto json = ToJson(output, "output");
            self.CheckOutput(json);
            return Request::New(
                [&] { return self.FinishAsync(RunStatus::kSuccess, json, std::nullopt); },
                kTakeOutcome);
          },
          "output"_a.none())
      .def(
          "fail",
          [](RunControl& self, nb::handle error) {
            const auto json = ToJson(error);
            return Request::New(
                [&] { return self.FinishAsync(RunStatus::kError, std::nullopt, json); },
                kTakeOutcome);
          },
          "error"_a)
      .def("cancel", [](RunControl& self) {
        return Request::New(
            [&] { return self.FinishAsync(RunStatus::kCancelled, std::nullopt, std::nullopt); },
            kTakeOutcome);
      });
}

void BindWaits(nb::class_<RunControl>& control) {
  control
      // Gives the outcome, and the event's payload in a tuple of one where there is one.
      .def(
          "receive",
          [](RunControl& self, const ClaimedStep& step, const std::string& event) {
            return Request::New(
                [&] { return self.ReceiveAsync(step, event); },
                [](auto& done) {
                  const auto received = done.Get();
                  const auto payload =
                      received.payload
                          ? nb::object(nb::make_tuple(FromJsonText(received.payload->text())))
                          : nb::object(nb::none());
                  return nb::typed<nb::tuple, int, nb::any>(
                      nb::make_tuple(static_cast<int>(received.outcome), payload));
                });
          },
          "step"_a, "event"_a)
      // Gives the outcome, and the id of the child.
      .def(
          "child",
          [](RunControl& self, const ClaimedStep& step, const std::string& workflow,
             nb::handle input, Int priority, std::optional<Micros> delay,
             std::optional<Int> version) {
            const auto json = ToJson(input, "input");
            const ChildOptions options = {.priority = ToInt(priority), .delay = ToDuration(delay)};
            const auto number = version ? std::optional(ToInt(*version)) : std::nullopt;
            return Request::New(
                [&] { return self.ChildAsync(step, workflow, json, options, number); },
                [](auto& done) {
                  const auto child = done.Get();
                  return nb::typed<nb::tuple, int, int>(
                      nb::make_tuple(static_cast<int>(child.outcome), child.id));
                });
          },
          "step"_a, "workflow"_a, "input"_a.none(), "priority"_a, "delay"_a.none(),
          "version"_a.none())
      .def("transact", &Transact, "step"_a, "body"_a,
           nb::sig("def transact(self, step: ClaimedStep, body: "
                   "collections.abc.Callable[[Transaction], typing.Any]) "
                   "-> int | tuple[BaseException]"));
}

}  // namespace

void BindRunControl(nb::module_& module, nb::class_<PyStore>& store) {
  BindClaimedStep(module);
  BindTransaction(module);
  nb::class_<RunControl> control(module, "RunControl");
  control.def_prop_ro("id", &RunControl::id)
      .def_prop_ro("outcome",
                   [](const RunControl& self) { return static_cast<int>(self.outcome()); })
      .def_prop_ro("status", &RunControl::status)
      .def_prop_ro("version", &RunControl::version)
      .def(
          "input", [](const RunControl& self) { return FromJsonText(self.input().text()); },
          nb::sig("def input(self) -> typing.Any"))
      .def("input_text", [](const RunControl& self) { return self.input().text(); })
      .def("now",
           [](const RunControl& self) { return self.CurrentTime().time_since_epoch().count(); });
  BindClaims(control);
  BindWaits(control);
  BindEnds(control);
  const auto take = [](auto& done) { return StartedObject(nb::cast(done.Get())); };
  store
      .def(
          "start_run",
          [take](PyStore& self, Int run_id, Int queue_id, nb::handle payload,
                 std::optional<Int> version) {
            const auto json = ToJson(payload);
            const RunTicket ticket = {.run_id = run_id.value, .queue_id = queue_id.value};
            const auto number = version ? std::optional(ToInt(*version)) : std::nullopt;
            return Request::New(
                [&] {
                  return RunControl::StartAsync(*self.store.operator->(), ticket, json, number);
                },
                take);
          },
          "run_id"_a, "queue_id"_a, "payload"_a.none(), "version"_a.none())
      // Of a message that a consumer holds.
      .def(
          "start_message",
          [take](PyStore& self, const QueueMessage& message, std::optional<Int> version) {
            const RunTicket ticket = {.run_id = message.id,
                                      .queue_id = message.queue_id,
                                      .lease_token = message.lease_token};
            const auto json = Json::FromTrusted(message.payload);
            const auto number = version ? std::optional(ToInt(*version)) : std::nullopt;
            return Request::New(
                [&] {
                  return RunControl::StartAsync(*self.store.operator->(), ticket, json, number);
                },
                take);
          },
          "message"_a, "version"_a.none());
  // How long a step waits before its next try, in microseconds.
  module.def(
      "backoff_delay",
      [](const std::string& kind, Micros base, Micros max, Int attempts) {
        const auto from = ToDuration(base);
        const auto backoff = kind == "fixed" ? Backoff::Fixed(from)
                             : kind == "exponential"
                                 ? Backoff::Exponential(from, ToDuration(max))
                                 : Backoff::ExponentialWithJitter(from, ToDuration(max));
        return backoff.Delay(ToInt(attempts)).count();
      },
      "kind"_a, "base"_a, "max"_a, "attempts"_a);
}

}  // namespace pgqrs::python
