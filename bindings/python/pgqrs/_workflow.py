"""Definitions of workflows and their steps."""

from __future__ import annotations

import functools
import inspect
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    NamedTuple,
    Protocol,
    overload,
)

from . import _core
from ._arguments import instance, kind_name, not_negative, text, whole
from ._builders import RunBuilder, WorkflowBuilder
from ._errors import (
    NonDeterminismError,
    PausedError,
    PgqrsError,
    QueueNotFoundError,
    StepNotReadyError,
    ValidationError,
)
from ._execution import (
    PAUSED,
    STALE,
    Execution,
    Interrupted,
    log,
)
from ._payload import loader_of
from ._run import Run
from ._scopes import scopes_of_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import timedelta

    from ._store import Store
from ._step import Args, Result, as_stored, coroutine_function, run_of


class WorkflowDef(Generic[Args, Result]):
    """A workflow: a coroutine function whose steps survive the death of the process.

    Made by :func:`pgqrs.workflow`. A call with a run executes it here and now; otherwise a
    :class:`WorkflowWorker` does.

    After the death of a process the function is called again from its beginning, and each call that
    is recorded gives what it gave before. So between these calls the function must do the same each
    time: time, random numbers and everything from outside come from steps and from the run.

    Example:
        >>> @pgqrs.step
        ... async def compose(run: pgqrs.Run, name: str) -> str:
        ...     return f"Hello {name}"
        >>> @pgqrs.workflow(name="greet")
        ... async def greet(run: pgqrs.Run, name: str) -> str:
        ...     return await compose(run, name)
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> await greet(run, run.input)
        'Hello ada'
    """

    def __init__(
        self,
        function: Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]],
        name: str,
        version: int = 1,
        input_type: Any = None,
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f"name: a str is wanted, not {kind_name(type(name))}")
        if not name:
            raise ValueError("name: is empty")
        if whole("version", version) < 1:
            raise ValidationError(f"version: must be at least 1, and is {version}")
        self._function: Callable[..., Any] = function
        self._name = text("name", name)
        self._version = version
        self._load = None if input_type is None else loader_of(input_type, "input")
        self._takes_input = _takes_input(function)
        # Of pgqrs.sync: what runs in a thread in place of the function.
        self._plain: Callable[..., Any] | None = None
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"WorkflowDef(name={self._name!r}, version={self._version})"

    @property
    def name(self) -> str:
        """Its name, which is that of its queue."""
        return self._name

    @property
    def version(self) -> int:
        """The version of its code."""
        return self._version

    async def __call__(self, run: Run, *args: Args.args, **kwargs: Args.kwargs) -> Result:
        """Executes a run, and gives its output.

        A run that has succeeded is replayed: its steps give what they gave. ``ValidationError``
        where it failed, or was cancelled.

        What the function raises comes out, and the run has failed. Where the run is to go on later
        this raises too: ``TransientStepError``, ``StepNotReadyError`` or ``PausedError``.
        """
        run_of(run, self._name)
        state = run._state
        if state.is_executing:
            raise PgqrsError(f"run {run._id} is being executed")
        state.is_executing = True
        try:
            control = await run._store._core.start_run(
                run._id, run._queue_id, run._payload, self._version
            )
            is_replay = control.outcome == STALE and control.status is _core.WorkflowStatus.Success
            if control.outcome == PAUSED:
                raise PausedError(f"run {run._id} is paused")
            if control.outcome and not is_replay:
                raise ValidationError(
                    f"run {run._id} is {control.status.name}, and cannot be executed"
                )
            output, error, _ = await execute(self, run, control, args, kwargs, is_replay=is_replay)
        finally:
            state.is_executing = False
        if error is not None:
            raise error
        result: Result = output
        return result

    def _arguments(self, control: _core.RunControl) -> tuple[Any, ...]:
        """What the function gets of a run that nobody calls by hand."""
        if not self._takes_input:
            return ()
        return (control.input() if self._load is None else self._load(control.input_text()),)


def _takes_input(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    count = sum(each.kind in kinds for each in parameters)
    return count > 1 or any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)


async def execute(
    definition: WorkflowDef[Any, Any],
    run: Run,
    control: _core.RunControl,
    args: tuple[Any, ...] | None,
    named: dict[str, Any],
    *,
    is_replay: bool = False,
    stopping: Callable[[], bool] | None = None,
    call: Callable[..., Coroutine[Any, Any, Any]] | None = None,
) -> tuple[Any, BaseException | None, bool]:
    """Executes a run that was started, to its end.

    Gives the output, or what a caller is to be told in place of it, and whether the run has failed.
    What is no ``Exception`` comes out, and nothing is recorded of it.
    """
    args_were_given = args is not None
    execution = Execution(run, control, stopping, is_replay=is_replay)
    output, raised = await _call(definition, run, execution, args, named, call)
    if is_replay:
        if isinstance(raised, Interrupted):
            raised = execution.public
        return output, execution.mismatch or raised, False
    was_interrupted = execution.interrupted
    told = await execution.conclude(output, raised)
    if was_interrupted or isinstance(told, NonDeterminismError | PausedError | StepNotReadyError):
        run._state.control = None  # The next call by hand begins anew.
    if told is None and args_were_given:
        output = as_stored(output)  # As a replay gives it.
    return output, told, execution.has_failed


async def _call(
    definition: WorkflowDef[Any, Any],
    run: Run,
    execution: Execution,
    args: tuple[Any, ...] | None,
    named: dict[str, Any],
    call: Callable[..., Coroutine[Any, Any, Any]] | None,
) -> tuple[Any, BaseException | None]:
    """Calls the function. Gives the output, or what was raised."""
    output: Any = None
    raised: BaseException | None = None
    state = run._state
    state.control, state.execution = execution.control, execution
    try:
        with scopes_of_tasks(execution.root):
            if args is None:
                args = definition._arguments(execution.control)
            function = definition._function if call is None else call
            output = await function(run._within(execution), *args, **named)
            if not execution.interrupted and execution.mismatch is None:
                execution.control.check_end()
    except BaseException as error:
        if not execution.takes(error):
            raise
        raised = error
        if isinstance(error, NonDeterminismError) and execution.mismatch is None:
            execution.mismatch = error
    finally:
        await execution.settle()
        state.execution = None
    return output, raised


class Ended(NamedTuple):
    """How an execution has ended."""

    succeeded: bool
    failed: bool
    told: BaseException | None


async def execute_message(
    definitions: dict[int, WorkflowDef[Any, Any]],
    store: Store,
    message: _core.QueueMessage[Any],
    *,
    stopping: Callable[[], bool] | None = None,
    call: Callable[..., Coroutine[Any, Any, Any]] | None = None,
) -> Ended:
    """Executes the run of a message that a worker holds.

    Where there is nothing to execute it is not told why not.
    """
    newest = max(definitions)
    control = await store._core.start_message(message, newest)
    if control.outcome:
        return Ended(False, False, None)
    definition = definitions.get(newest if control.version is None else control.version)
    if definition is None:
        log.warning("run %d needs version %s, which is not here", control.id, control.version)
        await control.give_back(5_000_000)
        return Ended(False, False, None)
    run = Run(store, control.id, message.queue_id, control.input())
    _, told, failed = await execute(
        definition, run, control, None, {}, stopping=stopping, call=call
    )
    return Ended(told is None, failed, told)


class _WorkflowDecorator(Protocol):
    def __call__(
        self, function: Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]], /
    ) -> WorkflowDef[Args, Result]: ...


@overload
def workflow(function: None = None, /) -> WorkflowBuilder: ...
@overload
def workflow(
    function: Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]], /
) -> WorkflowDef[Args, Result]: ...
@overload
def workflow(*, name: str, version: int = 1, input_type: Any = None) -> _WorkflowDecorator: ...
@overload
def workflow(*, version: int, input_type: Any = None) -> _WorkflowDecorator: ...
@overload
def workflow(*, input_type: Any) -> _WorkflowDecorator: ...
def workflow(function: Any = None, /, **options: Any) -> Any:
    """Makes a coroutine function a workflow.

    The function gets a :class:`Run` and the input with which the run was triggered, or the run
    alone.

    Args:
        name: The name of the workflow and of its queue; by default that of the function.
        version: A function that is changed so that it no longer matches the runs that have begun
            needs a higher one: those go on with the version that they began with, as long as a
            worker has it.
        input_type: The input is an instance of this type, as for :meth:`Store.consumer`.

    Without arguments it gives a :class:`WorkflowBuilder`.
    """
    if function is None and not options:
        return WorkflowBuilder()
    name = options.pop("name", None)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name: a str is wanted, not {kind_name(type(name))}")
    if name == "":
        raise ValueError("name: is empty")

    def decorate(function: Any) -> Any:
        coroutine_function("workflow", function)
        return WorkflowDef(function, function.__name__ if name is None else name, **options)

    return decorate if function is None else decorate(function)


def run() -> RunBuilder:
    """Finds the run of a message."""
    return RunBuilder()


def name_of(workflow: Any) -> tuple[str, int | None]:
    """The name of a workflow, and the version of its code where it is known."""
    if isinstance(workflow, str):
        return text("workflow", workflow), None
    definition = instance("workflow", workflow, WorkflowDef)
    return definition._name, definition._version


async def trigger(
    store: Store,
    workflow: Any,
    input: Any,
    key: str | None = None,
    delay: float | timedelta | None = None,
    priority: int = 5,
    *,
    create: bool,
) -> Run:
    """Triggers a run of a workflow, which is made where it is missing or has to be there."""
    name, _ = name_of(workflow)
    pause = None if delay is None else not_negative("delay", delay)
    options = ("" if key is None else text("idempotency_key", key), pause, priority)
    queue_id = await _queue_id(store, name, create)
    try:
        run_id = await store._core.trigger(name, input, *options)
    except QueueNotFoundError:  # It was deleted.
        del store._workflow_ids[name]
        queue_id = await _queue_id(store, name, create)
        run_id = await store._core.trigger(name, input, *options)
    if key is not None:  # It may be the run of another input.
        input = (await store._core.run_info(run_id)).input
    return Run(store, run_id, queue_id, as_stored(input))


async def _queue_id(store: Store, name: str, create: bool) -> int:
    known = store._workflow_ids.get(name)
    if known is None:
        core = store._core
        record = await (core.create_workflow(name) if create else core.find_workflow(name))
        if record is None:
            raise QueueNotFoundError(f"workflow: there is no workflow {name!r}")
        known = store._workflow_ids[name] = record.queue_id
    return known


def definitions_by_name(
    workflows: Sequence[Any],
) -> dict[str, dict[int, WorkflowDef[Any, Any]]]:
    """The versions of each workflow."""
    by_name: dict[str, dict[int, WorkflowDef[Any, Any]]] = {}
    for each in workflows:
        definition = instance("workflows", each, WorkflowDef)
        versions = by_name.setdefault(definition._name, {})
        if definition._version in versions:
            raise ValidationError(
                f"workflows: {definition._name!r} is there twice in version {definition._version}"
            )
        versions[definition._version] = definition
    if not by_name:
        raise ValidationError("workflows: there are none")
    return by_name
