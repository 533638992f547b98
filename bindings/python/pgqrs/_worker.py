"""Workers: a handler for every message of a queue."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, overload

from ._arguments import micros, not_negative, positive
from ._errors import PgqrsConnectionError, ValidationError
from ._payload import Loading
from ._typing import P

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from types import TracebackType

    from . import _core
    from ._store import Store

_log = logging.getLogger("pgqrs.worker")

_LONGEST_REASON = 2000
_SHORTEST_LEASE = micros("lease", 0.1)
_LONG = micros("timeout", 60)
_PAUSE_WHEN_AWAY = 1.0  # Seconds, after a call that has waited for as long as the store lets it.


class RetryAfter(Exception):
    """Raised by a handler: the message is to come again after so long.

    Args:
        delay: A timedelta, or seconds.

    Example:
        >>> async def send(message: pgqrs.QueueMessage) -> None:
        ...     raise pgqrs.RetryAfter(30)
    """

    def __init__(self, delay: float | timedelta) -> None:
        super().__init__(f"again after {delay}")
        self.delay = delay
        self._micros = not_negative("delay", delay)


class Discard(Exception):
    """Raised by a handler: the message is of no use, and becomes a dead letter for this reason.

    Example:
        >>> async def send(message: pgqrs.QueueMessage) -> None:
        ...     raise pgqrs.Discard("the address does not exist")
    """


class Worker(Generic[P]):
    """Runs a handler for each message of a queue, several at a time.

    When the handler returns the message is archived. When it raises, the message comes again after
    a pause that doubles each time, and becomes a dead letter after ``max_attempts`` tries. Leases
    are extended for as long as handlers run.

    Args:
        store: An open store.
        queue: The name of a queue that exists.
        handler: A coroutine function, or a plain one, which runs in a thread. It gets the message.
        concurrency: How many handlers run at the same time, at most.
        lease: How long a message stays with this worker when its process dies: a timedelta, or
            seconds.
        max_attempts: After so many failures the message becomes a dead letter; at most
            ``Config.max_read_ct`` of the store.
        base_delay: The pause before the second try, a timedelta or seconds; then twice as long each
            time, ±25 %.
        max_delay: The longest pause.
        payload_type: Of the payloads: see :meth:`Store.consumer`.

    Example:
        >>> message_id = await producer.enqueue({"to": "ada"})
        >>> async def send(message: pgqrs.QueueMessage) -> None:
        ...     print(message.payload)
        ...     worker.stop()
        >>> worker = pgqrs.Worker(store, "jobs", send, concurrency=10)
        >>> await worker.run(handle_signals=True)
        {'to': 'ada'}
    """

    @overload
    def __init__(
        self: Worker[Any],
        store: Store,
        queue: str,
        handler: Callable[[_core.QueueMessage[Any]], Any],
        *,
        concurrency: int = 1,
        lease: float | timedelta = 30,
        max_attempts: int = 5,
        base_delay: float | timedelta = 1,
        max_delay: float | timedelta = 60,
        payload_type: None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        store: Store,
        queue: str,
        handler: Callable[[_core.QueueMessage[P]], Any],
        *,
        concurrency: int = 1,
        lease: float | timedelta = 30,
        max_attempts: int = 5,
        base_delay: float | timedelta = 1,
        max_delay: float | timedelta = 60,
        payload_type: type[P],
    ) -> None: ...
    def __init__(
        self,
        store: Store,
        queue: str,
        handler: Callable[[_core.QueueMessage[Any]], Any],
        *,
        concurrency: int = 1,
        lease: float | timedelta = 30,
        max_attempts: int = 5,
        base_delay: float | timedelta = 1,
        max_delay: float | timedelta = 60,
        payload_type: Any = None,
    ) -> None:
        """See the class for the arguments."""
        if concurrency < 1:
            raise ValidationError(f"concurrency: must be at least 1, and is {concurrency}")
        if max_attempts < 1:
            raise ValidationError(f"max_attempts: must be at least 1, and is {max_attempts}")
        self._store = store
        self._queue = queue
        self._handler = handler
        self._concurrency = concurrency
        self._lease = positive("lease", lease)
        if self._lease < _SHORTEST_LEASE:
            raise ValidationError(f"lease: is below 0.1 seconds: {lease}")
        self._max_attempts = max_attempts
        self._base_delay = not_negative("base_delay", base_delay)
        self._max_delay = not_negative("max_delay", max_delay)
        self._loading = Loading(payload_type)
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

    async def __aenter__(self) -> Worker[P]:
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
                try:
                    messages = taking.result()
                except PgqrsConnectionError as error:
                    _log.warning("the database is away; going on when it is back: %s", error)
                    await asyncio.wait([stopping], timeout=_PAUSE_WHEN_AWAY)
                    continue
                for message in messages:
                    task = asyncio.ensure_future(self._handle(message))
                    self._running[message.id] = task
        finally:
            stopping.cancel()

    async def _take(self, count: int) -> list[_core.QueueMessage[Any]]:
        assert self._consumer is not None
        return self._loading(await self._consumer.dequeue_wait(count, _LONG, self._lease))

    async def _handle(self, message: _core.QueueMessage[Any]) -> None:
        assert self._consumer is not None
        try:
            try:
                if self._is_async:
                    await self._handler(message)
                else:
                    loop = asyncio.get_running_loop()
                    result = await loop.run_in_executor(self._threads, self._handler, message)
                    if inspect.isawaitable(result):  # Of an object that looked like a function.
                        await result
            except RetryAfter as retry:
                await self._consumer.release(message.id, retry._micros)
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

    async def _fail(self, message: _core.QueueMessage[Any], error: Exception) -> None:
        assert self._consumer is not None
        self._failed += 1
        if message.read_ct >= self._max_attempts:
            _log.exception("message %d has failed for good", message.id, exc_info=error)
            await self._consumer.dead_letter(message.id, self._reason(error))
            return
        pause = min(self._max_delay, self._base_delay * 2 ** min(message.read_ct - 1, 62))
        pause = round(pause * random.uniform(0.75, 1.25))
        _log.warning(
            "message %d has failed; again in %.1f s", message.id, pause / 1e6, exc_info=error
        )
        await self._consumer.release(message.id, pause)

    async def _extend_leases(self) -> None:
        """Extends the leases of all messages that are being handled, three times in a lease."""
        assert self._consumer is not None
        while True:
            await asyncio.sleep(self._lease / 3e6)
            for message_id in list(self._running):
                try:
                    await self._consumer.extend_lease(message_id, self._lease)
                except Exception:
                    _log.exception("the lease of message %d could not be extended", message_id)

    @staticmethod
    def _reason(error: Exception) -> str:
        return f"{type(error).__name__}: {error}".replace("\x00", "")[:_LONGEST_REASON]
