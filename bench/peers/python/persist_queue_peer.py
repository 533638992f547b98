"""persist-queue, with its queue on SQLite that has acknowledgements."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from persistqueue import Empty, SQLiteAckQueue
from persistqueue.serializers import json as json_serializer

from peer import BlockingPeer, Description
from sqlite import BUSY_SECONDS, Counter, make_durable
from tally import ExpectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from peer import Handler
    from tally import Payload

# How long a worker waits for a message until it looks whether it is to stop.
GET_SECONDS = 1.0


class Side(BlockingPeer):
    """One queue object that all threads share, as it asks for."""

    description: ClassVar[Description] = Description(
        distribution="persist-queue",
        settings={
            "class": "SQLiteAckQueue: its other queues delete a message before it is handled",
            "multithreading": "on: threads share the queue; it has a connection for put and one "
            "for get",
            "synchronous": "FULL, set on both connections; the default of SQLite as Python has it",
            "journal_mode": "WAL, as it sets itself",
            "serializer": "its JSON",
            "retry": "nack, at once",
        },
        notes="Acknowledged messages stay in the table. Its get waits for puts of the same process "
        "only. Messages that another process puts are looked for every 10 s.",
    )
    bulk_size: ClassVar[int | None] = None

    async def open(self) -> None:
        """Makes the table."""
        folder, name = os.path.split(os.path.abspath(self.arguments.path))
        self._queue = SQLiteAckQueue(
            folder,
            db_file_name=name,
            multithreading=True,
            timeout=BUSY_SECONDS,
            serializer=json_serializer,
        )
        for connection in (self._queue._getter, self._queue._putter):
            make_durable(connection)
        self._counter = Counter(self.arguments.path)

    def make_caller(self) -> Callable[[Payload], None]:
        """Puts into the queue of all."""
        return self._put

    def _put(self, payload: Payload) -> None:
        self._queue.put(payload)

    async def enqueue(self, payload: Payload) -> None:
        """Puts a message."""
        self._put(payload)

    def run_worker(self, handle: Handler) -> None:
        """Gets, handles and acknowledges one message after the other."""
        while not self.stopping.is_set():
            try:
                message = self._queue.get(timeout=GET_SECONDS, raw=True)
            except Empty:
                continue
            try:
                handle(message["data"])
            except ExpectedError:
                self._queue.nack(id=message["pqid"])
            else:
                self._queue.ack(id=message["pqid"])

    async def waiting(self) -> int:
        """Counts messages that are neither acknowledged nor given up."""
        return self._counter.count("SELECT count(*) FROM ack_queue_default WHERE status < 5")
