"""The same interface without ``async``, for scripts, Django, Flask and threads.

Every class and function of :mod:`pgqrs` is here under the same name, made of the one there: what
is a coroutine there blocks here, without the GIL, until the result is there. Ctrl-C interrupts it.
Handlers are plain functions. Any thread may call anything.

Example:
    >>> import pgqrs.sync
    >>> with pgqrs.sync.connect("sqlite::memory:") as store:
    ...     info = store.queue("jobs")
    ...     message_id = store.producer("jobs").enqueue({"to": "ada"})
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import types
from typing import TYPE_CHECKING, Any

from . import (
    _admin,
    _arguments,
    _builders,
    _core,
    _dead_letters,
    _functions,
    _poll,
    _run,
    _step,
    _step_result,
    _store,
    _tables,
    _worker,
    _workflow,
    _workflow_tables,
    _workflow_worker,
)
from ._config import Config
from ._core import (
    QueueInfo,
    QueueMessage,
    QueueMetrics,
    RunRecord,
    StepRecord,
    Transaction,
    WorkerHealth,
    WorkerInfo,
    WorkerStatus,
    WorkflowRecord,
    WorkflowStatus,
)
from ._drive import run_blocking
from ._errors import *  # noqa: F403  All of them.
from ._retry import BackoffStrategy, StepRetryPolicy
from ._step_result import StepResultStatus
from ._worker import Discard, RetryAfter

if TYPE_CHECKING:
    from collections.abc import Callable


class _Blocking:
    """An object of the asynchronous interface whose coroutines block."""

    _async: Any

    def __init__(self, *_: object) -> None:
        raise TypeError(f"a {type(self).__name__} is made by functions and methods")

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}({self._async!r})"


# What iterators and context managers are made of.
_NAMES = {
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}

_classes: dict[type, type[_Blocking]] = {}


def _to_blocking(value: Any) -> Any:
    kind = _classes.get(type(value))
    if kind is None:
        return value
    made = kind.__new__(kind)
    made._async = value
    return made


def _to_async(value: Any) -> Any:
    if isinstance(value, _Blocking):
        return value._async
    if type(value) in _classes:
        blocking, own = _classes[type(value)], type(value)
        raise TypeError(
            f"{_arguments.kind_name(blocking)} is wanted, not {_arguments.kind_name(own)}"
        )
    return value


def _to_async_all(values: Any) -> Any:
    return [_to_async(each) for each in _arguments.items("workflows", values)]


def _plain_handler(handler: Any) -> Callable[..., Any]:
    """A handler that is refused where it is, or turns out to be, asynchronous."""
    if _is_coroutine_function(_arguments.handler_of_messages(handler)):
        raise TypeError("handler: a plain function is wanted; pgqrs takes coroutine functions")

    def call(*args: Any) -> Any:
        result = handler(*args)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise TypeError("handler: its result is to be awaited; pgqrs takes such functions")
        return result

    return call


def _is_coroutine_function(handler: Any) -> bool:
    return any(map(inspect.iscoroutinefunction, (handler, type(handler).__call__)))


def _async_handler(handler: Any) -> Any:
    plain = _plain_handler(handler)

    async def call(*args: Any) -> Any:
        # It may run an event loop of its own.
        before = _core.set_blocking(False)
        try:
            return plain(*args)
        finally:
            _core.set_blocking(before)

    return call


def _converter(
    function: Callable[..., Any], convert_handler: Callable[[Any], Any]
) -> Callable[[tuple[Any, ...], dict[str, Any]], tuple[list[Any], dict[str, Any]]]:
    """What makes arguments for this function of those for the blocking one."""
    names = list(inspect.signature(function).parameters)
    by_name = {"handler": convert_handler, "workflows": _to_async_all}
    converters = [by_name.get(name, _to_async) for name in names]

    def convert(args: tuple[Any, ...], named: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        converted = [each(value) for each, value in zip(converters, args, strict=False)]
        converted += args[len(converters) :]  # One too many, which the function will tell.
        return converted, {
            name: by_name.get(name, _to_async)(value) for name, value in named.items()
        }

    return convert


def _blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that blocks until the result of this one is there."""
    convert = _converter(function, _async_handler)

    @functools.wraps(function, assigned=("__name__", "__qualname__", "__annotations__"))
    def call(*args: Any, **named: Any) -> Any:
        converted, options = convert(args, named)
        result = function(*converted, **options)
        if inspect.iscoroutine(result):
            try:
                result = run_blocking(result)
            except StopAsyncIteration:
                raise StopIteration from None
        # A builder, an iterator and a context give themselves.
        return args[0] if args and result is converted[0] else _to_blocking(result)

    call.__doc__ = _without_async(function.__doc__)
    return call


def _maker(wrapped: Any) -> Callable[..., None]:
    """The constructor of a class that is made of this one."""
    # Only workers get a handler, which runs in a thread.
    convert = _converter(wrapped, _plain_handler)

    @functools.wraps(wrapped.__init__, assigned=("__name__", "__annotations__"))
    def construct(self: _Blocking, *args: Any, **named: Any) -> None:
        converted, options = convert(args, named)
        self._async = wrapped(*converted, **options)

    construct.__doc__ = wrapped.__init__.__doc__
    return construct


def _without_async(text: str | None) -> str | None:
    """A docstring whose example blocks."""
    return text and text.replace("await ", "").replace("async ", "")


def _property(name: str, doc: str | None) -> property:
    def read(self: _Blocking) -> Any:
        return _to_blocking(getattr(self._async, name))

    return property(read, doc=doc)


def _make_class(wrapped: type, *, can_be_made: bool = False) -> type[_Blocking]:
    members: dict[str, Any] = {
        "__doc__": _without_async(wrapped.__doc__),
        "__module__": __name__,
    }
    for name, member in vars(wrapped).items():
        name = _NAMES.get(name, name)
        if name.startswith("_") and name not in _NAMES.values():
            continue
        if isinstance(member, property):
            members[name] = _property(name, member.__doc__)
        else:
            members[name] = _blocking(member)
    if can_be_made:
        members["__init__"] = _maker(wrapped)
    if hasattr(wrapped, "__class_getitem__"):
        members["__class_getitem__"] = classmethod(types.GenericAlias)
    made = type(wrapped.__name__, (_Blocking,), members)
    _classes[wrapped] = made
    return made


def _run_worker(self: _Blocking, *, handle_signals: bool = False) -> None:
    asyncio.run(self._async.run(handle_signals=handle_signals))


Store = _make_class(_store.Store)
Producer = _make_class(_store.Producer)
Consumer = _make_class(_store.Consumer)
Admin = _make_class(_admin.Admin)
DeadLetters = _make_class(_dead_letters.DeadLetters)
ConsumerIterator = _make_class(_poll.ConsumerIterator)
DequeueBuilder = _make_class(_poll.DequeueBuilder, can_be_made=True)
Queues = _make_class(_tables.Queues)
Messages = _make_class(_tables.Messages)
Workers = _make_class(_tables.Workers)
Worker = _make_class(_worker.Worker, can_be_made=True)
# In an event loop, for the threads.
Worker.run = functools.wraps(_worker.Worker.run)(_run_worker)  # type: ignore[attr-defined]

Run = _make_class(_run.Run)
RunBuilder = _make_class(_builders.RunBuilder, can_be_made=True)
StepBuilder = _make_class(_builders.StepBuilder, can_be_made=True)
StepResult = _make_class(_step_result.StepResult)
StepGuard = _make_class(_step_result.StepGuard)
ChildRun = _make_class(_run.ChildRun)
Workflows = _make_class(_workflow_tables.Workflows)
WorkflowRuns = _make_class(_workflow_tables.WorkflowRuns)
WorkflowSteps = _make_class(_workflow_tables.WorkflowSteps)
WorkflowBuilder = _make_class(_builders.WorkflowBuilder, can_be_made=True)
WorkflowTriggerBuilder = _make_class(_builders.WorkflowTriggerBuilder)
WorkflowDef = _make_class(_workflow.WorkflowDef)
WorkflowWorker = _make_class(_workflow_worker.WorkflowWorker, can_be_made=True)


def _call_workflow(self: _Blocking, run: Any, *args: Any, **kwargs: Any) -> Any:
    return run_blocking(self._async(_to_async(run), *args, **kwargs))


def _start_worker(self: Any) -> Any:
    self._thread = threading.Thread(target=self.run, name="pgqrs-workflows")
    self._thread.start()
    return self


def _stop_worker(self: Any, *_: object) -> None:
    self.stop()
    self._thread.join()


WorkflowDef.__call__ = _call_workflow  # type: ignore[attr-defined]
WorkflowWorker.run = functools.wraps(_workflow_worker.WorkflowWorker.run)(  # type: ignore[attr-defined]
    _run_worker
)
WorkflowWorker.__enter__ = _start_worker  # type: ignore[attr-defined]
WorkflowWorker.__exit__ = _stop_worker  # type: ignore[attr-defined]


def _plain_function(argument: str, function: Any) -> Any:
    if not callable(function):
        raise TypeError(
            f"{argument}: a function is wanted, not {_arguments.kind_name(type(function))}"
        )
    if _is_coroutine_function(function):
        raise TypeError(f"{argument}: a plain function is wanted; pgqrs takes coroutine functions")
    return function


def _async_function(plain: Any) -> Any:
    """What calls a plain function of a workflow, or a step, in the same thread."""

    @functools.wraps(plain)
    async def call(run: Any, *args: Any, **named: Any) -> Any:
        before = _core.set_blocking(False)
        try:
            return plain(_to_blocking(run), *args, **named)
        finally:
            _core.set_blocking(before)

    return call


def step(function: Any = None, /, **options: Any) -> Any:
    """See :func:`pgqrs.step`."""
    if function is None and not options:
        return _to_blocking(_builders.StepBuilder())
    if options.get("timeout") is not None:
        raise TypeError("timeout: a plain function cannot be cancelled")

    def decorate(function: Any) -> Any:
        plain = _plain_function("step", function)
        return _called_blocking(plain, _step.step(**{"name": None, **options}))

    return decorate if function is None else decorate(function)


def _called_blocking(plain: Any, decorator: Any) -> Any:
    made = decorator(_async_function(plain))

    @functools.wraps(plain)
    def call(run: Any, *args: Any, **named: Any) -> Any:
        return run_blocking(made(_to_async(run), *args, **named))

    return call


def transaction_step(function: Any, /) -> Any:
    """See :func:`pgqrs.transaction_step`."""
    made = _step.transaction_step(function)

    @functools.wraps(function)
    def call(run: Any, *args: Any, **named: Any) -> Any:
        return run_blocking(made(_to_async(run), *args, **named))

    return call


def workflow(function: Any = None, /, **options: Any) -> Any:
    """See :func:`pgqrs.workflow`."""
    if function is None and not options:
        return _to_blocking(_builders.WorkflowBuilder())
    decorator = _workflow.workflow(**{"name": None, **options})

    def decorate(function: Any) -> Any:
        plain = _plain_function("workflow", function)
        made = decorator(_async_function(plain))
        made._plain = lambda run, *args: plain(_to_blocking(run), *args)
        return _to_blocking(made)

    return decorate if function is None else decorate(function)


for _made, _documented in (
    (step, _step.step),
    (transaction_step, _step.transaction_step),
    (workflow, _workflow.workflow),
):
    _made.__doc__ = (_documented.__doc__ or "").replace("coroutine function", "plain function")

run = _blocking(_workflow.run)
admin = _blocking(_functions.admin)
archive = _blocking(_functions.archive)
archive_batch = _blocking(_functions.archive_batch)
consume = _blocking(_functions.consume)
consume_batch = _blocking(_functions.consume_batch)
delete = _blocking(_functions.delete)
dequeue = _blocking(_functions.dequeue)
dequeue_builder = _blocking(_functions.dequeue_builder)
enqueue = _blocking(_functions.enqueue)
enqueue_batch = _blocking(_functions.enqueue_batch)
enqueue_delayed = _blocking(_functions.enqueue_delayed)
extend_vt = _blocking(_functions.extend_vt)
produce = _blocking(_functions.produce)
produce_batch = _blocking(_functions.produce_batch)
connect = _blocking(_store.connect)
connect_with = _blocking(_store.connect_with)
