"""Awa, with its own driver in Rust."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import awa
import psycopg
from psycopg import sql

from peer import Arguments, Description, Peer
from postgres import MAX_CONNECTIONS, Counter, with_settings
from scenarios import FILL_CALLERS
from tally import ExpectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peer import Handler
    from tally import Payload

QUEUE = "bench"
CONCURRENCY = 128
WORKER_CONNECTIONS = 24


@dataclass
class Bench:
    """The arguments of a job."""

    n: int
    pad: str
    t: int | None = None


class Side(Peer):
    """A client for producers, and one for each worker, in a database of their own."""

    description: ClassVar[Description] = Description(
        distribution="awa-pg",
        settings={
            "workers of the queue": f"{CONCURRENCY}: its notes on benchmarks prefer large pools of "
            "workers, and measure one queue with so many",
            "storage": "queue_storage, made by install_queue_storage: what its README calls the "
            "engine of fresh installs, and what enqueue_many_copy needs",
            "poll_interval_ms": "200, the default; NOTIFY wakes it earlier",
            "max_connections": f"up to {MAX_CONNECTIONS} for producers; {WORKER_CONNECTIONS} for "
            "each worker, since the notes want 4 for each queue and 20",
            "enqueue-bulk": "1,000 a call of enqueue_many_copy, which its README names for "
            "producers of many jobs",
            "retry": "RetryAfter(0)",
        },
        notes="Its schema is always named awa: each --schema is a database of its own, named "
        "awa_SCHEMA, on the same server.",
    )

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        parts = urlsplit(arguments.dsn)
        self._database = f"awa_{arguments.schema}"
        own = parts._replace(path=f"/{self._database}").geturl()
        commit = "" if arguments.is_measured else "off"
        self._dsn = with_settings(own, synchronous_commit=commit)

    async def open(self) -> None:
        """Makes the database, and the tables, where they are missing."""
        self._make_database()
        callers = FILL_CALLERS if self.arguments.role == "fill-single" else self.arguments.callers
        self._client = awa.AsyncClient(self._dsn, min(callers, MAX_CONNECTIONS))
        self._counter = Counter(self._dsn)
        if not self._counter.count("SELECT count(to_regclass('awa.schema_version'))"):
            await self._client.migrate()
            await self._client.install_queue_storage()

    def _make_database(self) -> None:
        with psycopg.connect(self.arguments.dsn, autocommit=True) as server:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if server.execute(query, [self._database]).fetchone() is None:
                name = sql.Identifier(self._database)
                server.execute(sql.SQL("CREATE DATABASE {}").format(name))

    async def enqueue(self, payload: Payload) -> None:
        """Inserts a job."""
        await self._client.insert(payload, kind=QUEUE, queue=QUEUE)

    async def enqueue_bulk(self, payloads: Sequence[Payload]) -> None:
        """Inserts jobs by COPY."""
        await self._client.enqueue_many_copy(list(payloads), kind=QUEUE, queue=QUEUE)

    async def work(self, handle: Handler, workers: int) -> None:
        """Runs clients, each with threads of its own that call this event loop."""
        clients = [self._make_worker(handle) for _ in range(workers)]
        for client in clients:
            await client.start([(QUEUE, CONCURRENCY)])
        await asyncio.Event().wait()

    def _make_worker(self, handle: Handler) -> awa.AsyncClient:
        client = awa.AsyncClient(self._dsn, WORKER_CONNECTIONS)

        @client.task(Bench, kind=QUEUE, queue=QUEUE)
        async def run(job: awa.Job[Bench]) -> Any:
            payload: Payload = {"n": job.args.n}
            if job.args.t is not None:
                payload["t"] = job.args.t
            try:
                handle(payload)
            except ExpectedError:
                return awa.RetryAfter(0)
            return None

        return client

    async def waiting(self) -> int:
        """Counts the jobs that are to run still."""
        return self._counter.count(
            "SELECT count(*) FROM awa.jobs WHERE state NOT IN ('completed', 'failed', 'cancelled')"
        )
