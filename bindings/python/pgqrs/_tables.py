"""What is in the database, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import QueueNotFoundError
from ._time import micros

if TYPE_CHECKING:
    import builtins

    from . import _core
    from ._store import Store

_PAGE = 1000


class Queues:
    """The queues of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self) -> list[_core.QueueInfo]:
        """All queues, by name."""
        return await self._store._core.queues()

    async def count(self) -> int:
        """How many queues there are."""
        return len(await self.list())

    async def purge(self, name: str) -> int:
        """Removes the waiting and delayed messages of a queue, and gives their number."""
        return await self._store._core.purge_queue(name)

    async def metrics(self, name: str) -> _core.QueueMetrics:
        """How many messages of a queue are in which state (``QueueNotFoundError``)."""
        return await (await self._store._core.open_queue(name)).metrics()

    async def list_metrics(self) -> builtins.list[_core.QueueMetrics]:
        """The same of every queue, by name."""
        return await self._store._core.metrics()


class Messages:
    """The messages of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def count(self) -> int:
        """How many messages there are that are not archived."""
        return sum(
            metrics.total_messages - metrics.archived_messages
            for metrics in await self._store._core.metrics()
        )

    async def list_archived_by_queue(self, queue_id: int) -> list[_core.QueueMessage]:
        """All archived messages of a queue, by id."""
        names = [
            queue.queue_name for queue in await self._store._core.queues() if queue.id == queue_id
        ]
        if not names:
            raise QueueNotFoundError(f"queue_id: there is no queue of the id {queue_id}")
        queue = await self._store._core.open_queue(names[0])
        messages: list[_core.QueueMessage] = []
        while True:
            page = await queue.archived(messages[-1].id if messages else 0, _PAGE)
            messages += page
            if len(page) < _PAGE:
                return messages


class Workers:
    """The workers of a store: every store, consumer and queue worker that was ever opened on it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self) -> list[_core.WorkerInfo]:
        """All workers, by id."""
        return await self._store._core.workers()

    async def count(self) -> int:
        """How many workers there are."""
        return len(await self.list())

    async def get(self, worker_id: int) -> _core.WorkerInfo:
        """One worker (``WorkerNotFoundError``)."""
        return await self._store._core.worker(worker_id)

    async def purge_stale(self, timeout_seconds: float) -> int:
        """Removes workers whose heartbeat is older, gives back what they hold, and counts them."""
        return await self._store._core.purge_stale_workers(micros(timeout_seconds))
