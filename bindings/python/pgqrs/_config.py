"""How a store is opened."""

from __future__ import annotations

from typing import Any

from ._arguments import items, micros
from ._errors import ConfigError, ValidationError

# The fields whose names in the library differ.
_FIELDS = {
    "connection_timeout": "connection_timeout_seconds",
    "default_lease": "default_lock_time_seconds",
    "heartbeat_interval": "heartbeat_interval_seconds",
    "max_payload_size": "max_payload_size_bytes",
}


def renamed(error: str) -> str:
    """An error of the library in the names of :class:`Config`."""
    field, colon, rest = error.partition(":")
    return _FIELDS.get(field, field) + colon + rest


class Config:
    """What a store is opened with. Every field but ``dsn`` can be read and written.

    Args:
        dsn: Which database: ``postgresql://…`` or whatever else libpq takes, ``sqlite:PATH``,
            ``sqlite::memory:``, ``turso:PATH``, ``turso::memory:``.
        schema: The schema of Postgres in which the tables are; made where it is missing.
        max_connections: How many connections the store may open in all (1 to 1,000).

    Fields that say how the store works:
        connection_timeout_seconds: How long a call waits for a database that cannot be reached, or
            is locked, before ``PgqrsConnectionError`` (30).
        default_lock_time_seconds: How long a lease lasts where the call does not say (5).
        default_max_batch_size: How many messages the handler of ``DequeueBuilder.handle_batch``
            gets at most where ``batch`` does not say (100).
        max_read_ct: After so many reads without an end a message becomes a dead letter (5).
        heartbeat_interval_seconds: How often workers say that they live (5).
        poll_interval_ms: How often whoever waits for messages looks whether it was interrupted; a
            message itself wakes it up at once (250).

    Fields that limit what can be enqueued, ``ValidationError`` or ``RateLimitedError`` beyond:
        max_payload_size_bytes: Of the JSON text, in bytes (1 MiB).
        max_string_length: Of any string in it, in bytes; ``None``: unlimited (1,024).
        max_object_depth: How deep lists and dicts may nest, up to 999 (5).
        forbidden_keys: Keys that no dict may have.
        required_keys: Keys that the payload must have.
        max_enqueue_per_second: ``None``: unlimited (1,000).
        max_enqueue_burst: How many may come at once; ``None``: as many as in a second (50).

    Example:
        >>> config = pgqrs.Config("sqlite::memory:")
        >>> config.max_read_ct = 10
    """

    __slots__ = (
        "_dsn",
        "connection_timeout_seconds",
        "default_lock_time_seconds",
        "default_max_batch_size",
        "forbidden_keys",
        "heartbeat_interval_seconds",
        "max_connections",
        "max_enqueue_burst",
        "max_enqueue_per_second",
        "max_object_depth",
        "max_payload_size_bytes",
        "max_read_ct",
        "max_string_length",
        "poll_interval_ms",
        "required_keys",
        "schema",
    )

    def __init__(
        self, dsn: str, schema: str | None = None, max_connections: int | None = None
    ) -> None:
        if not isinstance(dsn, str):
            raise ConfigError(f"dsn: a str is wanted, not {type(dsn).__name__}")
        self._dsn = dsn
        self.schema: str = "public" if schema is None else schema
        self.max_connections: int = 16 if max_connections is None else max_connections
        self.connection_timeout_seconds: float = 30
        self.default_lock_time_seconds: float = 5
        self.default_max_batch_size: int = 100
        self.max_read_ct: int = 5
        self.heartbeat_interval_seconds: float = 5
        self.poll_interval_ms: int = 250
        self.max_payload_size_bytes: int = 1_048_576
        self.max_string_length: int | None = 1024
        self.max_object_depth: int = 5
        self.forbidden_keys: list[str] = ["__proto__", "constructor"]
        self.required_keys: list[str] = []
        self.max_enqueue_per_second: float | None = 1000
        self.max_enqueue_burst: int | None = 50

    @classmethod
    def from_dsn(cls, dsn: str) -> Config:
        """The same as ``Config(dsn)``."""
        return cls(dsn)

    @classmethod
    def unlimited(cls, dsn: str) -> Config:
        """One without limits on rate, strings and keys, and with the deepest nesting there is."""
        config = cls(dsn)
        config.max_string_length = None
        config.max_object_depth = 999
        config.forbidden_keys = []
        config.max_enqueue_per_second = None
        config.max_enqueue_burst = None
        return config

    @property
    def dsn(self) -> str:
        """The database. It may hold a password."""
        return self._dsn

    def __repr__(self) -> str:
        return f"Config(schema={self.schema!r}, max_connections={self.max_connections})"

    def _micros(self, field: str) -> int:
        try:
            return micros(field, getattr(self, field))
        except (TypeError, ValidationError) as error:
            raise ConfigError(str(error)) from None

    def _keys(self, field: str) -> list[str]:
        try:
            return items(field, getattr(self, field))
        except TypeError as error:
            raise ConfigError(str(error)) from None

    def _check(self) -> None:
        """Those fields that the library does not know."""
        for field in ("poll_interval_ms", "default_max_batch_size"):
            value = getattr(self, field)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{field}: must be an int from 1, and is {value!r}")

    def _fields(self) -> dict[str, Any]:
        """The same in the terms of the library, checked as far as it does not do so."""
        self._check()
        return {
            "dsn": self._dsn,
            "schema": self.schema,
            "max_connections": self.max_connections,
            "connection_timeout": self._micros("connection_timeout_seconds"),
            "default_lease": self._micros("default_lock_time_seconds"),
            "max_read_ct": self.max_read_ct,
            "heartbeat_interval": self._micros("heartbeat_interval_seconds"),
            "max_payload_size": self.max_payload_size_bytes,
            "max_string_length": self.max_string_length,
            "max_object_depth": self.max_object_depth,
            "forbidden_keys": self._keys("forbidden_keys"),
            "required_keys": self._keys("required_keys"),
            "max_enqueue_per_second": self.max_enqueue_per_second,
            "max_enqueue_burst": self.max_enqueue_burst,
        }
