"""Functions that are steps of workflows."""

from __future__ import annotations

import functools
import inspect
import threading
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
    ValidationError,
)
from ._execution import PAUSED, STEP, TRANSACTION, Call, Execution, log
from ._payload import loader_of
from ._retry import DEFAULT_POLICY, StepRetryPolicy, policy_of
from ._run import Run
from ._scopes import inside
from ._step_result import StepResultStatus, retry_delay
from ._stored_errors import is_own_cancellation, paused_error, restored_error, stored_error

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


async def _like_a_step(run: Run, /, *args: Any, **named: Any) -> None: ...


class _Step:
    """A function whose result is recorded."""

    _kind = STEP
    # As a function has them, so that `inspect` takes it for a coroutine function.
    __code__ = _like_a_step.__code__
    __defaults__ = None
    __kwdefaults__ = None

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
        self._load = None if result_type is None else loader_of(result_type, "output")
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<step {self._name!r}>"

    def __call__(self, run: Run, /, *args: Any, **named: Any) -> Coroutine[Any, Any, Any]:
        """A call has its place among the others from now on, and not from its await."""
        execution = run_of(run, self._name)._state.execution
        if execution is None:
            return self._by_hand(run, args, named)
        return self._carry_out(Call(execution, self._name, self._kind), run, args, named)

    async def _carry_out(
        self, call: Call, run: Run, args: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        claim, execution = call.begin(), call.execution
        if claim.is_recorded:
            if claim.is_success:
                return self._output(claim)
            if claim.is_error:
                await self._check_ready(run, execution, claim)
        if why := execution.ending():
            await execution.leave(why)
        return await self._try(run, execution, claim, args, named)

    async def _try(
        self,
        run: Run,
        execution: Execution,
        claim: _core.ClaimedStep,
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        result: Any = None
        loaded: Any = None
        outcome = 0
        failure: BaseException | None = None
        execution.begin()
        try:
            token = inside.set(execution)
            try:
                if self._timeout is None:
                    result = await self._function(run, *args, **named)
                else:
                    result = await self._in_time(run, args, named)
                # What cannot be stored, or is of another type, is an error of the step.
                loaded = self._loaded(result)
                recording = execution.control.succeed(claim, result)
            finally:
                inside.reset(token)
            outcome = await execution.ask(recording)
        except BaseException as error:
            if not isinstance(error, Exception) and not is_own_cancellation(error):
                raise
            failure = error
        finally:
            execution.end()
        if failure is not None:
            return await self._fail(run, execution, claim, failure)
        if execution.pause is not None:
            outcome = outcome or PAUSED
        if outcome:
            await execution.leave(outcome)
        return claim.output() if self._load is None and not is_plain(result) else loaded

    def _loaded(self, value: Any) -> Any:
        """A value as an instance of the type, where there is one."""
        return value if self._load is None else self._load(_core.to_json(value, "output"))

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
        self, run: Run, execution: Execution, claim: _core.ClaimedStep, error: BaseException
    ) -> Any:
        """Records a try that failed. Raises, or lets the run wait for the next one."""
        if isinstance(error, PausedError | StepNotReadyError) or execution.pause is not None:
            await self._pause(run, execution, claim, error)
        error = _with_sound_delay(error)
        policy = self._policy
        is_transient = isinstance(error, TransientStepError)
        if policy is None and is_transient:
            policy = DEFAULT_POLICY
        claim.attempts += 1
        if policy is None or claim.attempts > policy.max_attempts:
            claim.set_error(stored_error(error, step=claim.name), None)
            await execution.record(claim)
            raised: BaseException = error
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
        log.warning(
            "run %d: try %d of step %r failed, the next one is in %.3g s: %s",
            run.id(),
            claim.attempts,
            claim.name,
            delay / 1_000_000,
            error_text(error),
        )
        claim.set_error(stored_error(error, step=claim.name, is_transient=True), retry_at)
        await execution.suspend(error, steps=[claim], until=retry_at)

    async def _pause(
        self, run: Run, execution: Execution, claim: _core.ClaimedStep, error: BaseException
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
        await execution.leave(PAUSED)

    async def _by_hand(self, run: Run, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Outside of a workflow: by its exact name."""
        step = await run.acquire_step(self._name)
        if step.status is StepResultStatus.Skipped:
            return self._loaded(step.value)
        guard = step.guard
        try:
            result = await self._function(run, *args, **named)
            loaded = self._loaded(result)
        except (PausedError, StepNotReadyError):
            raise
        except Exception as raised:
            error = _with_sound_delay(raised)
            if isinstance(error, TransientStepError):
                code = stored_error(error)["code"]
                await guard.fail_transient(code, error_text(error), error.retry_after)
            else:
                await guard.fail(error)
            raise error from error.__cause__
        await guard.success(result)
        return loaded


class _TransactionStep(_Step):
    """A function whose changes of the database are recorded with its result."""

    _kind = TRANSACTION

    async def _try(
        self,
        run: Run,
        execution: Execution,
        claim: _core.ClaimedStep,
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        outcome = await execution.work(self._transact(execution, claim, args, named))
        if isinstance(outcome, tuple):
            [raised] = outcome
            if not isinstance(raised, Exception) and not is_own_cancellation(raised):
                raise raised
            return await self._fail(run, execution, claim, raised)
        if outcome:
            await execution.leave(outcome)
        return claim.output()

    async def _transact(
        self,
        execution: Execution,
        claim: _core.ClaimedStep,
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        """The outcome, or what was raised in a tuple. Nothing is done where this is cancelled."""
        cancelled = threading.Event()

        def check() -> None:
            if cancelled.is_set():
                raise PgqrsError(f"step {claim.name!r} was cancelled")

        def body(transaction: _core.Transaction) -> Any:
            check()
            result = self._function(transaction, *args, **named)
            check()
            return result

        def transact() -> Any:
            before = _core.set_blocking(False)
            try:
                return execution.control.transact(claim, body)
            finally:
                _core.set_blocking(before)

        return await in_thread(transact, on_cancel=cancelled.set)

    async def _by_hand(self, run: Run, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        raise PgqrsError(f"{self._name}: a transaction step is for workflows only")


def _with_sound_delay(error: Any) -> Any:
    """The same; or, where it wants the next try at a time that is none, what is wrong with that."""
    if isinstance(error, TransientStepError):
        try:
            retry_delay(error.retry_after)
        except (TypeError, ValueError, ValidationError) as wrong:
            wrong.__cause__ = error
            return wrong
    return error


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
    return _Step(function, name, policy_of(retries), limit, result_type)


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
    made = _TransactionStep(function, None, None, None, None)
    vars(made).pop("__wrapped__")  # Its signature is another one.
    return cast("Callable[Concatenate[Run, Args], Coroutine[Any, Any, Result]]", made)
