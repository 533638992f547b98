"""Litequeue."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, ClassVar

from litequeue import LiteQueue

from peer import BlockingPeer, Description
from sqlite import BUSY_SECONDS, Counter, make_durable
from tally import ExpectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peer import Handler
    from tally import Payload

POLL_INTERVAL = 0.01


class Side(BlockingPeer):
    """A queue object, and so a connection, for each thread."""

    description: ClassVar[Description] = Description(
        distribution="litequeue",
        settings={
            "synchronous": "FULL, set on its connection after it was opened: it sets NORMAL, "
            "with which a commit is not on the disk on return",
            "journal_mode": "WAL, as it sets itself",
            "poll interval": f"{POLL_INTERVAL * 1e3:.0f} ms: its pop does not wait, and it has no "
            "worker of its own",
            "enqueue-bulk": "1,000 puts in one `with queue.transaction()`, as its README shows",
            "retry": "none of its own: the row's status is set back to READY by SQL",
        },
        notes="Done messages stay in the table.",
    )

    async def open(self) -> None:
        """Makes the table."""
        self._queue = self._connect()
        self._counter = Counter(self.arguments.path)

    def _connect(self) -> LiteQueue:
        queue = LiteQueue(self.arguments.path, timeout=BUSY_SECONDS)
        make_durable(queue.conn)
        return queue

    def make_caller(self) -> Callable[[Payload], None]:
        """Puts into a queue of its own."""
        queue = self._connect()

        def call(payload: Payload) -> None:
            queue.put(json.dumps(payload))

        return call

    async def enqueue(self, payload: Payload) -> None:
        """Puts a message."""
        self._queue.put(json.dumps(payload))

    async def enqueue_bulk(self, payloads: Sequence[Payload]) -> None:
        """Puts messages in one transaction."""
        with self._queue.transaction(mode="IMMEDIATE"):
            for payload in payloads:
                self._queue.put(json.dumps(payload))

    def run_worker(self, handle: Handler) -> None:
        """Pops, handles and completes one message after the other."""
        queue = self._connect()
        while not self.stopping.is_set():
            message = queue.pop()
            if message is None:
                time.sleep(POLL_INTERVAL)
                continue
            try:
                handle(json.loads(message.data))
            except ExpectedError:
                queue.conn.execute(
                    "UPDATE Queue SET status = 0, lock_time = NULL WHERE message_id = ?",
                    [message.message_id],
                )
            else:
                queue.done(message.message_id)

    async def waiting(self) -> int:
        """Counts messages that are ready or locked."""
        return self._counter.count("SELECT count(*) FROM Queue WHERE status IN (0, 1)")
