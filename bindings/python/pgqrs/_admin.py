"""Administration of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._store import Store


class Admin:
    """Made by :func:`pgqrs.admin`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def install(self) -> None:
        """Installs or upgrades the schema; many processes may do so at once."""
        await self._store._core.install()

    async def verify(self) -> None:
        """Raises ``SchemaError``, with a list of what is wrong, where the database is not sound."""
        await self._store._core.verify()

    async def delete_queue(self, name: str) -> bool:
        """Removes a queue that has no messages and no live workers, else ``ValidationError``."""
        await self._store._core.delete_queue(name, False)
        return True

    async def release_worker_messages(self, worker_id: int) -> int:
        """Makes everything that a worker holds visible at once, and gives its number."""
        return await self._store._core.release_worker_messages(worker_id)
