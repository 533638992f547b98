"""What peers on SQLite share."""

from __future__ import annotations

import sqlite3

# How long a connection waits for the others: callers and workers of a file take turns.
BUSY_SECONDS = 60.0


class Counter:
    """Counts rows by SQL, past the peer."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS)

    def count(self, query: str) -> int:
        """The number that a query gives."""
        return int(self._connection.execute(query).fetchone()[0])


def make_durable(connection: sqlite3.Connection) -> None:
    """Has each commit be on the disk, as Python's SQLite does not in WAL mode everywhere."""
    connection.execute("PRAGMA synchronous = FULL")
