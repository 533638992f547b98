"""One execution of a run: what it has called, and how it ends."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from . import _core
from ._arguments import error_text
from ._errors import (
    NonDeterminismError,
    PausedError,
    PgqrsError,
    RetriesExhaustedError,
    StepNotReadyError,
    WorkflowError,
)

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
SUSPENDED, STOPPING, ENDED = 4, 5, 6

_LONGEST_MESSAGE = 65536
# So many turns of the event loop pass from the end of a task to the next call of who awaits it.
_TURNS = 5
_START_AGAIN_AFTER = 1_000_000


class Interrupted(BaseException):
    """Leaves the function of a workflow. It is no ``Exception``, so that nobody handles it."""


class _Scope:
    """Calls in the order of which a task of the event loop makes them."""

    __slots__ = ("execution", "prefix", "task")

    def __init__(self, execution: Execution, prefix: str, task: object) -> None:
        self.execution = execution
        self.prefix = prefix
        self.task = task


_scope: ContextVar[_Scope | None] = ContextVar("pgqrs_scope", default=None)
# Whose step the code is inside of.
inside: ContextVar[Execution | None] = ContextVar("pgqrs_step", default=None)


def stored_error(
    error: BaseException, *, step: str | None = None, is_transient: bool = False
) -> dict[str, Any]:
    """An exception as it is stored."""
    kind = type(error)
    code = getattr(error, "code", None)
    stored = {
        "message": storable(error_text(error)),
        "code": storable(code) if isinstance(code, str) and code else kind.__name__,
        "is_transient": is_transient,
        "type": f"{kind.__module__}:{kind.__qualname__}",
    }
    if step is not None:
        stored["step"] = step
    return stored


def storable(text: str) -> str:
    """Text that every database takes."""
    return text.replace("\x00", "\\x00")[:_LONGEST_MESSAGE].encode(errors="replace").decode()


def restored_error(stored: Any, name: str, attempts: int) -> Exception:
    """What a step that has failed for good raises, each time the same."""
    message = stored.get("message", "") if isinstance(stored, dict) else str(stored)
    if attempts > 1:
        return RetriesExhaustedError(f"step {name!r} failed {attempts} times: {message}")
    kind = _class_of(stored.get("type") if isinstance(stored, dict) else None)
    if kind is None:
        return RetriesExhaustedError(f"step {name!r} failed: {message}")
    error = kind.__new__(kind)
    error.args = (message,)
    return error


def _class_of(name: Any) -> type[Exception] | None:
    """A class of exceptions that the program has."""
    if not isinstance(name, str):
        return None
    module, _, qualname = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    is_error = isinstance(found, type) and issubclass(found, Exception)
    # One of its own may want other arguments.
    return found if is_error and isinstance(found.__new__, BuiltinFunctionType) else None


class Execution:
    """One execution of a run by the function of a workflow."""

    __slots__ = (
        "_busy",
        "_current_task",
        "_idle",
        "_root",
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
        self._busy = 0
        self._idle: list[asyncio.Future[None]] = []
        self._current_task: Callable[[], object] = _no_task
        if not _core.is_blocking():
            import asyncio

            self._current_task = asyncio.current_task
        self._root = _Scope(self, "", self._current_task())

    def in_thread(self) -> None:
        """Its function runs in a thread, by itself."""
        self._current_task = _no_task
        self._root.task = None

    # Calls

    def enter(self, name: str, kind: int) -> _core.ClaimedStep:
        """Claims the next call of that name."""
        if self.interrupted:
            raise Interrupted
        if self.mismatch is not None:
            raise self.mismatch
        if inside.get() is self:
            raise PgqrsError(f"{name!r} was called inside of a step; a step cannot have steps")
        scope = _scope.get()
        if scope is None or scope.execution is not self:
            scope = self._root
        task = self._current_task()
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
        if scope.task is not task:
            # The first call of a task has its place among the calls of who made the task, and all
            # later ones are counted by themselves, however the tasks take turns.
            _scope.set(_Scope(self, f"{claim.name}[{claim.ordinal}]/", task))
        return claim

    def check_not_stopping(self) -> None:
        """Before anything new is done."""
        if self.stopping is not None and self.stopping():
            self.interrupt(STOPPING)

    def interrupt(self, why: int) -> NoReturn:
        """Ends the execution."""
        if not self.interrupted or self.interrupted == SUSPENDED:
            self.interrupted = why
        raise Interrupted

    async def ask(self, request: Awaitable[Any]) -> Any:
        """The answer to a request. Where the database is in trouble somebody goes on later."""
        try:
            return await request
        except PgqrsError as error:
            self.give_up(error)

    def give_up(self, error: BaseException) -> NoReturn:
        """The database is in trouble, which is no fault of the workflow."""
        log.warning("run %d could not go on: %s", self.run.id(), error)
        if self.public is None:
            self.public = error
        self.interrupt(STOPPING)

    async def record(self, claim: _core.ClaimedStep) -> None:
        """Records a step as it is."""
        outcome = await self.ask(self.control.record(claim))
        if outcome:
            self.interrupt(outcome)

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
        if self._current_task is not _no_task:
            await self._until_quiet()
        self.interrupt(SUSPENDED)

    async def _until_quiet(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        turns = 0
        while turns < _TURNS:
            turns += 1
            if self._busy:
                future = loop.create_future()
                self._idle.append(future)
                await future
                turns = 0
            else:
                await asyncio.sleep(0)

    # Ends

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
            if self.until is None:
                await self.control.give_back(_START_AGAIN_AFTER)
            else:
                await self.control.suspend(self.steps, self.until, [], False)
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
            is_orderly = self.stopping is not None and self.stopping()
            await self.control.give_back(0 if is_orderly else _START_AGAIN_AFTER)
            if self.public is not None:
                return self.public
        return self._told(why)

    async def _pause(self, raised: BaseException | None) -> None:
        text, resume_after = self.pause or (None, None)
        if text is None and raised is not None:
            text = error_text(raised)
        reason = None if text is None else paused_error(text)
        await self.control.pause(reason, resume_after, self.steps)

    def _told(self, why: int) -> BaseException:
        run = f"run {self.run.id()}"
        if why == CANCELLED:
            return WorkflowError(f"{run} was cancelled")
        if why == PAUSED:
            return PausedError(f"{run} is paused")
        if why == STOPPING:
            return PgqrsError(f"{run} was given back, since its worker stops")
        return PgqrsError(f"{run} has another execution now, or is finished")


def paused_error(text: str) -> dict[str, Any]:
    """Why a run, or a step, is paused."""
    return {"message": storable(text), "code": "PAUSED", "is_transient": True}


def _no_task() -> object:
    return None
