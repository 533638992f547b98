"""What the scenarios need of a peer."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tally import Payload

    Handler = Callable[[Payload], None]


@dataclass
class Arguments:
    """The command line, but for the peer's name."""

    role: str
    dsn: str = ""
    schema: str = ""
    path: str = ""
    count: int = 0
    callers: int = 1
    workers: int = 1
    payload: int = 100
    seconds: int = 1
    outstanding: int = 1000

    @property
    def is_measured(self) -> bool:
        """Whether the role gives figures, so that every commit has to be durable."""
        return not self.role.startswith("fill")


@dataclass
class Description:
    """What a peer is, and how it runs here."""

    distribution: str
    settings: dict[str, str]
    delivery: str = "at-least-once"
    notes: str = ""


class Peer(ABC):
    """A queue in a database; made anew in each process."""

    description: ClassVar[Description]
    # How many messages a bulk call takes; none where there is no bulk call.
    bulk_size: ClassVar[int | None] = 1000
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.enqueued = 0

    @abstractmethod
    async def open(self) -> None:
        """Connects, and installs what is missing."""

    @abstractmethod
    async def enqueue(self, payload: Payload) -> None:
        """Enqueues a message by the single call; it is durable on return."""

    async def enqueue_bulk(self, payloads: Sequence[Payload]) -> None:
        """Enqueues messages by the bulk call."""
        raise NotImplementedError

    @abstractmethod
    async def work(self, handle: Handler, workers: int) -> None:
        """Runs workers until it is cancelled."""

    @abstractmethod
    async def waiting(self) -> int:
        """How many messages the tables hold that are not completed."""

    async def enqueue_each(self, payloads: Sequence[Payload], callers: int) -> None:
        """Enqueues every message by a call of its own, of which so many are under way at once."""
        left = iter(payloads)

        async def call() -> None:
            for payload in left:
                await self.enqueue(payload)
                self.enqueued += 1

        await asyncio.gather(*(call() for _ in range(callers)))

    async def enqueue_all(self, payloads: Sequence[Payload], size: int | None = None) -> None:
        """Enqueues messages by the bulk call, or singly where there is none."""
        if self.bulk_size is None:
            for payload in payloads:
                await self.enqueue(payload)
                self.enqueued += 1
            return
        size = size or self.bulk_size
        for start in range(0, len(payloads), size):
            batch = payloads[start : start + size]
            await self.enqueue_bulk(batch)
            self.enqueued += len(batch)


class BlockingPeer(Peer):
    """A peer without asyncio: callers and workers are threads.

    The event loop has nothing else to do while it enqueues, so that calls may block it.
    """

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        self.stopping = threading.Event()
        self._lock = threading.Lock()

    @abstractmethod
    def make_caller(self) -> Callable[[Payload], None]:
        """Gives the single call of a thread, with a connection of its own where it needs one."""

    @abstractmethod
    def run_worker(self, handle: Handler) -> None:
        """Works until ``stopping`` is set."""

    async def enqueue_each(self, payloads: Sequence[Payload], callers: int) -> None:
        """Has a thread for each caller."""
        left = iter(payloads)

        def call() -> None:
            enqueue = self.make_caller()
            while True:
                with self._lock:
                    payload = next(left, None)
                if payload is None:
                    return
                enqueue(payload)
                with self._lock:
                    self.enqueued += 1

        await self._in_threads(call, callers)

    async def work(self, handle: Handler, workers: int) -> None:
        """Has a thread for each worker."""
        try:
            await self._in_threads(lambda: self.run_worker(handle), workers)
        finally:
            self.stopping.set()

    async def _in_threads(self, run: Callable[[], None], count: int) -> None:
        """Ends with the first error, or with the last thread."""
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(count)]

        def settle(future: asyncio.Future[None], error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        def body(future: asyncio.Future[None]) -> None:
            caught: BaseException | None = None
            try:
                run()
            except BaseException as error:
                caught = error
            loop.call_soon_threadsafe(settle, future, caught)

        for future in futures:
            threading.Thread(target=body, args=[future], daemon=True).start()
        await asyncio.gather(*futures)
