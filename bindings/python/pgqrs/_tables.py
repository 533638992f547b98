"""What is in the database, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._arguments import not_negative, whole
from ._errors import QueueNotFoundError

if TYPE_CHECKING:
    import builtins
    from datetime import timedelta

    from . import _core
    from ._store import Store

_PAGE = 1000


class Queues:
    """The queues of a store. Made by :meth:`Store.get_queues`.

    Example:
        >>> queues = await store.get_queues()
        >>> (await queues.metrics("jobs")).pending_messages
        0
    """

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

    async def apply_retention(
        self,
        name: str,
        *,
        max_age: float | timedelta | None = None,
        max_count: int | None = None,
    ) -> int:
        """Removes archived messages of a queue, in small transactions, and gives their number.

        Args:
            name: The name of the queue.
            max_age: Those that were archived longer ago go: a timedelta, or seconds.
            max_count: All but so many of the newest go.
        """
        age = None if max_age is None else not_negative("max_age", max_age)
        return await (await self._store._core.open_queue(name)).apply_retention(age, max_count)

    async def list_metrics(self) -> builtins.list[_core.QueueMetrics]:
        """The same of every queue, by name."""
        return await self._store._core.metrics()


class Messages:
    """The messages of a store. Made by :meth:`Store.get_messages`.

    Example:
        >>> messages = await store.get_messages()
        >>> await messages.count()
        0
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def count(self) -> int:
        """How many messages there are that are not archived."""
        return sum(
            metrics.total_messages - metrics.archived_messages
            for metrics in await self._store._core.metrics()
        )

    async def get(self, message_id: int) -> _core.QueueMessage[Any] | None:
        """A message in whatever state it is. ``None`` where there is none of this id."""
        return await self._store._core.find_message(message_id)

    async def list(
        self, after_id: int = 0, limit: int = 100
    ) -> builtins.list[_core.QueueMessage[Any]]:
        """Messages of all queues and states with ids above ``after_id``, up to ``limit``, by id."""
        return await self._store._core.messages(after_id, limit)

    async def list_archived_by_queue(self, queue_id: int) -> builtins.list[_core.QueueMessage[Any]]:
        """All archived messages of a queue, by id (``QueueNotFoundError``)."""
        whole("queue_id", queue_id)
        names = [
            queue.queue_name for queue in await self._store._core.queues() if queue.id == queue_id
        ]
        if not names:
            raise QueueNotFoundError(f"queue_id: there is no queue of the id {queue_id}")
        queue = await self._store._core.open_queue(names[0])
        messages: builtins.list[_core.QueueMessage[Any]] = []
        while True:
            page = await queue.archived(messages[-1].id if messages else 0, _PAGE)
            messages += page
            if len(page) < _PAGE:
                return messages


class Workers:
    """The workers of a store. Made by :meth:`Store.get_workers`.

    Every store, consumer and worker that was opened on it has a row, until it is purged.

    Example:
        >>> workers = await store.get_workers()
        >>> [health.queue_name for health in await workers.health_stats()]
        ['jobs']
    """

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

    async def health_stats(
        self, timeout_seconds: float | timedelta | None = None
    ) -> builtins.list[_core.WorkerHealth]:
        """How many workers each queue has in which state, by the name of the queue.

        Workers of no queue, as those of stores, come last, under an empty name. Stale are those
        that are not Stopped and whose heartbeat is older than ``timeout_seconds``, or, without it,
        than twelve heartbeats.
        """
        timeout = (
            None if timeout_seconds is None else not_negative("timeout_seconds", timeout_seconds)
        )
        return await self._store._core.worker_health(timeout)

    async def purge_stale(self, timeout_seconds: float | timedelta) -> int:
        """Removes workers whose heartbeat is older, gives back what they hold, and counts them."""
        timeout = not_negative("timeout_seconds", timeout_seconds)
        return await self._store._core.purge_stale_workers(timeout)
