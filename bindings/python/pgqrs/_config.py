"""How a store is opened."""

from __future__ import annotations

from typing import Any

from ._errors import ConfigError
from ._time import micros


class Config:
    """What a store is opened with. Every field but ``dsn`` can be read and written.

    Args:
        dsn: Which database: ``postgresql://…`` or whatever else libpq takes, ``sqlite:PATH``,
            ``sqlite::memory:``, ``turso:PATH``, ``turso::memory:``.
        schema: The schema of Postgres in which the tables are.
        max_connections: How many connections the store may open in all.

    Example:
        >>> config = Config("sqlite:queue.db")
        >>> config.max_read_ct = 10
    """

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
        """A configuration with the defaults for this database."""
        return cls(dsn)

    @property
    def dsn(self) -> str:
        """The database. It may hold a password."""
        return self._dsn

    def __repr__(self) -> str:
        return f"Config(schema={self.schema!r}, max_connections={self.max_connections})"

    def _fields(self) -> dict[str, Any]:
        """The same in the terms of the library."""
        return {
            "dsn": self._dsn,
            "schema": self.schema,
            "max_connections": self.max_connections,
            "connection_timeout": micros(self.connection_timeout_seconds),
            "default_lease": micros(self.default_lock_time_seconds),
            "max_read_ct": self.max_read_ct,
            "heartbeat_interval": micros(self.heartbeat_interval_seconds),
            "max_payload_size": self.max_payload_size_bytes,
            "max_string_length": self.max_string_length,
            "max_object_depth": self.max_object_depth,
            "forbidden_keys": list(self.forbidden_keys),
            "required_keys": list(self.required_keys),
            "max_enqueue_per_second": self.max_enqueue_per_second,
            "max_enqueue_burst": self.max_enqueue_burst,
        }
