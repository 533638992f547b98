"""Functions that are steps of workflows."""

from __future__ import annotations

import functools
import inspect
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    overload,
)

from . import _core
from ._arguments import error_text, kind_name, positive, text
from ._builders import StepBuilder
from ._drive import in_thread
from ._errors import (
    PausedError,
    PgqrsError,
    RetriesExhaustedError,
    StepNotReadyError,
    TransientStepError,
)
from ._execution import (
    PAUSED,
    STEP,
    TRANSACTION,
    Execution,
    inside,
    paused_error,
    restored_error,
    stored_error,
)
from ._payload import loader_of
from ._retry import DEFAULT_POLICY, StepRetryPolicy, policy_of
from ._run import Run
from ._step_result import StepResultStatus, retry_delay

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import timedelta


Args = ParamSpec("Args")
Result = TypeVar("Result")

_PLAIN = (str, int, float, bool, type(None))


def is_plain(value: Any) -> bool:
    """Whether a value comes out of the database as it is."""
    return type(value) in _PLAIN


def as_stored(value: Any) -> Any:
    """A value as it comes out of the database."""
    return value if is_plain(value) else _core.from_json(_core.to_json(value))


def coroutine_function(argument: str, function: Any) -> Any:
    """The function, which must be a coroutine function."""
    if not callable(function):
        raise TypeError(f"{argument}: a function is wanted, not {kind_name(type(function))}")
    if not inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{argument}: a coroutine function is wanted, not a plain one; pgqrs.sync takes those"
        )
    return function


def run_of(run: Any, name: str) -> Run:
    """The first argument of a workflow or a step, which must be a run."""
    if not isinstance(run, Run):
        raise TypeError(
            f"{name}: the first argument is to be a pgqrs.Run, not {kind_name(type(run))}"
        )
    return run


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
            return result if is_plain(result) else self._output(claim)
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
        return _make_step(coroutine_function("step", function), **options)

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
        return await made.call(run_of(run, made._name), args, named)

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
        return await _transact(run_of(run, name), name, function, args, named)

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
