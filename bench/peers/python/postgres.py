"""What peers on Postgres share."""

from __future__ import annotations

from urllib.parse import quote

import psycopg

# Connections of a process at most, whatever the number of callers.
MAX_CONNECTIONS = 32


def with_settings(dsn: str, **settings: str) -> str:
    """The same server, with settings of each session."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items() if value)
    if not options:
        return dsn
    return f"{dsn}{'&' if '?' in dsn else '?'}options={quote(options)}"


class Counter:
    """Counts rows by SQL, past the peer."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)

    def count(self, query: str) -> int:
        """The number that a query gives."""
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])
