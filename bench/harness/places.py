"""Databases of one side in one round, each empty at first and removed with all that is in it."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The server, for this program and the C++ side.
DSN_VARIABLE = "PGQRS_BENCH_DSN"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """A database as the sides find it."""

    backend: str
    database: str  # A path, or a schema of the server.

    def cpp_arguments(self) -> list[str]:
        """How the C++ side is told; it knows the server."""
        return ["--backend", self.backend, "--database", self.database]

    def python_arguments(self) -> list[str]:
        """How a Python side is told."""
        if self.backend == "postgres":
            return ["--dsn", os.environ[DSN_VARIABLE], "--schema", self.database]
        return ["--dsn", f"{self.backend}://{self.database}?synchronous=full"]

    def settle(self) -> None:
        """Lets the server finish what it has to do for what was written so far."""
        if self.backend == "postgres":
            _run_sql("VACUUM ANALYZE", "CHECKPOINT")


def _run_sql(*statements: str) -> None:
    command = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", os.environ[DSN_VARIABLE]]
    for statement in statements:
        command += ["--command", statement]
    # Not what it only notes, as what a schema held that is dropped.
    environment = os.environ | {"PGOPTIONS": "-c client_min_messages=warning"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


@contextmanager
def new_place(backend: str, folder: Path) -> Iterator[Place]:
    """A database for as long as the context lasts."""
    if backend != "postgres":
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            yield Place(backend, os.path.join(scratch, "queue.db"))
        return
    schema = f"pgqrs_bench_{os.getpid()}_{next(_numbers)}"
    _run_sql(f"CREATE SCHEMA {schema}")
    try:
        yield Place(backend, schema)
    finally:
        _run_sql(f"DROP SCHEMA {schema} CASCADE")
