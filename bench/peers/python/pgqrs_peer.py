"""The existing pgqrs of PyPI."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pgqrs
from peer import Arguments, Description, Peer
from postgres import MAX_CONNECTIONS, Counter, with_settings
from tally import ExpectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peer import Handler
    from tally import Payload

QUEUE = "bench"
BATCH_SIZE = 50
POLL_INTERVAL = 0.05


class Side(Peer):
    """A producer that callers share, and consumers that read batches."""

    description: ClassVar[Description] = Description(
        distribution="pgqrs",
        settings={
            "batch_size": f"{BATCH_SIZE}: messages read, and archived, at a time",
            "poll interval": f"{POLL_INTERVAL * 1e3:.0f} ms: it has no notification, and its "
            "reading calls do not wait; a consumer that found nothing looks again so much later",
            "max_connections": f"{MAX_CONNECTIONS}: so that callers do not wait for each other",
            "max_enqueue_per_second": "none: its default limits the rate",
            "enqueue-bulk": "1,000 a call of enqueue_batch",
            "retry": "release_messages, at once",
        },
        notes="Archived messages stay in the table.",
    )

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        commit = "" if arguments.is_measured else "off"
        self._config = pgqrs.Config(
            with_settings(arguments.dsn, synchronous_commit=commit), arguments.schema
        )
        self._config.max_connections = MAX_CONNECTIONS
        self._config.max_enqueue_per_second = None
        self._config.max_enqueue_burst = None

    async def open(self) -> None:
        """Makes the queue where it is missing."""
        self._store = await pgqrs.connect_with(self._config)
        self._counter = Counter(self.arguments.dsn)
        schema = self.arguments.schema
        if not self._counter.count(f"SELECT count(to_regclass('{schema}.pgqrs_queues'))"):
            await pgqrs.admin(self._store).install()
            await self._store.queue(QUEUE)
        self._producer = await self._store.producer(QUEUE)

    async def enqueue(self, payload: Payload) -> None:
        """Enqueues a message."""
        await self._producer.enqueue(payload)

    async def enqueue_bulk(self, payloads: Sequence[Payload]) -> None:
        """Enqueues messages by one call."""
        await pgqrs.enqueue_batch(self._producer, list(payloads))

    async def work(self, handle: Handler, workers: int) -> None:
        """Runs consumers that share the event loop."""
        await asyncio.gather(*(self._run_worker(handle) for _ in range(workers)))

    async def _run_worker(self, handle: Handler) -> None:
        consumer = await self._store.consumer(QUEUE)
        while True:
            messages = await consumer.dequeue(BATCH_SIZE)
            if not messages:
                await asyncio.sleep(POLL_INTERVAL)
                continue
            done: list[int] = []
            failed: list[int] = []
            for message in messages:
                try:
                    handle(message.payload)
                except ExpectedError:
                    failed.append(message.id)
                else:
                    done.append(message.id)
            if done:
                await consumer.archive_many(done)
            if failed:
                await consumer.release_messages(failed)

    async def waiting(self) -> int:
        """Counts the messages that are not archived."""
        return self._counter.count(
            f'SELECT count(*) FROM "{self.arguments.schema}".pgqrs_messages '
            "WHERE archived_at IS NULL"
        )
