"""Procrastinate, with psycopg."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from procrastinate import App, PsycopgConnector, RetryStrategy

from peer import Arguments, Description, Peer
from postgres import MAX_CONNECTIONS, Counter, with_settings
from scenarios import FILL_CALLERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peer import Handler
    from tally import Payload

CONCURRENCY = 20
# A worker also listens, and keeps some for what it fetches meanwhile.
WORKER_CONNECTIONS = 8
# Nothing notifies of a job that is to be tried again.
RETRY_POLLING_INTERVAL = 0.1


class Side(Peer):
    """An app for producers, and one with a pool of its own for each worker."""

    description: ClassVar[Description] = Description(
        distribution="procrastinate",
        settings={
            "concurrency": f"{CONCURRENCY}: its page on concurrency says that jobs of a worker "
            "that are asynchronous may run in parallel; the default is 1",
            "connections": f"up to {MAX_CONNECTIONS} for producers, {WORKER_CONNECTIONS} for each "
            "worker: psycopg_pool's default of 4 would let jobs wait for each other",
            "listen_notify": "on, the default: lower latency than by polling alone",
            "fetch_job_polling_interval": f"5 s, the default; {RETRY_POLLING_INTERVAL} s where "
            "retries are measured, since a retry may be noticed only by polling",
            "delete_jobs": "never, the default: finished jobs stay in the table",
            "enqueue-bulk": "1,000 a call of batch_defer_async",
            "retry": "RetryStrategy with wait=0",
        },
        notes="A worker fetches, and finishes, one job with each statement. Its tables are found "
        "by search_path.",
    )

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        self._dsn = with_settings(
            arguments.dsn,
            search_path=arguments.schema,
            synchronous_commit="" if arguments.is_measured else "off",
        )

    async def open(self) -> None:
        """Opens the producers' app."""
        callers = FILL_CALLERS if self.arguments.role == "fill-single" else self.arguments.callers
        self._app = await self._make_app(min(callers, MAX_CONNECTIONS))
        self._counter = Counter(self._dsn)
        if not self._counter.count("SELECT count(to_regclass('procrastinate_jobs'))"):
            await self._app.schema_manager.apply_schema_async()
        self._task = self._app.configure_task("bench")

    async def _make_app(self, connections: int) -> App:
        connector = PsycopgConnector(conninfo=self._dsn, min_size=connections, max_size=connections)
        app = App(connector=connector)
        await app.open_async()
        return app

    async def enqueue(self, payload: Payload) -> None:
        """Defers a job."""
        await self._task.defer_async(**payload)

    async def enqueue_bulk(self, payloads: Sequence[Payload]) -> None:
        """Defers jobs by one statement."""
        await self._task.batch_defer_async(*payloads)

    async def work(self, handle: Handler, workers: int) -> None:
        """Runs workers that share the event loop."""
        await asyncio.gather(*(self._run_worker(handle) for _ in range(workers)))

    async def _run_worker(self, handle: Handler) -> None:
        app = await self._make_app(WORKER_CONNECTIONS)

        @app.task(name="bench", retry=RetryStrategy(max_attempts=5, wait=0))
        async def run(**payload: object) -> None:
            handle(payload)

        is_retrying = self.arguments.role == "retry"
        await app.run_worker_async(
            concurrency=CONCURRENCY,
            fetch_job_polling_interval=RETRY_POLLING_INTERVAL if is_retrying else 5,
            install_signal_handlers=False,
        )

    async def waiting(self) -> int:
        """Counts the jobs that are not finished."""
        return self._counter.count(
            "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        )
