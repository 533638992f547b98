"""One execution of a run: what it has called, and how it ends."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from . import _core
from ._arguments import error_text
from ._errors import (
    NonDeterminismError,
    PausedError,
    PgqrsError,
    StepNotReadyError,
    WorkflowError,
)
from ._scopes import Scope, inside, scope_of
from ._stored_errors import is_own_cancellation, paused_error, stored_error

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from ._run import Run

log = logging.getLogger("pgqrs.workflow")

# The kinds of steps, as the library counts them.
STEP, TRANSACTION, SLEEP, NOW, UUID, EVENT, CHILD = range(7)

# How a request of an execution may end; 0 is that it was carried out.
STALE, CANCELLED, PAUSED = 1, 2, 3
# Why else an execution may end before its function does.
SUSPENDED, STOPPING = 4, 5

# So many turns of the event loop pass from the end of a task to the next call of who awaits it.
_TURNS = 5
_START_AGAIN_AFTER = 1_000_000


class Interrupted(BaseException):
    """Leaves the function of a workflow. It is no ``Exception``, so that nobody handles it."""


class Call:
    """A call that has its place among the others, and is carried out when it is awaited."""

    __slots__ = ("_claim", "_error", "execution")

    def __init__(self, execution: Execution, name: str, kind: int) -> None:
        self.execution = execution
        self._claim: _core.ClaimedStep | None = None
        self._error: BaseException | None = None
        try:
            self._claim = execution.claim(name, kind)
        except (PgqrsError, Interrupted) as error:
            self._error = error  # Nobody awaits those that were made before it where this raises.

    def begin(self) -> _core.ClaimedStep:
        """What it is to do, or is known to have done."""
        if self._claim is None:
            assert self._error is not None
            raise self._error
        self.execution.join(self._claim.name)
        return self._claim


class Execution:
    """One execution of a run by the function of a workflow."""

    __slots__ = (
        "_busy",
        "_current_task",
        "_has_ended",
        "_idle",
        "_leaving",
        "_tasks",
        "_thread",
        "children",
        "control",
        "events",
        "failed_step",
        "has_failed",
        "interrupted",
        "is_replay",
        "mismatch",
        "pause",
        "public",
        "root",
        "run",
        "steps",
        "stopping",
        "until",
    )

    def __init__(
        self,
        run: Run,
        control: _core.RunControl,
        stopping: Callable[[], bool] | None = None,
        *,
        is_replay: bool = False,
    ) -> None:
        self.run = run
        self.control = control
        self.stopping = stopping
        self.is_replay = is_replay
        self.interrupted = 0
        self.mismatch: NonDeterminismError | None = None
        self.pause: tuple[str, int | None] | None = None
        # What it waits for: calls that wait at the same time add up.
        self.steps: list[_core.ClaimedStep] = []
        self.until: int | None = None
        self.events: list[str] = []
        self.children = False
        self.public: BaseException | None = None  # What a caller by hand is told.
        self.failed_step: tuple[BaseException, str] | None = None
        self.has_failed = False
        self.root = Scope(self, "")
        self._has_ended = False
        self._leaving = 0  # PAUSED or STOPPING, as soon as all that is at work has ended.
        self._busy = 0
        self._idle: list[asyncio.Future[None]] = []
        self._thread = threading.get_ident()
        # Those of the event loop that work for the run. None: there is no loop.
        self._tasks: set[asyncio.Task[Any]] | None = None
        self._current_task: Callable[[], asyncio.Task[Any] | None] = _no_task
        if not _core.is_blocking():
            import asyncio

            self._tasks = set()
            self._current_task = asyncio.current_task

    def in_this_thread(self) -> None:
        """Its function runs in this thread, without an event loop."""
        self._thread = threading.get_ident()
        self._tasks = None

    # Calls

    def check_open(self, what: str) -> None:
        """Before anything is done for the run."""
        if self._has_ended:
            raise PgqrsError(
                f"{what}: the execution of run {self.run.id()} has ended; a task or a thread that"
                " it has left behind cannot go on with the run"
            )
        if self.interrupted:
            raise Interrupted
        if self.mismatch is not None:
            raise self.mismatch

    def claim(self, name: str, kind: int) -> _core.ClaimedStep:
        """The next call of that name."""
        self.check_open(name)
        if inside.get() is self:
            raise PgqrsError(f"{name!r} was called inside of a step; a step cannot have steps")
        scope = self._scope(name)
        try:
            claim = self.control.claim(scope.prefix, name, kind)
            if self.is_replay and not claim.is_recorded:
                raise NonDeterminismError(
                    f"run {self.run.id()}: step {claim.name!r} was called, and is not recorded,"
                    " though the run has succeeded"
                )
        except NonDeterminismError as mismatch:
            self.mismatch = mismatch
            raise
        return claim

    def _scope(self, name: str) -> Scope:
        if threading.get_ident() != self._thread:
            raise PgqrsError(
                f"{name!r} was called in another thread than that of its workflow: the order of"
                " such calls could not be told in a replay"
            )
        if self._tasks is None:
            return self.root
        scope = scope_of(self._current_task())
        if scope is None or scope.execution is not self:
            raise PgqrsError(
                f"{name!r} was called in a task that its workflow has not made: the order of such"
                " calls could not be told in a replay"
            )
        return scope

    def join(self, name: str) -> None:
        """This task works for the run from now on."""
        self.check_open(name)
        if self._tasks is not None and (task := self._current_task()) is not None:
            self._tasks.add(task)

    def must_stop(self) -> bool:
        """Whether its worker stops."""
        return self.stopping is not None and self.stopping()

    def ending(self) -> int:
        """Why nothing new is to be done. 0: it is."""
        return self._leaving or (STOPPING if self.must_stop() else 0)

    def interrupt(self, why: int) -> NoReturn:
        """Ends the execution."""
        if not self.interrupted or self.interrupted == SUSPENDED:
            self.interrupted = why
        raise Interrupted

    async def leave(self, why: int) -> NoReturn:
        """The same; where the run goes on later, not before its other branches end their steps."""
        if why in (PAUSED, STOPPING):
            if self._leaving != PAUSED:
                self._leaving = why
            if self._tasks is not None:
                await self._until_quiet()
            why = self._leaving
        self.interrupt(why)

    async def ask(self, request: Awaitable[Any], if_troubled: Any = STOPPING) -> Any:
        """The answer to a request. Where the database is in trouble somebody goes on later."""
        try:
            return await request
        except PgqrsError as error:
            # Which is no fault of the workflow.
            log.warning("run %d could not go on: %s", self.run.id(), error)
            if self.public is None:
                self.public = error
            return if_troubled

    async def work(self, request: Awaitable[Any], if_troubled: Any = STOPPING) -> Any:
        """The same, and it is at work meanwhile."""
        self.begin()
        try:
            return await self.ask(request, if_troubled)
        finally:
            self.end()

    async def record(self, claim: _core.ClaimedStep) -> None:
        """Records a step as it is."""
        outcome = await self.work(self.control.record(claim))
        if outcome:
            await self.leave(outcome)

    # Whoever is at work, so that a run is suspended when nothing of it is.

    def begin(self) -> None:
        """A step is at work."""
        self._busy += 1

    def end(self) -> None:
        """It is no more."""
        self._busy -= 1
        if not self._busy and self._idle:
            waiting, self._idle = self._idle, []
            for each in waiting:
                if not each.done():
                    each.set_result(None)

    async def suspend(
        self,
        public: BaseException,
        *,
        steps: Sequence[_core.ClaimedStep] = (),
        until: int | None = None,
        events: Sequence[str] = (),
        children: bool = False,
    ) -> NoReturn:
        """Ends the execution when nothing else of it is at work: the run waits."""
        self.steps += steps
        self.events += events
        self.children = self.children or children
        if until is not None:
            self.until = until if self.until is None else min(self.until, until)
        if self.public is None:
            self.public = public
        if self._tasks is not None:
            await self._until_quiet()
        self.interrupt(SUSPENDED)

    async def _until_quiet(self) -> None:
        import asyncio

        turns = 0
        while turns < _TURNS:
            turns += 1
            if self._busy:
                await self._until_idle()
                turns = 0
            else:
                await asyncio.sleep(0)

    async def _until_idle(self) -> None:
        import asyncio

        while self._busy:
            future = asyncio.get_running_loop().create_future()
            self._idle.append(future)
            await future

    # Ends

    def takes(self, raised: BaseException) -> bool:
        """Whether that is how the function has ended, and no crash."""
        if isinstance(raised, Exception | Interrupted) or is_own_cancellation(raised):
            return True
        return bool(self.interrupted) and isinstance(raised, BaseExceptionGroup)

    async def settle(self) -> None:
        """Ends the tasks that still work for the run when its function has ended."""
        if self._tasks is not None:
            own = self._current_task()
            left = [each for each in self._tasks if each is not own and not each.done()]
            for each in self._tasks:
                # It is no failure that somebody has forgotten to look at.
                if isinstance(getattr(each, "_exception", None), Interrupted):
                    each.exception()
            self._tasks.clear()
            if left and self.interrupted in (PAUSED, STOPPING):
                await self._until_idle()
            self._has_ended = True
            await self._cancel([each for each in left if not each.done()])
        self._has_ended = True

    async def _cancel(self, tasks: list[asyncio.Task[Any]]) -> None:
        import asyncio

        for each in tasks:
            each.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for each in tasks:
            error = None if each.cancelled() else each.exception()
            if error is not None and not isinstance(error, Interrupted):
                log.warning(
                    "run %d: a task that nobody has awaited failed", self.run.id(), exc_info=error
                )

    async def conclude(self, output: Any, raised: BaseException | None) -> BaseException | None:
        """Tells the database how the execution has ended. Gives what the caller is to be told."""
        if self.mismatch is not None:
            log.error("run %d is paused: %s", self.run.id(), self.mismatch)
            await self.control.pause(stored_error(self.mismatch), None, [])
            return self.mismatch
        if self.interrupted:
            return await self._conclude_interrupted()
        if isinstance(raised, PausedError) or (raised is not None and self.pause is not None):
            await self._pause(raised)
            return raised
        if isinstance(raised, StepNotReadyError):
            # Of a step that was acquired by its name.
            await self._give_back(_START_AGAIN_AFTER if self.until is None else None)
            return raised
        if raised is not None:
            step = self.failed_step
            name = step[1] if step is not None and step[0] is raised else None
            outcome = await self.control.fail(stored_error(raised, step=name))
            self.has_failed = not outcome
            return raised if outcome in (0, CANCELLED) else self._told(outcome)
        try:
            finishing = self.control.finish(output)
        except PgqrsError as error:  # The output is none that can be stored.
            return await self.conclude(None, error)
        outcome = await finishing
        return self._told(outcome) if outcome else None

    async def _conclude_interrupted(self) -> BaseException:
        why = self.interrupted
        if why == SUSPENDED:
            why = await self.control.suspend(self.steps, self.until, self.events, self.children)
            if why == 0:
                assert self.public is not None
                return self.public
            return self._told(why)
        if why == CANCELLED:
            await self.control.cancel()
        elif why == PAUSED:
            await self._pause(self.public)
            if self.public is not None:
                return self.public
        elif why == STOPPING:
            await self._give_back(0 if self.must_stop() else _START_AGAIN_AFTER)
            if self.public is not None:
                return self.public
        return self._told(why)

    async def _give_back(self, delay: int | None) -> None:
        """Lets the run go on so much later, or earlier, with all that its branches wait for."""
        times = [] if delay is None else [self.control.now() + delay]
        if self.until is not None:
            times.append(self.until)
        await self.control.suspend(self.steps, min(times), [], False)

    async def _pause(self, raised: BaseException | None) -> None:
        text, resume_after = self.pause or (None, None)
        if text is None and raised is not None:
            text = error_text(raised)
        reason = None if text is None else paused_error(text)
        await self.control.pause(reason, resume_after, self.steps)

    def _told(self, why: int) -> BaseException:
        run = f"run {self.run.id()}"
        if why == CANCELLED:
            return WorkflowError(f"{run} was cancelled", "Cancelled")
        if why == PAUSED:
            return PausedError(f"{run} is paused")
        if why == STOPPING:
            return PgqrsError(f"{run} was given back, since its worker stops")
        return PgqrsError(f"{run} has another execution now, or is finished")


def _no_task() -> None:
    return None
