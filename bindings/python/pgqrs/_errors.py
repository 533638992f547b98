"""The exceptions of pgqrs. All of them are below :class:`PgqrsError`."""

from __future__ import annotations


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


class TimeoutError(PgqrsError):
    """Something was not finished in time."""


class StateTransitionError(PgqrsError):
    """A worker cannot go from the state that it is in to the one that was asked for."""


class SchemaError(PgqrsError):
    """The database holds tables of another program or version, or is damaged."""


class InternalError(PgqrsError):
    """The database failed. Nothing was changed, unless it says that the outcome is unknown."""
