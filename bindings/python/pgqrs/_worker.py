"""Workers: a handler for every message of a queue."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ._errors import ValidationError
from ._time import micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from . import _core
    from ._store import Store

_log = logging.getLogger("pgqrs.worker")

_LONGEST_REASON = 2000


class RetryAfter(Exception):
    """Raised by a handler: the message is to come again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again after {seconds} s")
        self.seconds = seconds


class Discard(Exception):
    """Raised by a handler: the message is of no use, and becomes a dead letter for this reason."""


class Worker:
    """Runs a handler for each message of a queue, several at a time.

    When the handler returns the message is archived. When it raises, the message comes again after
    a pause that doubles each time, and becomes a dead letter after ``max_attempts`` tries. Leases
    are extended for as long as handlers run.

    Args:
        store: An open store.
        queue: The name of a queue that exists.
        handler: A coroutine function, or a plain one, which runs in a thread. It gets the message.
        concurrency: How many handlers run at the same time, at most.
        lease: How many seconds a message stays with this worker when its process dies.
        max_attempts: After so many failures the message becomes a dead letter; at most
            ``Config.max_read_ct`` of the store.
        base_delay: Seconds before the second try; then twice as long each time, ±25 %.
        max_delay: The longest pause, in seconds.

    Example:
        >>> async def send(message):
        ...     print(message.payload)
        >>> async with pgqrs.Worker(store, "mail", send, concurrency=10) as worker:
        ...     await worker.run()
    """

    def __init__(
        self,
        store: Store,
        queue: str,
        handler: Callable[[_core.QueueMessage], Any],
        *,
        concurrency: int = 1,
        lease: float = 30,
        max_attempts: int = 5,
        base_delay: float = 1,
        max_delay: float = 60,
    ) -> None:
        if concurrency < 1:
            raise ValidationError("concurrency: is below 1")
        if lease < 0.1:
            raise ValidationError("lease: is below 0.1 seconds")
        if max_attempts < 1:
            raise ValidationError("max_attempts: is below 1")
        self._store = store
        self._queue = queue
        self._handler = handler
        self._concurrency = concurrency
        self._lease = lease
        self._max_attempts = max_attempts
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._is_async = inspect.iscoroutinefunction(handler)
        self._stopping = asyncio.Event()
        self._consumer: _core.Consumer | None = None
        self._running: dict[int, asyncio.Task[None]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._handled = 0
        self._failed = 0

    @property
    def handled(self) -> int:
        """How many messages were handled."""
        return self._handled

    @property
    def failed(self) -> int:
        """How often a handler failed."""
        return self._failed

    async def __aenter__(self) -> Worker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes no more messages. ``run`` returns when the handlers that run have finished."""
        self._stopping.set()

    async def run(self, *, handle_signals: bool = False) -> None:
        """Handles messages until :meth:`stop`; with ``handle_signals`` also SIGINT, SIGTERM."""
        queue = await self._store._core.open_queue(self._queue)
        self._consumer = await queue.new_consumer("worker")
        if not self._is_async:
            self._threads = ThreadPoolExecutor(self._concurrency, "pgqrs-worker")
        if handle_signals:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
        extending = asyncio.ensure_future(self._extend_leases())
        try:
            await self._feed()
            while self._running:
                await asyncio.wait(self._running.values())
        finally:
            extending.cancel()
            for task in self._running.values():
                task.cancel()
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)
            await self._consumer.close()  # Gives back what is not finished.

    async def _feed(self) -> None:
        """Takes messages, as many as there are free places, until the end."""
        assert self._consumer is not None
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                free = self._concurrency - len(self._running)
                if free == 0:
                    await asyncio.wait(
                        [*self._running.values(), stopping], return_when=asyncio.FIRST_COMPLETED
                    )
                    continue
                taking = asyncio.ensure_future(self._take(free))
                await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()  # A message that comes all the same is given back.
                    return
                for message in taking.result():
                    task = asyncio.ensure_future(self._handle(message))
                    self._running[message.id] = task
        finally:
            stopping.cancel()

    async def _take(self, count: int) -> list[_core.QueueMessage]:
        assert self._consumer is not None
        return await self._consumer.dequeue_wait(count, micros(60), micros(self._lease))

    async def _handle(self, message: _core.QueueMessage) -> None:
        assert self._consumer is not None
        try:
            try:
                if self._is_async:
                    await self._handler(message)
                else:
                    loop = asyncio.get_running_loop()
                    await loop.run_in_executor(self._threads, self._handler, message)
            except RetryAfter as retry:
                await self._consumer.release(message.id, micros(retry.seconds))
            except Discard as discard:
                await self._consumer.dead_letter(message.id, self._reason(discard))
            except Exception as error:
                await self._fail(message, error)
            else:
                self._handled += 1
                await self._consumer.ack(message.id)
        except Exception:
            _log.exception("message %d could not be finished; it will come again", message.id)
        finally:
            del self._running[message.id]

    async def _fail(self, message: _core.QueueMessage, error: Exception) -> None:
        assert self._consumer is not None
        self._failed += 1
        if message.read_ct >= self._max_attempts:
            _log.exception("message %d has failed for good", message.id, exc_info=error)
            await self._consumer.dead_letter(message.id, self._reason(error))
            return
        pause = min(self._max_delay, self._base_delay * 2 ** (message.read_ct - 1))
        pause *= random.uniform(0.75, 1.25)
        _log.warning("message %d has failed; again in %.1f s", message.id, pause, exc_info=error)
        await self._consumer.release(message.id, micros(pause))

    async def _extend_leases(self) -> None:
        """Extends the leases of all messages that are being handled, three times in a lease."""
        assert self._consumer is not None
        while True:
            await asyncio.sleep(self._lease / 3)
            for message_id in list(self._running):
                try:
                    await self._consumer.extend_lease(message_id, micros(self._lease))
                except Exception:
                    _log.exception("the lease of message %d could not be extended", message_id)

    @staticmethod
    def _reason(error: Exception) -> str:
        return f"{type(error).__name__}: {error}".replace("\x00", "")[:_LONGEST_REASON]
