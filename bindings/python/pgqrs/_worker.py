"""Workers: a handler for every message of a queue."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Generic, overload

from ._arguments import (
    error_text,
    handler_of_messages,
    instance,
    micros,
    not_negative,
    positive,
    text,
    whole,
)
from ._errors import PgqrsConnectionError, PgqrsError, ValidationError
from ._payload import Loading
from ._poll import closing, finish
from ._store import Store
from ._typing import P
from ._workflow import WorkflowDef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from . import _core

_log = logging.getLogger("pgqrs.worker")

_LONGEST_REASON = 2000
_SHORTEST_LEASE = micros("lease", 0.1)
_LONG = micros("timeout", 60)
PAUSE_WHEN_AWAY = 1.0  # Seconds, after a call that has waited for as long as the store lets it.


def _in_thread(handler: Callable[[Any], Any], message: _core.QueueMessage[Any]) -> Any:
    """Calls a plain handler. No future can hold a StopIteration."""
    try:
        return handler(message)
    except StopIteration as error:
        raise RuntimeError("the handler raised StopIteration") from error


def _from_1(argument: str, number: int) -> int:
    if whole(argument, number) < 1:
        raise ValidationError(f"{argument}: must be at least 1, and is {number}")
    return number


@contextmanager
def signals(loop: asyncio.AbstractEventLoop, on_signal: Callable[[], None]) -> Iterator[None]:
    """Lets signals end a worker, and puts back what was there for them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            loop.add_signal_handler(number, on_signal)
        yield
    finally:
        for number, handler in before.items():
            if loop.remove_signal_handler(number) and handler is not None:
                signal.signal(number, handler)


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
        self._store = instance("store", store, Store)
        self._queue = text("queue", queue)
        self._handler = handler_of_messages(handler)
        if isinstance(handler, WorkflowDef):
            raise TypeError("handler: is a workflow, whose runs a WorkflowWorker executes")
        self._concurrency = _from_1("concurrency", concurrency)
        self._lease = positive("lease", lease)
        if self._lease < _SHORTEST_LEASE:
            raise ValidationError(f"lease: is below 0.1 seconds: {lease}")
        self._max_attempts = _from_1("max_attempts", max_attempts)
        self._base_delay = not_negative("base_delay", base_delay)
        self._max_delay = not_negative("max_delay", max_delay)
        self._loading = Loading(payload_type)
        self._is_async = inspect.iscoroutinefunction(handler)
        self._loop: asyncio.AbstractEventLoop | None = None  # That of run, since that was called.
        self._stopping = asyncio.Event()
        self._freed = asyncio.Event()  # A place, or the end of waiting for one.
        self._is_cancelling = False
        self._consumer: _core.Consumer | None = None
        # By task: a message whose lease has ended may come again while it is handled.
        self._running: dict[asyncio.Task[None], int] = {}
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

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes no more messages; from any thread, as often as one likes.

        ``run`` returns when the handlers that run have finished.
        """
        if self._loop is None:
            self._stopping.set()
        else:
            with suppress(RuntimeError):  # The loop has ended, and run with it.
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self, *, handle_signals: bool = False) -> None:
        """Handles messages until :meth:`stop`; once only.

        With ``handle_signals``, which is for the main thread, SIGINT and SIGTERM stop it too; a
        second one cancels the handlers that run.

        When it is cancelled, so are the handlers, and their messages are given back. A plain
        function cannot be cancelled: it runs on in its thread while its message is given back at
        once, and may be handled elsewhere at the same time.
        """
        if self._loop is not None:
            raise PgqrsError("this worker runs already, or has ended: make another one")
        self._loop = asyncio.get_running_loop()
        with signals(self._loop, self._on_signal) if handle_signals else nullcontext():
            queue = await self._store._core.open_queue(self._queue)
            # Its end gives back what is not finished.
            async with closing(await queue.new_consumer("worker")) as self._consumer:
                await self._work()

    def _on_signal(self) -> None:
        if self._stopping.is_set():
            self._cancel_handlers()
        self._stopping.set()

    def _cancel_handlers(self) -> None:
        self._is_cancelling = True
        for task in self._running:
            task.cancel()

    async def _work(self) -> None:
        if not self._is_async:
            self._threads = ThreadPoolExecutor(self._concurrency, "pgqrs-worker")
        extending = asyncio.ensure_future(self._extend_leases())
        try:
            await self._feed()
            while self._running:
                await asyncio.wait(self._running)
        finally:
            extending.cancel()
            self._cancel_handlers()
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)
            if self._running:
                await asyncio.wait(self._running)

    async def _feed(self) -> None:
        """Takes messages, as many as there are free places, until the end."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        stopping.add_done_callback(lambda _: self._freed.set())
        try:
            while not self._stopping.is_set():
                free = self._concurrency - len(self._running)
                if free == 0:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                try:
                    self._start(await self._take_unless(stopping, free))
                except PgqrsConnectionError as error:
                    _log.warning("the database is away; going on when it is back: %s", error)
                    await asyncio.wait([stopping], timeout=PAUSE_WHEN_AWAY)
        finally:
            stopping.cancel()

    def _start(self, messages: list[_core.QueueMessage[Any]]) -> None:
        """Starts the handlers of messages."""
        for message in messages:
            if message.id in self._running.values():  # It holds the message again, as before.
                _log.warning("the lease of message %d ended while it was handled", message.id)
                continue
            task = asyncio.ensure_future(self._handle(message))
            self._running[task] = message.id
            task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task)
        self._freed.set()

    async def _take_unless(
        self, stopping: asyncio.Future[Any], count: int
    ) -> list[_core.QueueMessage[Any]]:
        """Messages, or none where the worker is to stop before one comes."""
        taking = asyncio.ensure_future(self._take(count))
        try:
            await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
            return taking.result() if taking.done() else []
        finally:
            taking.cancel()  # A message that comes all the same is given back.

    async def _take(self, count: int) -> list[_core.QueueMessage[Any]]:
        assert self._consumer is not None
        return self._loading(await self._consumer.dequeue_wait(count, _LONG, self._lease))

    async def _handle(self, message: _core.QueueMessage[Any]) -> None:
        assert self._consumer is not None
        try:
            try:
                await self._call(message)
            except RetryAfter as retry:
                await self._consumer.release_unread(message.id, retry._micros)
            except Discard as discard:
                await self._consumer.dead_letter(message.id, self._reason(discard))
            except asyncio.CancelledError as error:
                if self._is_cancelling:
                    raise
                await self._fail(message, error)  # Of something that the handler awaited.
            except Exception as error:
                await self._fail(message, error)
            else:
                archived = await finish(self._consumer, [message.id])
                self._handled += archived  # Others may have been counted meanwhile.
        except Exception:
            _log.exception("message %d could not be finished; it will come again", message.id)

    async def _call(self, message: _core.QueueMessage[Any]) -> None:
        if self._is_async:
            await self._handler(message)
            return
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._threads, _in_thread, self._handler, message)
        if inspect.isawaitable(result):  # Of an object that looked like a function.
            await result

    async def _fail(self, message: _core.QueueMessage[Any], error: BaseException) -> None:
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
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            # However long the last extensions took.
            await asyncio.sleep(last + self._lease / 3e6 - loop.time())
            last = loop.time()
            await asyncio.gather(*map(self._extend_lease, self._running.values()))

    async def _extend_lease(self, message_id: int) -> None:
        assert self._consumer is not None
        try:
            await self._consumer.extend_lease(message_id, self._lease)
        except Exception:
            _log.exception("the lease of message %d could not be extended", message_id)

    @staticmethod
    def _reason(error: BaseException) -> str:
        said = f"{type(error).__name__}: {error_text(error)}"
        return said.replace("\x00", "")[:_LONGEST_REASON]
