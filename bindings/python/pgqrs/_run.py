"""Runs of workflows: what their functions work with, and what is done to them from outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import moment, not_negative, text, whole
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
    UUID,
    Execution,
    inside,
    paused_error,
)
from ._step_result import StepGuard, StepResult, StepResultStatus, error_of

if TYPE_CHECKING:
    import uuid

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
        if execution.interrupted:
            execution.interrupt(execution.interrupted)
        step = execution.control.get(self._name, self._ordinal)
        if step.is_success:
            return step.output()
        if step.is_error:
            error = step.error()
            said = error.get("message") if isinstance(error, dict) else error
            raise WorkflowError(f"child run {self._id} of workflow {self._name!r}: {said}")
        await execution.suspend(
            StepNotReadyError(f"run {self._run.id()} waits for child run {self._id}"),
            children=True,
        )
        raise AssertionError


class _State:
    """What the copies of a run share."""

    __slots__ = ("control", "execution", "is_executing")

    def __init__(self) -> None:
        self.control: _core.RunControl | None = None
        self.execution: Execution | None = None
        self.is_executing = False


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
        ``PausedError`` then. From outside a run that a worker executes pauses at its next step.
        """
        said = text("reason", reason)
        delay = (
            None
            if resume_after_seconds is None
            else not_negative("resume_after_seconds", resume_after_seconds)
        )
        state = self._state
        if state.execution is not None:
            state.execution.pause = said, delay
            if inside.get() is not state.execution:
                state.execution.interrupt(PAUSED)
            return
        if state.control is None:
            await self._store._core.pause_run(self._id)
            return
        control, state.control = state.control, None
        outcome = await control.pause(paused_error(said), delay, [])
        if outcome not in (0, PAUSED):
            await self._end_of(outcome)

    # By hand

    async def start(self) -> Run:
        """Begins to execute the run by hand, and fences off whoever else does.

        A paused run is resumed. ``ValidationError`` where it is finished, or being cancelled.
        """
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

    async def _controlled(self) -> _core.RunControl:
        if self._state.control is None:
            self._state.control = await self._start(None)
        return self._state.control

    async def _end_of(self, outcome: int) -> None:
        """What a request was answered with, by hand or within an execution."""
        if not outcome:
            return
        state = self._state
        if state.execution is not None:
            state.execution.interrupt(outcome)
        control, state.control = state.control, None
        if outcome == CANCELLED:
            if control is not None:
                await control.cancel()
            raise WorkflowError(f"run {self._id} was cancelled")
        if outcome == PAUSED:
            if control is not None:
                await control.pause(None, None, [])
            raise PausedError(f"run {self._id} is paused")
        raise PgqrsError(f"run {self._id} has another execution now, or is finished")

    async def success(self, value: Any = None) -> Run:
        """Ends the run with an output."""
        control = await self._controlled()
        await self._end_of(await control.finish(value))
        return self

    async def complete(self, value: Any = None) -> Run:
        """The same as :meth:`success`."""
        return await self.success(value)

    async def fail(self, error: Any) -> Run:
        """Ends the run with an error: a text, or a dict with ``message`` and ``code``."""
        control = await self._controlled()
        await self._end_of(await control.fail(error_of(error)))
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
        now = None if current_time is None else moment("current_time", current_time)
        control = await self._controlled()
        claim = control.find(text("name", name))
        if claim.is_success:
            return StepResult(StepResultStatus.Skipped, claim.output(), None)
        if claim.is_error:
            self._check_ready(claim, self._now() if now is None else now)
        if control.outcome:
            raise ValidationError(f"run {self._id} is {control.status.name}, and has no more steps")
        claim.set_running()
        await self._end_of(await control.record(claim))
        return StepResult(StepResultStatus.Execute, None, StepGuard(self, claim, now))

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
        control = await self._controlled()
        claim = control.find(text("name", name))
        await self._end_of(await control.succeed(claim, value))

    async def fail_step(self, name: str, error: Any) -> None:
        """Records that the step of this name has failed for good."""
        control = await self._controlled()
        claim = control.find(text("name", name))
        await StepGuard(self, claim, None).fail(error)

    # Within a workflow

    def _now(self) -> int:
        """Microseconds, by the database's clock."""
        if self._time is not None:
            return self._time
        control = self._state.control
        assert control is not None
        return control.now()

    def _executing(self, what: str) -> Execution:
        execution = self._state.execution
        if execution is None:
            raise PgqrsError(
                f"{what} works within a workflow only: run {self._id} has no execution"
            )
        return execution

    async def sleep(self, duration: float | timedelta) -> None:
        """Lets the run sleep: a timedelta, or seconds. Nothing is held meanwhile."""
        delay = not_negative("duration", duration)
        await self._sleep(lambda now: now + delay)

    async def sleep_until(self, time: str | datetime) -> None:
        """The same until a time (ISO 8601)."""
        until = moment("time", time)
        await self._sleep(lambda _: until)

    async def _sleep(self, until: Any) -> None:
        execution = self._executing("sleep")
        claim = execution.enter("sleep", SLEEP)
        if claim.is_success:
            return
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

    async def now(self) -> datetime:
        """The database's clock when the run first came here."""
        execution = self._executing("now")
        claim = execution.enter("now", NOW)
        if not claim.is_success:
            claim.set_success(self._now())
            await execution.record(claim)
        return _EPOCH + timedelta(microseconds=claim.output())

    async def random_uuid(self) -> uuid.UUID:
        """A random UUID, always the same one at this place of the run."""
        import uuid

        execution = self._executing("random_uuid")
        claim = execution.enter("uuid", UUID)
        if not claim.is_success:
            claim.set_success(str(uuid.uuid4()))
            await execution.record(claim)
        return uuid.UUID(claim.output())

    async def wait_event(self, name: str, timeout: float | timedelta | None = None) -> Any:
        """Waits for an event of this name that is sent to this run, and gives its payload.

        One that was sent before the run came here counts too; each is received once, in the order
        in which they were sent. None where none has come within ``timeout``, a timedelta or
        seconds. Nothing is held meanwhile.
        """
        limit = None if timeout is None else not_negative("timeout", timeout)
        execution = self._executing("wait_event")
        claim = execution.enter(text("name", name), EVENT)
        if claim.is_success:
            return claim.output()
        execution.check_not_stopping()
        if limit is not None and not claim.is_recorded:
            claim.set_wake_at(self._now() + limit)
        execution.begin()
        try:
            outcome, payload = await execution.ask(execution.control.receive(claim, name))
        finally:
            execution.end()
        if outcome:
            execution.interrupt(outcome)
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

    async def child(
        self,
        workflow: WorkflowDef[Any, Any] | str,
        input: Any = None,
        *,
        priority: int = 5,
        delay: float | timedelta | None = None,
    ) -> ChildRun:
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
        execution = self._executing("child")
        claim = execution.enter(name, CHILD)
        if claim.child_id:  # None where a retry has taken a failed one away.
            return ChildRun(self, execution, claim.name, claim.ordinal, claim.child_id)
        execution.check_not_stopping()
        request = execution.control.child(
            claim, name, input, whole("priority", priority), pause, version
        )
        execution.begin()
        try:
            outcome, child_id = await execution.ask(request)
        finally:
            execution.end()
        if outcome:
            execution.interrupt(outcome)
        return ChildRun(self, execution, claim.name, claim.ordinal, child_id)

    @property
    def must_stop(self) -> bool:
        """Whether the execution is to end soon, since its worker stops.

        A long step may ask, and raise ``TransientStepError`` to go on elsewhere.
        """
        execution = self._state.execution
        return execution is not None and execution.stopping is not None and execution.stopping()
