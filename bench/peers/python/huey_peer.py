"""Huey, with its storage on SQLite."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, ClassVar

from huey import SqliteHuey

from peer import BlockingPeer, Description
from sqlite import BUSY_SECONDS, Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from peer import Handler
    from tally import Payload

QUEUE = "bench"
IDLE_DELAY = 0.1


class Side(BlockingPeer):
    """The consumer runs in threads of this process; connections belong to threads."""

    description: ClassVar[Description] = Description(
        distribution="huey",
        settings={
            "fsync": "on: synchronous=FULL; where it is not set SQLite's default is taken",
            "journal_mode": "WAL, its default",
            "workers": "threads of one consumer, its default",
            "results": "off: nobody asks for them",
            "initial_delay": f"{IDLE_DELAY} s, with backoff 1: the default of how "
            "long an idle worker waits; by default that grows up to 10 s, by backoff=1.15",
            "retry": "retries=1 and retry_delay=0: it is enqueued again at once",
        },
        delivery="at-most-once",
        notes="A message is deleted when it is taken. Payloads are pickled. Acknowledged means "
        "that no row is left and the handler has run.",
    )
    bulk_size: ClassVar[int | None] = None

    async def open(self) -> None:
        """Makes the tables, and the task."""
        self._handle: Handler = lambda payload: None
        self._huey = SqliteHuey(
            QUEUE,
            filename=self.arguments.path,
            fsync=True,
            timeout=BUSY_SECONDS,
            results=False,
        )

        @self._huey.task(retries=1, retry_delay=0, name=QUEUE)
        def run(payload: Payload) -> None:
            self._handle(payload)

        self._call = run
        self._counter = Counter(self.arguments.path)

    def make_caller(self) -> Callable[[Payload], None]:
        """Calls the task."""
        return self._enqueue

    def _enqueue(self, payload: Payload) -> None:
        self._call(payload)

    async def enqueue(self, payload: Payload) -> None:
        """Enqueues a task."""
        self._enqueue(payload)

    def run_worker(self, handle: Handler) -> None:
        """Is not called: the consumer has threads of its own."""
        raise NotImplementedError

    async def work(self, handle: Handler, workers: int) -> None:
        """Starts the consumer as its program does, but for the handling of signals."""
        self._handle = handle
        consumer = self._huey.create_consumer(
            workers=workers, periodic=False, initial_delay=IDLE_DELAY, backoff=1.0
        )
        # Its signals are for a process that does nothing else.
        consumer._set_signal_handlers = lambda: None
        consumer.start()
        try:
            while threading.active_count() > 1:
                await asyncio.sleep(1)
        finally:
            consumer.stop_flag.set()

    async def waiting(self) -> int:
        """Counts tasks that are queued or scheduled."""
        return self._counter.count(
            "SELECT (SELECT count(*) FROM task) + (SELECT count(*) FROM schedule)"
        )
