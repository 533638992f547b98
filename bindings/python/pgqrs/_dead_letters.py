"""Messages that were given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import builtins

    from . import _core
    from ._store import Store


class DeadLetters:
    """The dead letters of one queue. Made by :meth:`Store.dead_letters`.

    A message becomes one when it has been read ``Config.max_read_ct`` times without an end, when a
    :class:`Worker` has tried it often enough, or by :meth:`Consumer.dead_letter`.

    Example:
        >>> message_id = await producer.enqueue({"to": "nobody"})
        >>> [message] = await consumer.dequeue(1)
        >>> await consumer.dead_letter(message.id, "no such address")
        True
        >>> dead = await store.dead_letters("jobs")
        >>> [letter.reason for letter in await dead.list()]
        ['no such address']
        >>> await dead.replay_all()
        1
    """

    def __init__(self, store: Store, queue: _core.Queue) -> None:
        self._store = store  # Which closes when nothing refers to it.
        self._queue = queue

    async def count(self) -> int:
        """How many there are."""
        return (await self._queue.metrics()).dead_messages

    async def list(
        self, after_id: int = 0, limit: int = 100
    ) -> builtins.list[_core.QueueMessage[Any]]:
        """Those with ids above ``after_id``, by id, up to ``limit`` (1 to 10,000)."""
        return await self._queue.dead_letters(after_id, limit)

    async def replay(self, message_id: int) -> bool:
        """Makes one visible again, with a read count of 0. ``False`` where it is no dead letter."""
        return await self._queue.replay_dead_letter(message_id)

    async def replay_all(self) -> int:
        """Makes all of them visible again, and gives their number."""
        return await self._queue.replay_dead_letters()

    async def purge(self) -> int:
        """Removes all of them with their payloads, and gives their number."""
        return await self._queue.purge_dead_letters()
