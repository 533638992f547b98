"""Administration of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._arguments import instance
from ._store import Store

if TYPE_CHECKING:
    from ._run import Run


class Admin:
    """Work on the database as a whole. Made by :func:`pgqrs.admin`.

    Example:
        >>> admin = pgqrs.admin(store)
        >>> await admin.install()
        >>> await admin.verify()
    """

    def __init__(self, store: Store) -> None:
        self._store = instance("store", store, Store)

    async def install(self) -> None:
        """Installs or upgrades the schema; many processes may do so at once."""
        await self._store._core.install()

    async def verify(self) -> None:
        """Checks that schema and references are sound; ``SchemaError`` lists what is not.

        It reads everything, beside the load: minutes on a large database.
        """
        await self._store._core.verify()

    async def delete_queue(self, name: str, *, force: bool = False) -> bool:
        """Removes a queue with its archive and dead letters (``QueueNotFoundError``).

        ``ValidationError`` while messages wait or are leased, or live workers refer to it; with
        ``force`` it removes all that too.
        """
        await self._store._core.delete_queue(name, force)
        return True

    async def release_worker_messages(self, worker_id: int) -> int:
        """Makes everything that a worker holds visible at once, and gives the number of messages.

        ``WorkerNotFoundError`` where there is no such worker.
        """
        return await self._store._core.release_worker_messages(worker_id)

    async def create_workflow(self, name: str, input: Any = None) -> Run:
        """Makes the workflow of this name where it is missing, and triggers a run of it."""
        from ._workflow import trigger

        return await trigger(self._store, name, input, create=True)
