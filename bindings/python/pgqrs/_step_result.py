"""Steps that are acquired by their exact names."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ._arguments import micros, text
from ._errors import PgqrsError
from ._execution import STALE
from ._retry import DEFAULT_POLICY
from ._stored_errors import storable, stored_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from . import _core
    from ._run import Run


class StepResultStatus(StrEnum):
    """What is to be done with a step that was acquired.

    Example:
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> (await run.acquire_step("compose")).status is pgqrs.StepResultStatus.Execute
        True
    """

    Execute = "EXECUTE"
    Skipped = "SKIPPED"


class StepGuard:
    """Ends a step that was acquired, once.

    Example:
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> step = await run.acquire_step("compose")
        >>> await step.guard.success("Hello ada")
        >>> (await run.acquire_step("compose")).value
        'Hello ada'
    """

    def __init__(
        self, run: Run, control: _core.RunControl, claim: _core.ClaimedStep, now: int | None
    ) -> None:
        self._run = run
        self._control = control
        self._claim = claim
        self._attempts = claim.attempts
        self._now = now
        self._is_over = False

    async def success(self, value: Any = None) -> None:
        """The step has succeeded, and has this value."""
        await self._end(lambda: self._control.succeed(self._claim, value))

    async def fail(self, message: Any) -> None:
        """The step has failed for good."""
        error = error_of(message, self._claim.name)
        await self._end(lambda: self._fail(error, None))

    async def fail_transient(
        self, code: str, message: str, retry_after: float | timedelta | None = None
    ) -> None:
        """The step has failed, and may be tried again: after three retries it has failed for good.

        Args:
            code: What kind of error it was.
            message: What was wrong.
            retry_after: How long to wait: a timedelta, or seconds (``ValueError`` where negative).
                None: a second, then twice as long each time, up to a minute, ±25 %.
        """
        delay = retry_delay(retry_after)
        attempts = self._attempts + 1
        is_last = attempts > DEFAULT_POLICY.max_attempts
        error = {
            "message": storable(text("message", message)),
            "code": storable(text("code", code)),
            "is_transient": not is_last,
            "step": self._claim.name,
        }
        if delay is None:
            delay = DEFAULT_POLICY.backoff._micros(attempts)
        now = self._control.now() if self._now is None else self._now
        await self._end(lambda: self._fail(error, None if is_last else now + delay))

    def _fail(self, error: dict[str, Any], retry_at: int | None) -> Awaitable[int]:
        self._claim.set_error(error, retry_at)
        self._claim.attempts = self._attempts + 1
        return self._control.record(self._claim)

    async def _end(self, record: Callable[[], Awaitable[int]]) -> None:
        """Records the end, once. What could not be recorded may be tried again."""
        if self._is_over:
            raise PgqrsError(f"step {self._claim.name!r} was ended already by this guard")
        self._is_over = True
        self._claim.attempts = self._attempts
        outcome = STALE
        try:
            outcome = await record()
        finally:
            self._is_over = outcome == 0
        await self._run._end_of(self._control, outcome)


class StepResult:
    """A step that was acquired: what it has given, or a guard to end it with.

    Example:
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> step = await run.acquire_step("compose")
        >>> if step.status is pgqrs.StepResultStatus.Execute:
        ...     await step.guard.success("Hello ada")
    """

    def __init__(self, status: StepResultStatus, value: Any, guard: StepGuard | None) -> None:
        self._status = status
        self._value = value
        self._guard = guard

    @property
    def status(self) -> StepResultStatus:
        """Execute: it is to be done. Skipped: it has succeeded before."""
        return self._status

    @property
    def value(self) -> Any:
        """What it has given, where it is Skipped."""
        return self._value

    @property
    def guard(self) -> StepGuard:
        """What ends it, where it is to be executed; else ``PgqrsError``."""
        if self._guard is None:
            raise PgqrsError("the step has succeeded before: there is nothing to be ended")
        return self._guard


def error_of(error: Any, step: str | None = None) -> dict[str, Any]:
    """An error as it is stored: of a text, an exception, or a dict with a message."""
    if isinstance(error, BaseException):
        return stored_error(error, step=step)
    stored = {"message": error, "code": "Error", "is_transient": False}
    if isinstance(error, dict):
        stored = {"message": "", "code": "Error", "is_transient": False, **error}
    elif not isinstance(error, str):
        raise TypeError(f"error: a text or a dict is wanted, not a {type(error).__name__}")
    else:
        stored["message"] = storable(error)
    if step is not None:
        stored.setdefault("step", step)
    return stored


def retry_delay(retry_after: float | timedelta | None) -> int | None:
    """How long a step waits, in microseconds."""
    if retry_after is None:
        return None
    delay = micros("retry_after", retry_after)
    if delay < 0:
        raise ValueError(f"retry_after must be non-negative, and is {retry_after}")
    return delay
