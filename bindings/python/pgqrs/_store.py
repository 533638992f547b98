"""The store and what is made of it: producers, consumers, administration."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import _core
from ._config import Config
from ._poll import ConsumeIterator
from ._tables import Messages, Queues, Workers
from ._time import micros

if TYPE_CHECKING:
    from collections.abc import Sequence


def _delay(delay: float | timedelta) -> int | None:
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    return micros(seconds) if seconds else None


class Producer:
    """Enqueues messages into one queue.

    Example:
        >>> producer = await store.producer("jobs")
        >>> message_id = await producer.enqueue({"to": "ada"})
    """

    def __init__(self, store: Store, queue: _core.Queue) -> None:
        self._store = store
        self._queue = queue

    @property
    def worker_id(self) -> int:
        """The id of the worker that its messages name as their producer."""
        return self._store._core.worker_id

    async def enqueue(
        self, payload: Any, *, priority: int = 5, delay: float | timedelta = 0
    ) -> int:
        """Stores a message and gives its id.

        When this returns the message survives the death of every process and the loss of power.

        Args:
            payload: Any JSON value.
            priority: 0 (first) to 9.
            delay: How long nobody gets the message: a timedelta, or seconds.
        """
        return await self._queue.enqueue(payload, _delay(delay), None, priority)

    async def enqueue_delayed(self, payload: Any, delay_seconds: float) -> int:
        """The same, but nobody gets the message before ``delay_seconds`` are over."""
        return await self._queue.enqueue(payload, delay=micros(delay_seconds))

    async def enqueue_batch(
        self, payloads: Sequence[Any], *, priority: int = 5, delay: float | timedelta = 0
    ) -> list[int]:
        """Stores all of the messages or none, and gives their ids in the same order."""
        return await self._queue.enqueue_batch(list(payloads), _delay(delay), None, priority)


class Consumer:
    """Takes messages of one queue, as a worker with a name, a state and a heartbeat.

    It acts by id on the messages that it holds itself; for any other id the answer is ``False``.
    """

    def __init__(self, store: Store, core: _core.Consumer) -> None:
        self._store = store
        self._core = core

    @property
    def worker_id(self) -> int:
        """The id of this worker."""
        return self._core.worker_id

    async def dequeue(self, batch_size: int | None = None) -> list[_core.QueueMessage]:
        """Takes up to ``batch_size`` visible messages, under the default lease, without waiting.

        Without a number it takes up to ``Config.default_max_batch_size``.
        """
        count = self._store._config.default_max_batch_size if batch_size is None else batch_size
        return await self._core.dequeue(count)

    async def dequeue_many_with_delay(self, limit: int, vt: float) -> list[_core.QueueMessage]:
        """The same with a lease of ``vt`` seconds."""
        return await self._core.dequeue(limit, micros(vt))

    async def archive(self, message_id: int) -> bool:
        """Finishes a message."""
        return await self._core.ack(message_id)

    async def archive_many(self, message_ids: Sequence[int]) -> list[bool]:
        """Finishes many messages in one transaction."""
        return await self._core.ack_many(list(message_ids))

    async def delete(self, message_id: int) -> bool:
        """Removes a message for good."""
        return await self._core.delete(message_id)

    async def delete_many(self, message_ids: Sequence[int]) -> list[bool]:
        """Removes many messages for good, in one transaction."""
        return await self._core.delete_many(list(message_ids))

    async def extend_vt(self, message_id: int, seconds: float) -> bool:
        """Lets the lease end ``seconds`` from now."""
        return await self._core.extend_lease(message_id, micros(seconds))

    async def release_with_visibility(self, message_id: int, visible_at: str) -> bool:
        """Gives a message back, visible again at this time (ISO 8601); at once where it is past."""
        until = _core.to_microseconds(visible_at, "visible_at")
        return await self._core.release_until(message_id, until)

    async def release_messages(self, message_ids: Sequence[int]) -> int:
        """Gives messages back, and answers how many there were."""
        return sum(await self._core.release_many(list(message_ids), 0))

    async def interrupt(self) -> None:
        """Ends a ``poll`` of this consumer. ``StateTransitionError`` where there is none."""
        await self._core.set_status(_core.WorkerStatus.Interrupted)

    async def status(self) -> _core.WorkerStatus:
        """The state as it is in the database."""
        return await self._core.status()


class Store:
    """An open database. Made by :func:`pgqrs.connect`."""

    def __init__(self, core: _core.Store, config: Config) -> None:
        self._core = core
        self._config = config

    async def queue(self, name: str) -> _core.QueueInfo:
        """Makes a queue. ``QueueAlreadyExistsError`` where there is one of this name."""
        await self._core.create_queue(name)
        return next(queue for queue in await self._core.queues() if queue.queue_name == name)

    async def producer(self, queue: str) -> Producer:
        """A producer for a queue that exists (else ``QueueNotFoundError``)."""
        return Producer(self, await self._core.open_queue(queue))

    async def consumer(self, queue: str) -> Consumer:
        """A consumer of a queue that exists (else ``QueueNotFoundError``)."""
        core = await self._core.open_queue(queue)
        return Consumer(self, await core.new_consumer())

    def consume_iter(self, queue: str, poll_interval_ms: int | None = None) -> ConsumeIterator:
        """The messages of a queue as they come, as an async iterator and context manager."""
        return ConsumeIterator(self, queue, poll_interval_ms)

    async def get_queues(self) -> Queues:
        """The table of queues."""
        return Queues(self)

    async def get_messages(self) -> Messages:
        """The table of messages."""
        return Messages(self)

    async def get_workers(self) -> Workers:
        """The table of workers."""
        return Workers(self)

    async def bootstrap(self) -> None:
        """Installs or upgrades the schema."""
        await self._core.install()


async def connect_with(config: Config) -> Store:
    """Opens a database, and installs the schema where there is none."""
    loop = asyncio.get_running_loop()
    return Store(await loop.run_in_executor(None, _core.connect, config._fields()), config)


async def connect(dsn: str) -> Store:
    """Opens a database with the default configuration."""
    return await connect_with(Config(dsn))
