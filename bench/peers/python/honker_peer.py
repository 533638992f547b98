"""Honker."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, ClassVar

import honker

from errors import Failure
from peer import Description, Peer
from sqlite import Counter
from tally import ExpectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peer import Handler
    from tally import Payload

QUEUE = "bench"
BATCH_SIZE = 100
# Claims again although no update was seen, as the iterator of its own does.
IDLE_SECONDS = 5.0


class Side(Peer):
    """Its calls block: callers and workers are tasks of one event loop, as in its README."""

    description: ClassVar[Description] = Description(
        distribution="honker",
        settings={
            "synchronous": "FULL, set past its interface on its writing connection: it sets NORMAL "
            "and has no option",
            "journal_mode": "WAL, as it sets itself",
            "claim_batch": f"{BATCH_SIZE} at a time, with ack_batch: for batches its documentation "
            "of claim says to call these; claim itself takes one job in each transaction",
            "wake": "update_events, which looks at PRAGMA data_version each millisecond",
            "enqueue-bulk": "1,000 enqueues in one transaction, as its documentation of enqueue "
            "shows",
            "retry": "job.retry with delay_s=0",
        },
        notes="It has one connection that writes; callers of one process take turns. Acknowledged "
        "jobs are deleted.",
    )

    async def open(self) -> None:
        """Makes the tables."""
        self._db = honker.open(self.arguments.path)
        self._make_durable()
        self._queue = self._db.queue(QUEUE)
        self._counter = Counter(self.arguments.path)

    def _make_durable(self) -> None:
        # A transaction is the only way to its writing connection, and in one the level cannot be
        # changed: this ends it, and begins another for the library to commit.
        with self._db.transaction() as transaction:
            transaction.execute("COMMIT")
            transaction.execute("PRAGMA synchronous = FULL")
            transaction.execute("BEGIN IMMEDIATE")
        with self._db.transaction() as transaction:
            level = transaction.query("PRAGMA synchronous")[0]["synchronous"]
        if level != 2:
            raise Failure(f"synchronous is {level}")

    async def enqueue(self, payload: Payload) -> None:
        """Enqueues a job."""
        self._queue.enqueue(payload)

    async def enqueue_bulk(self, payloads: Sequence[Payload]) -> None:
        """Enqueues jobs in one transaction."""
        with self._db.transaction() as transaction:
            for payload in payloads:
                self._queue.enqueue(payload, tx=transaction)

    async def work(self, handle: Handler, workers: int) -> None:
        """Runs workers that share the event loop."""
        await asyncio.gather(*(self._run_worker(handle, f"w{n}") for n in range(workers)))

    async def _run_worker(self, handle: Handler, name: str) -> None:
        # Before the first claim, so that no update is missed.
        updates = self._db.update_events()
        while True:
            jobs = self._queue.claim_batch(name, BATCH_SIZE)
            if not jobs:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(updates), timeout=IDLE_SECONDS)
                continue
            done: list[int] = []
            for job in jobs:
                try:
                    handle(job.payload)
                except ExpectedError as error:
                    job.retry(delay_s=0, error=str(error))
                else:
                    done.append(job.id)
            self._queue.ack_batch(done, name)
            # Its calls block: lets the others of this loop have their turn.
            await asyncio.sleep(0)

    async def waiting(self) -> int:
        """Counts the jobs that are not acknowledged, and those it gave up."""
        return self._counter.count("SELECT count(*) FROM _honker_jobs")
