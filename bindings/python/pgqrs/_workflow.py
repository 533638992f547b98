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
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    overload,
)

from . import _core
from ._arguments import error_text, instance, kind_name, not_negative, positive, text, whole
from ._drive import in_thread
from ._errors import (
    NonDeterminismError,
    PausedError,
    PgqrsError,
    QueueNotFoundError,
    RetriesExhaustedError,
    StepNotReadyError,
    TransientStepError,
    ValidationError,
)
from ._execution import (
    ENDED,
    PAUSED,
    STALE,
    STEP,
    TRANSACTION,
    Execution,
    Interrupted,
    inside,
    paused_error,
    restored_error,
    stored_error,
)
from ._payload import loader_of
from ._retry import DEFAULT_POLICY, StepRetryPolicy, policy_of
from ._run import Run, RunBuilder, StepBuilder, StepResultStatus, retry_delay

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import timedelta

    from ._store import Store

Args = ParamSpec("Args")
Result = TypeVar("Result")

_PLAIN = (str, int, float, bool, type(None))


def _coroutine_function(argument: str, function: Any) -> Any:
    if not callable(function):
        raise TypeError(f"{argument}: a function is wanted, not {kind_name(type(function))}")
    if not inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{argument}: a coroutine function is wanted, not a plain one; pgqrs.sync takes those"
        )
    return function


def _run_of(run: Any, name: str) -> Run:
    if not isinstance(run, Run):
        raise TypeError(
            f"{name}: the first argument is to be a pgqrs.Run, not {kind_name(type(run))}"
        )
    return run


# ---- Steps


class _Step:
    """A function whose result is recorded."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None,
        retries: StepRetryPolicy | None,
        timeout: float | None,
        result_type: Any,
    ) -> None:
        self._function = function
        self._name = function.__name__ if name is None else text("name", name)
        self._policy = retries
        self._timeout = timeout
        self._load = None if result_type is None else loader_of(result_type)

    async def call(self, run: Run, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        execution = run._state.execution
        if execution is None:
            return await self._by_hand(run, args, named)
        claim = execution.enter(self._name, STEP)
        if claim.is_recorded:
            if claim.is_success:
                return self._output(claim)
            if claim.is_error:
                await self._check_ready(run, execution, claim)
        if execution.stopping is not None:
            execution.check_not_stopping()
        execution.begin()
        try:
            token = inside.set(execution)
            try:
                if self._timeout is None:
                    result = await self._function(run, *args, **named)
                else:
                    result = await self._in_time(run, args, named)
                # What cannot be stored is an error of the step.
                recording = execution.control.succeed(claim, result)
            finally:
                inside.reset(token)
            try:
                outcome = await recording
            except PgqrsError as error:
                execution.give_up(error)
        except Exception as error:
            failure = error
        else:
            if outcome:
                execution.interrupt(outcome)
            if execution.pause is not None:
                execution.interrupt(PAUSED)
            return result if type(result) in _PLAIN else self._output(claim)
        finally:
            execution.end()
        return await self._fail(run, execution, claim, failure)

    def _output(self, claim: _core.ClaimedStep) -> Any:
        return claim.output() if self._load is None else self._load(claim.output_text())

    async def _check_ready(self, run: Run, execution: Execution, claim: _core.ClaimedStep) -> None:
        """Waits, or raises, where a step that failed is not to be tried now."""
        error = claim.error()
        if claim.retry_at is None:
            restored = restored_error(error, claim.name, claim.attempts)
            execution.failed_step = restored, claim.name
            raise restored
        # Who resumes a paused run wants it to go on.
        is_pause = isinstance(error, dict) and error.get("code") == "PAUSED"
        if claim.retry_at > run._now() and not is_pause:
            said = error.get("message") if isinstance(error, dict) else error
            await execution.suspend(
                StepNotReadyError(f"step {claim.name!r} is to wait for its next try: {said}"),
                until=claim.retry_at,
            )

    async def _in_time(self, run: Run, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        import asyncio

        deadline = asyncio.timeout(self._timeout)
        try:
            async with deadline:
                return await self._function(run, *args, **named)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise StepTimeout(f"the step took longer than {self._timeout} s") from None

    async def _fail(
        self, run: Run, execution: Execution, claim: _core.ClaimedStep, error: Exception
    ) -> Any:
        """Records a try that failed. Raises, or lets the run wait for the next one."""
        if isinstance(error, PausedError | StepNotReadyError) or execution.pause is not None:
            await self._pause(run, execution, claim, error)
        policy = self._policy
        is_transient = isinstance(error, TransientStepError)
        if policy is None and is_transient:
            policy = DEFAULT_POLICY
        claim.attempts += 1
        if policy is None or claim.attempts > policy.max_attempts:
            claim.set_error(stored_error(error, step=claim.name), None)
            await execution.record(claim)
            raised: Exception = error
            if claim.attempts > 1:
                raised = RetriesExhaustedError(
                    f"step {claim.name!r} failed {claim.attempts} times: {error_text(error)}"
                )
                raised.__cause__ = error
            execution.failed_step = raised, claim.name
            raise raised
        delay = retry_delay(error.retry_after) if isinstance(error, TransientStepError) else None
        if delay is None:
            delay = policy.backoff._micros(claim.attempts)
        retry_at = run._now() + delay
        claim.set_error(stored_error(error, step=claim.name, is_transient=True), retry_at)
        await execution.suspend(error, steps=[claim], until=retry_at)

    async def _pause(
        self, run: Run, execution: Execution, claim: _core.ClaimedStep, error: Exception
    ) -> None:
        """Ends the execution as it is to end after ``run.pause``."""
        now = run._now()
        execution.public = error
        if execution.pause is None and isinstance(error, StepNotReadyError):
            # Of a step that was acquired by its name inside of this one.
            claim.set_error(
                stored_error(error, step=claim.name, is_transient=True),
                now if execution.until is None else execution.until,
            )
            await execution.suspend(error, steps=[claim], until=execution.until or now)
        said, resume_after = execution.pause or (error_text(error), None)
        execution.pause = said, resume_after
        claim.set_error(paused_error(said), now + (resume_after or 0))
        execution.steps.append(claim)
        execution.interrupt(PAUSED)

    async def _by_hand(self, run: Run, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Outside of a workflow: by its exact name."""
        step = await run.acquire_step(self._name)
        if step.status is StepResultStatus.Skipped:
            return step.value
        guard = step.guard
        try:
            result = await self._function(run, *args, **named)
        except TransientStepError as error:
            await guard.fail_transient(error.code, error_text(error), error.retry_after)
            raise
        except (PausedError, StepNotReadyError):
            raise
        except Exception as error:
            await guard.fail(error)
            raise
        await guard.success(result)
        return result


class StepTimeout(PgqrsError):
    """A step took longer than its timeout."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "StepTimeout"


class _StepDecorator(Protocol):
    def __call__(
        self, function: Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]], /
    ) -> Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]]: ...


@overload
def step(function: None = None, /) -> StepBuilder: ...
@overload
def step(
    function: Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]], /
) -> Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]]: ...
@overload
def step(
    *,
    name: str,
    retries: int | StepRetryPolicy | None = None,
    timeout: float | timedelta | None = None,
    result_type: Any = None,
) -> _StepDecorator: ...
@overload
def step(
    *,
    retries: int | StepRetryPolicy,
    timeout: float | timedelta | None = None,
    result_type: Any = None,
) -> _StepDecorator: ...
@overload
def step(*, timeout: float | timedelta, result_type: Any = None) -> _StepDecorator: ...
@overload
def step(*, result_type: Any) -> _StepDecorator: ...
def step(function: Any = None, /, **options: Any) -> Any:
    """Makes a coroutine function a step: its result is recorded, and it never runs again.

    The function gets the run first. A step that was running when the process died runs again. What
    it raises is recorded too: where it has tries left, the run waits for the next one, and nothing
    is held meanwhile; otherwise it comes out of the call, now and in every later execution.

    The first call in an execution, the second one, and so on, are steps of their own. Outside of a
    workflow there is one step of the name.

    Args:
        name: By default the name of the function.
        retries: How many tries follow the first one, or a :class:`StepRetryPolicy`. None: a step
            that raises has failed for good, unless that is a :class:`TransientStepError`.
        timeout: How long a try may take, a timedelta or seconds: then it is cancelled, and has
            failed with the code ``StepTimeout``.
        result_type: The result is an instance of this type, as for
            :meth:`Store.consumer`.

    Without arguments it gives a :class:`StepBuilder`.
    """
    if function is None and not options:
        return StepBuilder()

    def decorate(function: Any) -> Any:
        return _make_step(_coroutine_function("step", function), **options)

    return decorate if function is None else decorate(function)


def _make_step(
    function: Any,
    name: str | None = None,
    retries: int | StepRetryPolicy | None = None,
    timeout: float | timedelta | None = None,
    result_type: Any = None,
) -> Any:
    limit = None if timeout is None else positive("timeout", timeout) / 1_000_000
    made = _Step(function, name, policy_of(retries), limit, result_type)

    @functools.wraps(function)
    async def call(run: Run, *args: Any, **named: Any) -> Any:
        return await made.call(_run_of(run, made._name), args, named)

    return call


def transaction_step(
    function: Callable[Concatenate[_core.Transaction, Args], Result], /
) -> Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]]:
    """Makes a plain function a step with a transaction, which is called with a run in place of it.

    What the function changes in the database and the record of the step are there together or not
    at all, so that its effects happen exactly once. It runs in a thread. On SQLite and Turso
    nothing else is written to the database meanwhile; a call of the same store raises there.
    """
    if inspect.iscoroutinefunction(function) or not callable(function):
        raise TypeError("transaction_step: a plain function is wanted")
    name = function.__name__

    @functools.wraps(function)
    async def call(run: Run, *args: Any, **named: Any) -> Any:
        return await _transact(_run_of(run, name), name, function, args, named)

    vars(call).pop("__wrapped__")  # Its signature is another one.
    return cast("Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]]", call)


async def _transact(
    run: Run, name: str, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    execution = run._state.execution
    if execution is None:
        raise PgqrsError(f"{name}: a transaction step is for workflows only")
    claim = execution.enter(name, TRANSACTION)
    if claim.is_success:
        return claim.output()
    made = _Step(function, name, None, None, None)
    if claim.is_error:
        await made._check_ready(run, execution, claim)
    execution.check_not_stopping()

    def body(transaction: _core.Transaction) -> Any:
        return function(transaction, *args, **named)

    execution.begin()
    try:
        outcome = await execution.ask(
            in_thread(_with_blocking_off, execution.control.transact, claim, body)
        )
    finally:
        execution.end()
    if isinstance(outcome, tuple):
        [raised] = outcome
        if not isinstance(raised, Exception):
            raise raised
        return await made._fail(run, execution, claim, raised)
    if outcome:
        execution.interrupt(outcome)
    return claim.output()


def _with_blocking_off(function: Callable[..., Any], *args: Any) -> Any:
    before = _core.set_blocking(False)
    try:
        return function(*args)
    finally:
        _core.set_blocking(before)


# ---- Workflows


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
        self._name = name
        self._version = version
        self._load = None if input_type is None else loader_of(input_type)
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
        _run_of(run, self._name)
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
    state = run._state
    state.control, state.execution = control, execution
    output: Any = None
    raised: BaseException | None = None
    try:
        if args is None:
            args = definition._arguments(control)
        if call is None:
            output = await definition._function(run, *args, **named)
        else:
            execution.in_thread()
            output = await call(run, *args)
        if not execution.interrupted and execution.mismatch is None:
            control.check_end()
    except (Exception, Interrupted, BaseExceptionGroup) as error:
        if not isinstance(error, Exception | Interrupted) and not execution.interrupted:
            raise
        raised = error
        if isinstance(error, NonDeterminismError) and execution.mismatch is None:
            execution.mismatch = error
    finally:
        state.execution = None
    if is_replay:
        if isinstance(raised, Interrupted):
            raised = execution.public
        return output, execution.mismatch or raised, False
    was_interrupted = execution.interrupted
    told = await execution.conclude(output, raised)
    if not execution.interrupted:
        execution.interrupted = ENDED  # Tasks that nobody has awaited go no further.
    if was_interrupted or isinstance(told, NonDeterminismError | PausedError | StepNotReadyError):
        state.control = None  # The next call by hand begins anew.
    if told is None and args_were_given and type(output) not in _PLAIN:
        output = _core.from_json(_core.to_json(output))  # As a replay gives it.
    return output, told, execution.has_failed


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
        from ._execution import log

        log.warning("run %d needs version %s, which is not here", control.id, control.version)
        await control.give_back(5_000_000)
        return Ended(False, False, None)
    run = Run(store, control.id, message.queue_id, control.input())
    _, told, failed = await execute(
        definition, run, control, None, {}, stopping=stopping, call=call
    )
    return Ended(told is None, failed, told)


class WorkflowTriggerBuilder:
    """Triggers a run of a workflow. Made by :meth:`WorkflowBuilder.trigger`.

    Example:
        >>> record = await pgqrs.workflow().name("greet").store(store).create()
        >>> trigger = pgqrs.workflow().name("greet").store(store).trigger("ada")
        >>> (await trigger.execute()).payload
        'ada'
    """

    def __init__(self, store: Store, name: str, input: Any) -> None:
        self._store = store
        self._name = name
        self._input = input

    async def execute(self) -> _core.QueueMessage[Any]:
        """The message that triggers the run, whose payload is the input."""
        core = self._store._core
        run_id = await core.trigger(self._name, self._input, "", None, 5)
        message = await core.find_message(run_id)
        if message is None:
            raise QueueNotFoundError(f"workflow {self._name!r} was deleted meanwhile")
        return message


class WorkflowBuilder:
    """Makes and triggers workflows. Each setter gives the builder. Made by ``pgqrs.workflow()``.

    Example:
        >>> record = await pgqrs.workflow().name("greet").store(store).create()
        >>> record.name
        'greet'
    """

    def __init__(self) -> None:
        self._store: Store | None = None
        self._name: str | None = None

    def name(self, name: str) -> WorkflowBuilder:
        """The name of the workflow."""
        self._name = text("name", name)
        return self

    def id(self, id: str) -> WorkflowBuilder:
        """The same as :meth:`name`."""
        self._name = text("id", id)
        return self

    def store(self, store: Store) -> WorkflowBuilder:
        """The store that it is of."""
        from ._store import Store

        self._store = instance("store", store, Store)
        return self

    def _checked(self) -> tuple[Store, str]:
        if self._store is None:
            raise ValidationError("store: there is none")
        if self._name is None:
            raise ValidationError("name: there is none")
        return self._store, self._name

    async def create(self) -> _core.WorkflowRecord:
        """The workflow of this name with its queue, which are made where they are missing."""
        store, name = self._checked()
        return await store._core.create_workflow(name)

    def trigger(self, input: Any = None) -> WorkflowTriggerBuilder:
        """What triggers a run with this input."""
        return WorkflowTriggerBuilder(*self._checked(), input)


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
        _coroutine_function("workflow", function)
        return WorkflowDef(function, function.__name__ if name is None else name, **options)

    return decorate if function is None else decorate(function)


def run() -> RunBuilder:
    """Finds the run of a message."""
    return RunBuilder()


def name_of(workflow: Any) -> tuple[str, int | None]:
    """The name of a workflow, and the version of its code where it is known."""
    if isinstance(workflow, str):
        return workflow, None
    definition = instance("workflow", workflow, WorkflowDef)
    return definition._name, definition._version


async def trigger(
    store: Store,
    workflow: Any,
    input: Any,
    key: str | None,
    delay: float | timedelta | None,
    priority: int,
) -> Run:
    """Triggers a run of a workflow, which is made where it is missing."""
    name, _ = name_of(workflow)
    pause = None if delay is None else not_negative("delay", delay)
    options = ("" if key is None else text("idempotency_key", key), pause, priority)
    queue_id = await _queue_id(store, name)
    try:
        run_id = await store._core.trigger(name, input, *options)
    except QueueNotFoundError:  # It was deleted.
        del store._workflow_ids[name]
        queue_id = await _queue_id(store, name)
        run_id = await store._core.trigger(name, input, *options)
    return Run(store, run_id, queue_id, _core.from_json(_core.to_json(input)))


async def _queue_id(store: Store, name: str) -> int:
    known = store._workflow_ids.get(name)
    if known is None:
        record = await store._core.create_workflow(name)
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
