"""PgQueuer, with asyncpg."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.queries import Queries

from peer import Arguments, Description, Peer
from postgres import MAX_CONNECTIONS, Counter, with_settings
from scenarios import FILL_CALLERS
from tally import ExpectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pgqueuer.models import Job

    from peer import Handler
    from tally import Payload

ENTRYPOINT = "bench"
BATCH_SIZE = 100


class Side(Peer):
    """A pool for producers, a connection for each worker."""

    description: ClassVar[Description] = Description(
        distribution="pgqueuer",
        settings={
            "batch_size": f"{BATCH_SIZE}: its guide to performance says to increase it (10) where "
            "jobs are short; completions are written as many at a time",
            "autovacuum": "as by `pgq autovac`, which its guide's checklist begins with",
            "driver": f"a pool of asyncpg, up to {MAX_CONNECTIONS} connections, for producers and "
            "one connection for each worker, as the checklist says",
            "durability": "durable, the default: all tables are logged",
            "event loop": "uvloop",
            "enqueue-bulk": "1,000 a call of Queries.enqueue with lists",
            "retry": "RetryRequested with a delay of 0",
        },
        notes="Completions are buffered until there are batch_size or 0.1 s have passed; a row of "
        "a finished job moves to a log table. A worker that found nothing waits for NOTIFY.",
    )
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = staticmethod(
        uvloop.new_event_loop
    )

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        # It reads its names from the environment, once.
        os.environ["PGQUEUER_SCHEMA"] = arguments.schema
        commit = "" if arguments.is_measured else "off"
        self._dsn = with_settings(arguments.dsn, synchronous_commit=commit)

    async def open(self) -> None:
        """Makes a pool that has its connections already."""
        arguments = self.arguments
        callers = FILL_CALLERS if arguments.role == "fill-single" else arguments.callers
        size = min(callers, MAX_CONNECTIONS)
        self._pool = await asyncpg.create_pool(self._dsn, min_size=size, max_size=size)
        self._queries = Queries(AsyncpgPoolDriver(self._pool))
        if not await self._queries.schema_is_installed():
            await self._queries.install()
            await self._queries.optimize_autovacuum()
        self._counter = Counter(arguments.dsn)

    async def enqueue(self, payload: Payload) -> None:
        """Enqueues a job."""
        await self._queries.enqueue(ENTRYPOINT, json.dumps(payload).encode())

    async def enqueue_bulk(self, payloads: Sequence[Payload]) -> None:
        """Enqueues jobs by one statement."""
        texts: list[bytes | None] = [json.dumps(payload).encode() for payload in payloads]
        await self._queries.enqueue([ENTRYPOINT] * len(texts), texts, [0] * len(texts))

    async def work(self, handle: Handler, workers: int) -> None:
        """Runs managers that share the event loop."""
        await asyncio.gather(*(self._run_worker(handle) for _ in range(workers)))

    async def _run_worker(self, handle: Handler) -> None:
        worker = PgQueuer(AsyncpgDriver(await asyncpg.connect(self._dsn)))

        @worker.entrypoint(ENTRYPOINT)
        async def run(job: Job) -> None:
            assert job.payload is not None
            try:
                handle(json.loads(job.payload))
            except ExpectedError as error:
                raise RetryRequested(timedelta(0)) from error

        await worker.run(batch_size=BATCH_SIZE)

    async def waiting(self) -> int:
        """Counts the rows of jobs, which are deleted when these are done."""
        return self._counter.count(f'SELECT count(*) FROM "{self.arguments.schema}".pgqueuer')
