"""Taking messages again and again: iterators and polling workers."""

from __future__ import annotations

import logging
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic

from . import _core
from ._arguments import batch_size, moment, text, whole
from ._drive import pause
from ._errors import PgqrsError, ValidationError
from ._payload import Loading
from ._typing import P

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime
    from types import TracebackType

    from ._store import Consumer, Store

_log = logging.getLogger("pgqrs")

_LONGEST_INTERVAL = 24 * 3600 * 1000


async def new_ephemeral(queue: _core.Queue) -> _core.Consumer:
    """A worker that exists for one purpose, by its name."""
    return await queue.new_consumer(f"__ephemeral__{os.urandom(16).hex()}")


@asynccontextmanager
async def ephemeral_worker(queue: _core.Queue) -> AsyncIterator[_core.Consumer]:
    """The same for the time of a call, which is left Stopped."""
    worker = await new_ephemeral(queue)
    try:
        yield worker
    finally:
        await worker.close()


def _interval(argument: str, milliseconds: int) -> int:
    """An interval in microseconds."""
    if not 1 <= whole(argument, milliseconds) <= _LONGEST_INTERVAL:
        raise ValidationError(
            f"{argument}: must be from 1 to {_LONGEST_INTERVAL} ms, and is {milliseconds}"
        )
    return milliseconds * 1000


class ConsumerIterator(Generic[P]):
    """The messages of a queue, one after another, as they come. Made by :meth:`Store.consume_iter`.

    Each is under the default lease, and stays with the iterator until it is archived or deleted, or
    the iterator is closed.

    Example:
        >>> message_id = await producer.enqueue({"to": "ada"})
        >>> async with store.consume_iter("jobs") as messages:
        ...     async for message in messages:
        ...         print(message.payload, await messages.archive(message.id))
        ...         await messages.close()
        {'to': 'ada'} True
    """

    def __init__(
        self, store: Store, queue: str, poll_interval_ms: int | None, loading: Loading
    ) -> None:
        self._store = store
        self._queue = text("queue", queue)
        self._interval = _interval(
            "poll_interval_ms",
            store._config.poll_interval_ms if poll_interval_ms is None else poll_interval_ms,
        )
        self._loading = loading
        self._worker: _core.Consumer | None = None
        self._is_closed = False

    async def _open(self) -> _core.Consumer:
        if self._is_closed:
            raise PgqrsError("the iterator is closed")
        if self._worker is None:
            queue = await self._store._core.open_queue(self._queue)
            self._worker = await new_ephemeral(queue)
        return self._worker

    async def __aenter__(self) -> ConsumerIterator[P]:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> ConsumerIterator[P]:
        return self

    async def __anext__(self) -> _core.QueueMessage[P]:
        while not self._is_closed:
            # It wakes up for a message, whatever the interval; the end of it is for close().
            messages = await (await self._open()).dequeue_wait(1, self._interval)
            if messages:
                return self._loading(messages)[0]
        raise StopAsyncIteration

    async def archive(self, message_id: int) -> bool:
        """Finishes a message. ``False`` where the iterator does not hold it."""
        return await (await self._open()).ack(message_id)

    async def delete(self, message_id: int) -> bool:
        """Removes a message for good. ``False`` where the iterator does not hold it."""
        return await (await self._open()).delete(message_id)

    async def close(self) -> None:
        """Gives back what was not finished, and leaves the worker Stopped."""
        self._is_closed = True
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()


class DequeueBuilder:
    """Puts together how messages are taken and handled, and does so. Each setter gives itself.

    Example:
        >>> message_id = await producer.enqueue({"to": "ada"})
        >>> async def send(message: pgqrs.QueueMessage) -> None:
        ...     print(message.payload)
        ...     await consumer.interrupt()
        >>> try:
        ...     await pgqrs.dequeue().worker(consumer).handle(send).poll(store)
        ... except pgqrs.PgqrsError as error:
        ...     print(error)
        {'to': 'ada'}
        worker ... was interrupted
    """

    def __init__(self) -> None:
        self._consumer: Consumer[Any] | None = None
        self._queue: str | None = None
        self._batch: int | None = None
        self._interval: int | None = None
        self._at: int | None = None
        self._handler: Callable[[Any], Awaitable[Any]] | None = None
        self._takes_batches = False

    def worker(self, consumer: Consumer[Any]) -> DequeueBuilder:
        """The consumer that takes them."""
        self._consumer = consumer
        return self

    def from_queue(self, name: str) -> DequeueBuilder:
        """The queue, where no consumer is given: one is made for the time of the poll."""
        self._queue = text("from_queue", name)
        return self

    def batch(self, size: int) -> DequeueBuilder:
        """How many are taken at a time, at most.

        Otherwise it is 1, or ``Config.default_max_batch_size`` for a handler of batches.
        """
        self._batch = batch_size("batch", size)
        return self

    def poll_interval(self, milliseconds: int) -> DequeueBuilder:
        """How often it looks whether it was interrupted (``Config.poll_interval_ms``)."""
        self._interval = _interval("poll_interval", milliseconds)
        return self

    def at(self, time: str | datetime) -> DequeueBuilder:
        """Takes messages as if it were this time (ISO 8601): see :meth:`Consumer.dequeue_at`."""
        self._at = moment("at", time)
        return self

    def handle(
        self, handler: Callable[[_core.QueueMessage[Any]], Awaitable[Any]]
    ) -> DequeueBuilder:
        """What is awaited for each message, one at a time."""
        self._handler, self._takes_batches = handler, False
        return self

    def handle_batch(
        self, handler: Callable[[list[_core.QueueMessage[Any]]], Awaitable[Any]]
    ) -> DequeueBuilder:
        """What is awaited for all messages that were taken together."""
        self._handler, self._takes_batches = handler, True
        return self

    async def poll(self, store: Store) -> None:
        """Handles messages until the consumer is interrupted, and raises ``PgqrsError`` then.

        A message whose handler returns is archived; where it raises, the message is given back, and
        becomes a dead letter after ``Config.max_read_ct`` tries. While it polls, the worker is
        Polling; afterwards it is Suspended.
        """
        if self._handler is None:
            raise ValidationError("handle: there is no handler")
        if (self._batch or 1) > 1 and not self._takes_batches:
            raise ValidationError("batch: a handler of single messages takes a batch of 1")
        if self._consumer is not None:
            await self._poll(store, self._consumer._core, self._consumer._loading)
            return
        if self._queue is None:
            raise ValidationError("worker: neither a consumer nor a queue is given")
        queue = await store._core.open_queue(self._queue)
        async with ephemeral_worker(queue) as worker:
            await self._poll(store, worker, Loading(None))

    async def _poll(self, store: Store, worker: _core.Consumer, loading: Loading) -> None:
        if await worker.status() is _core.WorkerStatus.Suspended:
            await worker.set_status(_core.WorkerStatus.Ready)
        await worker.set_status(_core.WorkerStatus.Polling)
        size = self._batch or (store._config.default_max_batch_size if self._takes_batches else 1)
        interval = self._interval or _interval("poll_interval_ms", store._config.poll_interval_ms)
        looked = time.monotonic()
        try:
            while True:
                messages = await self._take(worker, size, interval)
                if messages:
                    await self._handle(worker, loading(messages))
                if (time.monotonic() - looked) * 1_000_000 < interval:
                    continue
                looked = time.monotonic()
                if await worker.status() is _core.WorkerStatus.Interrupted:
                    break
        except BaseException:
            if await worker.status() is _core.WorkerStatus.Polling:
                await worker.set_status(_core.WorkerStatus.Ready)
            raise
        await worker.set_status(_core.WorkerStatus.Suspended)
        raise PgqrsError(f"worker {worker.worker_id} was interrupted")

    async def _take(
        self, worker: _core.Consumer, size: int, interval: int
    ) -> list[_core.QueueMessage[Any]]:
        """Waits for messages, up to one interval."""
        if self._at is None:
            return await worker.dequeue_wait(size, interval)
        messages = await worker.dequeue_at(size, self._at)
        if not messages:
            await pause(interval / 1_000_000)
        return messages

    async def _handle(
        self, worker: _core.Consumer, messages: list[_core.QueueMessage[Any]]
    ) -> None:
        ids = [message.id for message in messages]
        assert self._handler is not None
        try:
            await self._handler(messages if self._takes_batches else messages[0])
        except Exception:
            _log.exception("the handler failed; messages %s are given back", ids)
            await worker.release_many(ids, 0)
        except BaseException:
            await worker.release_many(ids, 0)
            raise
        else:
            await worker.ack_many(ids)
