"""Taking messages again and again: iterators and polling workers."""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic

from . import _core
from ._arguments import batch_size, coroutine_function, instance, moment, text, whole
from ._drive import pause, to_the_end
from ._errors import PgqrsConnectionError, PgqrsError, ValidationError
from ._payload import Loading
from ._typing import P

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime

    from ._store import Consumer, Store
    from ._workflow import WorkflowDef


def _log() -> logging.Logger:
    import logging  # It takes long to import.

    return logging.getLogger("pgqrs")


_LONGEST_INTERVAL = 24 * 3600 * 1000


async def new_ephemeral(queue: _core.Queue) -> _core.Consumer:
    """A worker that exists for one purpose, by its name."""
    return await queue.new_consumer(f"__ephemeral__{os.urandom(16).hex()}")


async def after_an_error(what: str, done: Awaitable[Any]) -> None:
    """Awaits what puts things in order after an error, which no other one is to hide."""
    try:
        await done
    except Exception:
        _log().warning("%s failed", what, exc_info=True)


@asynccontextmanager
async def closing(worker: _core.Consumer) -> AsyncIterator[_core.Consumer]:
    """A worker that is left Stopped."""
    try:
        yield worker
    except BaseException:
        await after_an_error(f"closing worker {worker.worker_id}", worker.close())
        raise
    await worker.close()


async def give_back(worker: _core.Consumer, ids: Sequence[int]) -> None:
    """Makes the messages of a handler that failed visible at once."""
    await after_an_error(f"giving back messages {ids}", worker.release_many(ids, 0))


async def finish(worker: _core.Consumer, ids: Sequence[int]) -> int:
    """Archives the messages of a handler that returned, and gives the number of them."""
    held = await worker.ack_many(ids)
    lost = [message_id for message_id, is_held in zip(ids, held, strict=True) if not is_held]
    if lost:
        _log().warning("messages %s were handled, but no longer held: a lease had ended", lost)
    return sum(held)


def _interval(argument: str, milliseconds: int) -> int:
    """An interval in microseconds."""
    if not 1 <= whole(argument, milliseconds) <= _LONGEST_INTERVAL:
        raise ValidationError(
            f"{argument}: must be from 1 to {_LONGEST_INTERVAL} ms, and is {milliseconds}"
        )
    return milliseconds * 1000


class ConsumerIterator(Generic[P]):
    """The messages of a queue, one after another, as they come. Made by :meth:`Store.consume_iter`.

    Each is under the default lease, which is not extended, and stays with the iterator until it is
    archived or deleted, the lease ends, or the iterator is closed.

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

    async def __aexit__(self, *_: object) -> None:
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
        self._workflow: WorkflowDef[Any, Any] | None = None

    def worker(self, consumer: Consumer[Any]) -> DequeueBuilder:
        """The consumer that takes them."""
        from ._store import Consumer

        self._consumer = instance("worker", consumer, Consumer)
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
        """The coroutine function that is awaited for each message, one at a time."""
        self._handler, self._takes_batches = coroutine_function(handler), False
        self._workflow = None
        return self

    def handle_batch(
        self, handler: Callable[[list[_core.QueueMessage[Any]]], Awaitable[Any]]
    ) -> DequeueBuilder:
        """The coroutine function that is awaited for all messages that were taken together."""
        self._handler, self._takes_batches = coroutine_function(handler), True
        self._workflow = None
        return self

    def handle_workflow(self, workflow: WorkflowDef[Any, Any]) -> DequeueBuilder:
        """The workflow whose runs are executed, one at a time. :class:`WorkflowWorker` does more.

        A run that fails ends as its workflow says. What is no ``Exception`` comes out of the poll,
        with the run as it was and its message still held.
        """
        from ._workflow import WorkflowDef

        self._workflow = instance("workflow", workflow, WorkflowDef)
        self._handler, self._takes_batches = None, False
        return self

    async def poll(self, store: Store) -> None:
        """Handles messages until the consumer is interrupted, and raises ``PgqrsError`` then.

        A message whose handler returns is archived; where it raises, the message is given back, and
        becomes a dead letter after ``Config.max_read_ct`` tries. While it polls, the worker is
        Polling; afterwards it is Suspended.

        Leases are not extended: handlers have to end within the default lease, else others get the
        messages too, and a warning is logged. :class:`Worker` extends them.
        """
        from ._store import Store

        instance("store", store, Store)
        if self._handler is None and self._workflow is None:
            raise ValidationError("handle: there is no handler")
        if (self._batch or 1) > 1 and not self._takes_batches:
            raise ValidationError("batch: a handler of single messages takes a batch of 1")
        if self._consumer is not None:
            await self._poll(store, self._consumer._core, self._consumer._loading)
            return
        if self._queue is None:
            raise ValidationError("worker: neither a consumer nor a queue is given")
        queue = await store._core.open_queue(self._queue)
        async with closing(await new_ephemeral(queue)) as worker:
            await self._poll(store, worker, Loading(None))

    async def _poll(self, store: Store, worker: _core.Consumer, loading: Loading) -> None:
        try:
            await self._begin(worker)
            await self._until_interrupted(store, worker, loading)
            await worker.set_status(_core.WorkerStatus.Suspended)
        except PgqrsConnectionError:
            raise  # Nor can the state be changed. The next poll goes on from it.
        except BaseException:
            await after_an_error(f"leaving the poll of {worker.worker_id}", self._leave(worker))
            raise
        raise PgqrsError(f"worker {worker.worker_id} was interrupted")

    @staticmethod
    async def _begin(worker: _core.Consumer) -> None:
        status = await worker.status()
        if status is _core.WorkerStatus.Suspended:
            await worker.set_status(_core.WorkerStatus.Ready)
        # A poll that ended while the database was away has left it as it was.
        if status not in (_core.WorkerStatus.Polling, _core.WorkerStatus.Interrupted):
            await to_the_end(worker.set_status(_core.WorkerStatus.Polling))

    @staticmethod
    async def _leave(worker: _core.Consumer) -> None:
        if await worker.status() is _core.WorkerStatus.Polling:
            await worker.set_status(_core.WorkerStatus.Ready)

    async def _until_interrupted(
        self, store: Store, worker: _core.Consumer, loading: Loading
    ) -> None:
        size = self._batch or (store._config.default_max_batch_size if self._takes_batches else 1)
        interval = self._interval or _interval("poll_interval_ms", store._config.poll_interval_ms)
        looked = time.monotonic()
        while True:
            messages = await self._take(worker, size, interval)
            if messages:
                await self._handle(store, worker, loading(messages))
            if (time.monotonic() - looked) * 1_000_000 < interval:
                continue
            looked = time.monotonic()
            if await worker.status() is _core.WorkerStatus.Interrupted:
                return

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
        self, store: Store, worker: _core.Consumer, messages: list[_core.QueueMessage[Any]]
    ) -> None:
        if self._workflow is not None:
            await self._execute(store, worker, self._workflow, messages[0])
            return
        ids = [message.id for message in messages]
        assert self._handler is not None
        try:
            await self._handler(messages if self._takes_batches else messages[0])
        except Exception:
            _log().exception("the handler failed; messages %s are given back", ids)
            await give_back(worker, ids)
        except BaseException:
            await give_back(worker, ids)
            raise
        else:
            await finish(worker, ids)

    @staticmethod
    async def _execute(
        store: Store,
        worker: _core.Consumer,
        workflow: WorkflowDef[Any, Any],
        message: _core.QueueMessage[Any],
    ) -> None:
        """Executes a run. Its end is that of the message too."""
        from ._workflow import execute_message

        try:
            ended = await execute_message({workflow.version: workflow}, store, message)
        except Exception:
            _log().exception("run %d could not go on; its message is given back", message.id)
            await give_back(worker, [message.id])
            return
        if ended.failed:
            _log().warning("run %d has failed", message.id, exc_info=ended.told)
