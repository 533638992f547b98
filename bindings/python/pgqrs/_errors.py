"""The exceptions of pgqrs. All of them are below :class:`PgqrsError`."""

from __future__ import annotations

import builtins as _builtins
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


class PgqrsError(Exception):
    """Any error of pgqrs."""


class PgqrsConnectionError(PgqrsError):
    """The database cannot be reached, or stayed locked for too long. Trying again may help."""


class ConfigError(PgqrsError):
    """A DSN or a field of :class:`Config` without meaning."""


class ValidationError(PgqrsError):
    """An argument outside its limits. Nothing was done."""


class SerializationError(PgqrsError):
    """A payload that cannot be written as JSON, or that the database cannot store."""


class QueueNotFoundError(PgqrsError):
    """There is no queue of this name."""


class QueueAlreadyExistsError(PgqrsError):
    """There is a queue of this name already."""


class WorkerNotFoundError(PgqrsError):
    """There is no worker of this id."""


class MessageNotFoundError(PgqrsError):
    """There is no message of this id."""


class RateLimitedError(PgqrsError):
    """More messages were enqueued within a second than ``Config.max_enqueue_per_second`` allows."""


class TimeoutError(PgqrsError, _builtins.TimeoutError):
    """Something was not finished in time."""


class StateTransitionError(PgqrsError):
    """A worker cannot go from the state that it is in to the one that was asked for."""


class SchemaError(PgqrsError):
    """The database holds tables of another program or version, or is damaged."""


class InternalError(PgqrsError):
    """The database failed. Nothing was changed, unless it says that the outcome is unknown."""


class WorkflowError(PgqrsError):
    """A run ended without a result: its own error, or that it was cancelled.

    ``code`` is the class of the exception, or the code that came with it; ``"Cancelled"`` where the
    run was cancelled. ``step`` is the step that failed; None where there was none.
    """

    def __init__(self, message: str = "", code: str = "", step: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.step = step


class NonDeterminismError(PgqrsError):
    """The code of a workflow does not match the steps that are recorded for a run."""


class TransientStepError(PgqrsError):
    """Raised by a step: it is to be tried again later.

    A step without a retry policy is tried three more times.

    Args:
        message: What was wrong.
        code: What kind of error it was.
        retry_after: How long to wait: a timedelta, or seconds. None: as the policy says.

    Example:
        >>> @pgqrs.step
        ... async def fetch(run: pgqrs.Run, url: str) -> str:
        ...     raise pgqrs.TransientStepError("busy", code="HTTP_429", retry_after=30)
    """

    def __init__(
        self,
        message: str = "",
        code: str = "TransientStepError",
        retry_after: float | timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class RetriesExhaustedError(PgqrsError):
    """A step has failed for good: at its only try, or at its last one."""


class StepNotReadyError(PgqrsError):
    """A step that failed is to wait longer before it may be tried again."""


class PausedError(PgqrsError):
    """Raised by a step after ``run.pause``; and where a run is paused that was to be executed."""
