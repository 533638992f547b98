"""Runs of workflows: what their functions work with, and what is done to them from outside."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import moment, not_negative, text, whole
from ._drive import until_done
from ._errors import (
    PausedError,
    PgqrsError,
    RetriesExhaustedError,
    StepNotReadyError,
    ValidationError,
    WorkflowError,
)
from ._execution import (
    CANCELLED,
    CHILD,
    EVENT,
    NOW,
    PAUSED,
    SLEEP,
    STEP,
    STOPPING,
    UUID,
    Call,
    Execution,
)
from ._scopes import current_scope, inside
from ._step_result import StepGuard, StepResult, StepResultStatus, error_of
from ._stored_errors import paused_error

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Coroutine

    from ._store import Store
    from ._workflow import WorkflowDef

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ChildRun:
    """A run that another one has triggered, within that one's execution.

    Example:
        >>> @pgqrs.workflow
        ... async def double(run: pgqrs.Run, number: int) -> int:
        ...     return 2 * number
        >>> @pgqrs.workflow
        ... async def quadruple(run: pgqrs.Run, number: int) -> int:
        ...     child = await run.child(double, number)
        ...     return 2 * await child.result()
    """

    def __init__(self, run: Run, execution: Execution, name: str, ordinal: int, id: int) -> None:
        self._run = run
        self._execution = execution
        self._name = name
        self._ordinal = ordinal
        self._id = id

    def id(self) -> int:
        """The id of the run."""
        return self._id

    async def result(self) -> Any:
        """Waits for its end and gives its output; nothing is held meanwhile.

        ``WorkflowError`` where it failed or was cancelled.
        """
        execution = self._execution
        execution.join(f"result of child run {self._id}")
        step = execution.control.get(self._name, self._ordinal)
        if step.is_success:
            return step.output()
        if step.is_error:
            error = step.error()
            told = error if isinstance(error, dict) else {"message": error}
            raise WorkflowError(
                f"child run {self._id} of workflow {self._name!r}: {told.get('message')}",
                told.get("code") or "",
                told.get("step"),
            )
        await execution.suspend(
            StepNotReadyError(f"run {self._run.id()} waits for child run {self._id}"),
            children=True,
        )
        raise AssertionError


class _State:
    """What the copies of a run share."""

    __slots__ = ("_lock", "_starting", "control", "execution", "is_executing")

    def __init__(self) -> None:
        self.control: _core.RunControl | None = None
        self.execution: Execution | None = None
        self.is_executing = False
        self._lock = threading.Lock()
        self._starting: Future[None] | None = None

    def begin_start(self) -> Future[None] | None:
        """The start that is under way. None: it is the caller's, who ends it."""
        with self._lock:
            if self._starting is not None:
                return self._starting
            self._starting = Future()
            return None

    def end_start(self) -> None:
        """It is over, done or not."""
        with self._lock:
            starting, self._starting = self._starting, None
        assert starting is not None
        starting.set_result(None)


class Run:
    """A run of a workflow.

    The function of a workflow gets it, hands it to its steps, and sleeps, waits and starts children
    with it. From outside one watches, cancels and pauses the run with it, or executes it by hand:
    ``start``, ``acquire_step``, ``success``.

    Made by :func:`pgqrs.run`, :meth:`Store.trigger` and :meth:`Admin.create_workflow`.

    Example:
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> run.input
        'ada'
        >>> run = await run.start()
        >>> await run.complete_step("compose", f"Hello {run.input}")
        >>> run = await run.success("Hello ada")
        >>> await run.result()
        'Hello ada'
    """

    def __init__(
        self, store: Store, run_id: int, queue_id: int, payload: Any, time: int | None = None
    ) -> None:
        self._store = store
        self._id = run_id
        self._queue_id = queue_id
        self._payload = payload
        self._time = time
        self._state = _State()

    def __repr__(self) -> str:
        return f"Run(id={self._id})"

    def id(self) -> int:
        """The id of the run, which is that of the message that triggered it."""
        return self._id

    @property
    def input(self) -> Any:
        """What it was triggered with."""
        return self._payload

    @property
    def current_time(self) -> str | None:
        """The time that was set by :meth:`with_time` (ISO 8601). None: that of the clock."""
        if self._time is None:
            return None
        return (_EPOCH + timedelta(microseconds=self._time)).isoformat()

    def with_time(self, time: str | datetime) -> Run:
        """The same run as if it were this time (ISO 8601), for tests of what happens later."""
        copy = Run(self._store, self._id, self._queue_id, self._payload, moment("time", time))
        copy._state = self._state
        return copy

    def _within(self, execution: Execution) -> Run:
        """The same for the function that executes it, and for nothing behind its end."""
        copy = Run(self._store, self._id, self._queue_id, self._payload, self._time)
        copy._state.control, copy._state.execution = execution.control, execution
        return copy

    # From outside

    async def info(self) -> _core.RunRecord:
        """The run as the database has it."""
        return await self._store._core.run_info(self._id)

    async def refresh(self) -> Run:
        """Makes sure that the run exists (``ValidationError``), and gives it."""
        await self.info()
        return self

    async def result(self, timeout: float | timedelta | None = None) -> Any:
        """Waits for the end of the run and gives its output.

        ``WorkflowError`` with its own error where it failed or was cancelled, ``TimeoutError``
        where it has not ended within ``timeout``: a timedelta, or seconds.
        """
        limit = None if timeout is None else not_negative("timeout", timeout)
        return _core.from_json(await self._store._core.run_result(self._id, limit))

    async def cancel(self) -> bool:
        """Cancels the run with its children, and answers whether it was not finished before.

        One that is being executed is Cancelling until its next step, any other one is Cancelled at
        once.
        """
        return await self._store._core.cancel_run(self._id)

    async def resume(self) -> None:
        """Lets a paused run go on at once."""
        await self._store._core.resume_run(self._id)

    async def pause(
        self, reason: str = "", resume_after_seconds: float | timedelta | None = None
    ) -> None:
        """Pauses the run, until :meth:`start` or :meth:`resume`, or for so many seconds.

        Within a workflow the execution ends with the step that calls this, which may raise
        ``PausedError`` then; or at once, and when the run is resumed it goes on behind this call.
        From outside a run that a worker executes pauses at its next step.
        """
        said = text("reason", reason)
        delay = (
            None
            if resume_after_seconds is None
            else not_negative("resume_after_seconds", resume_after_seconds)
        )
        self._check_open("pause")
        state = self._state
        if state.execution is not None:
            await self._pause_within(state.execution, said, delay)
            return
        if state.control is None:
            await self._store._core.pause_run(self._id)
            return
        control, state.control = state.control, None
        outcome = await control.pause(paused_error(said), delay, [])
        if outcome not in (0, PAUSED):
            await self._end_of(control, outcome)

    async def _pause_within(self, execution: Execution, said: str, delay: int | None) -> None:
        in_step = inside.get() is execution
        if not in_step:
            claim = self._call("pause", STEP).begin()
            if claim.is_success:
                return  # And was resumed.
            claim.set_success(None)
            execution.steps.append(claim)
        execution.pause = said, delay
        if not in_step:
            await execution.leave(PAUSED)

    # By hand

    async def start(self) -> Run:
        """Begins to execute the run by hand, and fences off whoever else does.

        A paused run is resumed. ``ValidationError`` where it is finished, or being cancelled.
        """
        self._check_open("start")
        self._state.control = await self._start(None)
        return self

    async def _start(self, version: int | None) -> _core.RunControl:
        before = await self._status()
        if before is _core.WorkflowStatus.Cancelling:
            raise ValidationError(f"run {self._id} is Cancelling, and cannot be started")
        control = await self._store._core.start_run(
            self._id, self._queue_id, self._payload, version
        )
        if control.outcome == PAUSED:
            raise PausedError(f"run {self._id} is paused")
        if control.outcome:
            raise ValidationError(f"run {self._id} is {control.status.name}, and cannot be started")
        return control

    async def _status(self) -> _core.WorkflowStatus | None:
        """None: nobody has started it, and it was no trigger that made its message."""
        try:
            return (await self.info()).status
        except ValidationError:
            return None

    def _check_open(self, what: str) -> None:
        """Refuses what an execution that has ended would do, also with the run of its caller."""
        execution = self._state.execution
        if execution is None and (scope := current_scope()) is not None:
            execution = scope.execution if scope.execution.run._state is self._state else None
        if execution is not None:
            execution.check_open(what)

    async def _controlled(self, what: str) -> _core.RunControl:
        """The execution by hand, which calls at the same time begin together."""
        self._check_open(what)
        state = self._state
        while state.control is None:
            if (starting := state.begin_start()) is not None:
                await until_done(starting)
                continue
            try:
                state.control = await self._start(None)
            finally:
                state.end_start()
        return state.control

    async def _end_of(self, control: _core.RunControl, outcome: int) -> None:
        """What a request was answered with, by hand or within an execution."""
        if not outcome:
            return
        state = self._state
        if state.execution is not None:
            await state.execution.leave(outcome)
        if state.control is control:
            state.control = None  # The next call begins anew.
        if outcome == CANCELLED:
            await control.cancel()
            raise WorkflowError(f"run {self._id} was cancelled", "Cancelled")
        if outcome == PAUSED:
            await control.pause(None, None, [])
            raise PausedError(f"run {self._id} is paused")
        raise PgqrsError(f"run {self._id} has another execution now, or is finished")

    async def success(self, value: Any = None) -> Run:
        """Ends the run with an output."""
        control = await self._controlled("success")
        await self._end_of(control, await control.finish(value))
        return self

    async def complete(self, value: Any = None) -> Run:
        """The same as :meth:`success`."""
        return await self.success(value)

    async def fail(self, error: Any) -> Run:
        """Ends the run with an error: a text, or a dict with ``message`` and ``code``."""
        control = await self._controlled("fail")
        await self._end_of(control, await control.fail(error_of(error)))
        return self

    async def acquire_step(
        self, name: str, current_time: str | datetime | None = None
    ) -> StepResult:
        """Begins the step of exactly this name, or gives what it has given before.

        Args:
            name: The name of the step, of 1 to 255 bytes.
            current_time: The time that decides whether a step that failed may be tried again.

        Raises:
            StepNotReadyError: It failed, and is to wait longer.
            RetriesExhaustedError: It has failed for good.
        """
        now = self._time if current_time is None else moment("current_time", current_time)
        control = await self._controlled(text("name", name))
        claim = control.find(name)
        if claim.is_success:
            return StepResult(StepResultStatus.Skipped, claim.output(), None)
        if claim.is_error:
            self._check_ready(claim, control.now() if now is None else now)
        if control.outcome:
            raise ValidationError(f"run {self._id} is {control.status.name}, and has no more steps")
        claim.set_running()
        await self._end_of(control, await control.record(claim))
        return StepResult(StepResultStatus.Execute, None, StepGuard(self, control, claim, now))

    def _check_ready(self, claim: _core.ClaimedStep, now: int) -> None:
        error = claim.error()
        said = error.get("message") if isinstance(error, dict) else error
        if claim.retry_at is None:
            raise RetriesExhaustedError(
                f"step {claim.name!r} has failed for good, at try {claim.attempts}: {said}"
            )
        if claim.retry_at > now:
            execution = self._state.execution
            if execution is not None:
                execution.until = claim.retry_at
            at = (_EPOCH + timedelta(microseconds=claim.retry_at)).isoformat()
            raise StepNotReadyError(f"step {claim.name!r} is to wait until {at}: {said}")

    async def complete_step(self, name: str, value: Any = None) -> None:
        """Records that the step of this name has succeeded, whether it was acquired or not."""
        control = await self._controlled(text("name", name))
        claim = control.find(name)
        await StepGuard(self, control, claim, self._time).success(value)

    async def fail_step(self, name: str, error: Any) -> None:
        """Records that the step of this name has failed for good."""
        control = await self._controlled(text("name", name))
        claim = control.find(name)
        await StepGuard(self, control, claim, self._time).fail(error)

    # Within a workflow

    def _now(self) -> int:
        """Microseconds, by the database's clock."""
        if self._time is not None:
            return self._time
        control = self._state.control
        assert control is not None
        return control.now()

    def _call(self, name: str, kind: int) -> Call:
        """A call that has its place from now on."""
        execution = self._state.execution
        if execution is None:
            raise PgqrsError(
                f"{name!r} works within a workflow only: run {self._id} has no execution"
            )
        return Call(execution, name, kind)

    def sleep(self, duration: float | timedelta) -> Coroutine[Any, Any, None]:
        """Lets the run sleep: a timedelta, or seconds. Nothing is held meanwhile."""
        delay = not_negative("duration", duration)
        return self._sleep(self._call("sleep", SLEEP), lambda now: now + delay)

    def sleep_until(self, time: str | datetime) -> Coroutine[Any, Any, None]:
        """The same until a time (ISO 8601)."""
        until = moment("time", time)
        return self._sleep(self._call("sleep", SLEEP), lambda _: until)

    async def _sleep(self, call: Call, until: Callable[[int], int]) -> None:
        claim = call.begin()
        if claim.is_success:
            return
        execution = call.execution
        now = self._now()
        wake_at = claim.wake_at
        if wake_at is None:
            wake_at = until(now)
            claim.set_wake_at(wake_at)
        if wake_at > now:
            await execution.suspend(
                StepNotReadyError(f"run {self._id} sleeps"),
                steps=() if claim.is_recorded else (claim,),
                until=wake_at,
            )
        if not claim.is_recorded:
            claim.set_success(None)
            await execution.record(claim)

    def now(self) -> Coroutine[Any, Any, datetime]:
        """The database's clock when the run first came here."""
        return self._read_clock(self._call("now", NOW))

    async def _read_clock(self, call: Call) -> datetime:
        claim = call.begin()
        if not claim.is_success:
            claim.set_success(self._now())
            await call.execution.record(claim)
        return _EPOCH + timedelta(microseconds=claim.output())

    def random_uuid(self) -> Coroutine[Any, Any, uuid.UUID]:
        """A random UUID, always the same one at this place of the run."""
        return self._make_uuid(self._call("uuid", UUID))

    async def _make_uuid(self, call: Call) -> uuid.UUID:
        import uuid

        claim = call.begin()
        if not claim.is_success:
            claim.set_success(str(uuid.uuid4()))
            await call.execution.record(claim)
        return uuid.UUID(claim.output())

    def wait_event(
        self, name: str, timeout: float | timedelta | None = None
    ) -> Coroutine[Any, Any, Any]:
        """Waits for an event of this name that is sent to this run, and gives its payload.

        One that was sent before the run came here counts too; each is received once, in the order
        in which they were sent. None where none has come within ``timeout``, a timedelta or
        seconds. Nothing is held meanwhile.
        """
        limit = None if timeout is None else not_negative("timeout", timeout)
        return self._wait_event(self._call(text("name", name), EVENT), name, limit)

    async def _wait_event(self, call: Call, name: str, limit: int | None) -> Any:
        claim = call.begin()
        if claim.is_success:
            return claim.output()
        execution = call.execution
        if why := execution.ending():
            await execution.leave(why)
        if limit is not None and not claim.is_recorded:
            claim.set_wake_at(self._now() + limit)
        outcome, payload = await execution.work(
            execution.control.receive(claim, name), (STOPPING, None)
        )
        if outcome:
            await execution.leave(outcome)
        if payload is not None:
            return payload[0]
        wake_at = claim.wake_at
        if wake_at is not None and wake_at <= self._now():
            claim.set_success(None)
            await execution.record(claim)
            return None
        await execution.suspend(
            StepNotReadyError(f"run {self._id} waits for the event {name!r}"),
            until=wake_at,
            events=[name],
        )
        return None

    def child(
        self,
        workflow: WorkflowDef[Any, Any] | str,
        input: Any = None,
        *,
        priority: int = 5,
        delay: float | timedelta | None = None,
    ) -> Coroutine[Any, Any, ChildRun]:
        """Triggers a run of another workflow, once. It is cancelled with this run.

        Args:
            workflow: The workflow, or its name.
            input: What it gets.
            priority: 0 (first) to 9.
            delay: How long nobody starts it: a timedelta, or seconds.
        """
        from ._workflow import name_of

        name, version = name_of(workflow)
        pause = None if delay is None else not_negative("delay", delay)
        options = whole("priority", priority), pause, version
        return self._trigger_child(self._call(text("workflow", name), CHILD), name, input, options)

    async def _trigger_child(
        self, call: Call, name: str, input: Any, options: tuple[int, int | None, int | None]
    ) -> ChildRun:
        claim, execution = call.begin(), call.execution
        child_id = claim.child_id
        if not child_id:  # None where a retry has taken a failed one away.
            if why := execution.ending():
                await execution.leave(why)
            outcome, child_id = await execution.work(
                execution.control.child(claim, name, input, *options), (STOPPING, None)
            )
            if outcome:
                await execution.leave(outcome)
        return ChildRun(self, execution, claim.name, claim.ordinal, child_id)

    @property
    def must_stop(self) -> bool:
        """Whether the execution is to end soon, since its worker stops.

        A long step may ask, and raise ``TransientStepError`` to go on elsewhere.
        """
        execution = self._state.execution
        return execution is not None and execution.must_stop()
