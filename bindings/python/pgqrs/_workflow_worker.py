"""Workers that execute runs of workflows."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from ._arguments import instance, items
from ._errors import PgqrsError, QueueNotFoundError
from ._store import Store
from ._worker import Worker, signals
from ._workflow import WorkflowDef, definitions_by_name, execute_message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from . import _core
    from ._run import Run

_log = logging.getLogger("pgqrs.worker")


async def _unused(_: _core.QueueMessage[Any]) -> None:
    """Stands for the handler."""


class _RunWorker(Worker[Any]):
    """Executes the runs of one workflow."""

    def __init__(
        self,
        store: Store,
        versions: dict[int, WorkflowDef[Any, Any]],
        concurrency: int,
        lease: float | timedelta,
    ) -> None:
        name = next(iter(versions.values()))._name
        super().__init__(store, name, _unused, concurrency=concurrency, lease=lease)
        self._versions = versions
        self._in_thread = any(each._plain is not None for each in versions.values())
        # _work makes the threads where handlers are plain.
        self._is_async = not self._in_thread
        self._is_stopping = False
        self.suspended = 0

    def stop(self) -> None:
        """Also tells the runs, at once."""
        self._is_stopping = True
        super().stop()

    def _on_signal(self) -> None:
        self._is_stopping = True
        super()._on_signal()

    def _must_stop(self) -> bool:
        return self._is_stopping

    async def _feed(self) -> None:
        """Also tells the runs when nothing more is taken, whatever the reason."""
        try:
            await super()._feed()
        finally:
            self._is_stopping = True

    async def _handle(self, message: _core.QueueMessage[Any]) -> None:
        try:
            ended = await execute_message(
                self._versions,
                self._store,
                message,
                stopping=self._must_stop,
                call=self._call_in_thread if self._in_thread else None,
            )
        except Exception:
            _log.exception("run %d could not go on; it will later", message.id)
            return
        if ended.succeeded:
            self._handled += 1
        elif ended.failed:
            self._failed += 1
            _log.warning("run %d has failed", message.id, exc_info=ended.told)
        elif ended.told is not None:
            self.suspended += 1

    async def _call_in_thread(self, run: Run, *args: Any) -> Any:
        """Calls a plain function, with what its tasks would see here."""
        execution = run._state.execution
        assert execution is not None
        version = execution.control.version
        definition = self._versions[max(self._versions) if version is None else version]
        plain = definition._plain
        assert plain is not None
        context = contextvars.copy_context()

        def work() -> Any:
            execution.in_this_thread()
            return context.run(plain, run, *args)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class WorkflowWorker:
    """Executes the runs of some workflows, several at a time.

    A run that sleeps, waits, or is to be tried again later, leaves the worker meanwhile. When the
    worker stops, a run that is inside of a step finishes that step; it is then given back, and
    another worker goes on with it at once. The runs of a process that died go on elsewhere when
    their leases end.

    Where the queue of a workflow is deleted, it goes on with the others; ``run`` raises
    ``QueueNotFoundError`` when the last one is gone.

    Args:
        store: An open store.
        workflows: What :func:`workflow` has made; several may have one name and different versions.
        concurrency: How many runs of each workflow are executed at the same time, at most.
        lease: How soon others take over the runs when this process dies: a timedelta, or seconds.

    Example:
        >>> @pgqrs.workflow
        ... async def greet(run: pgqrs.Run, name: str) -> str:
        ...     return f"Hello {name}"
        >>> run = await store.trigger(greet, "ada")
        >>> async with pgqrs.WorkflowWorker(store, [greet], concurrency=10):
        ...     print(await run.result())
        Hello ada
    """

    def __init__(
        self,
        store: Store,
        workflows: Sequence[WorkflowDef[Any, Any]],
        *,
        concurrency: int = 1,
        lease: float | timedelta = 30,
    ) -> None:
        self._store = instance("store", store, Store)
        by_name = definitions_by_name(items("workflows", workflows))
        self._workers = [
            _RunWorker(store, versions, concurrency, lease) for versions in by_name.values()
        ]
        self._left = len(self._workers)  # Whose queues are there.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def succeeded(self) -> int:
        """How many runs have ended well."""
        return sum(each.handled for each in self._workers)

    @property
    def failed(self) -> int:
        """How many runs have failed."""
        return sum(each.failed for each in self._workers)

    @property
    def suspended(self) -> int:
        """How often a run was left to be continued: asleep, waiting, paused or given back."""
        return sum(each.suspended for each in self._workers)

    async def __aenter__(self) -> WorkflowWorker:
        """Starts it."""
        self._running = asyncio.ensure_future(self.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops it, and waits until it has given its runs back."""
        self.stop()
        if self._running is not None:
            await self._running

    def stop(self) -> None:
        """Takes no more runs, and gives back those that run; from any thread."""
        for each in self._workers:
            each.stop()

    def _on_signal(self) -> None:
        for each in self._workers:
            each._on_signal()

    async def run(self, *, handle_signals: bool = False) -> None:
        """Executes runs until :meth:`stop`; once only.

        With ``handle_signals``, which is for the main thread, SIGINT and SIGTERM stop it too; a
        second one cancels the functions that run.
        """
        if self._loop is not None:
            raise PgqrsError("this worker runs already, or has ended: make another one")
        self._loop = asyncio.get_running_loop()
        for each in self._workers:
            await self._store._core.create_workflow(each._queue)
        with signals(self._loop, self._on_signal) if handle_signals else nullcontext():
            tasks = [asyncio.ensure_future(self._serve(each)) for each in self._workers]
            try:
                await asyncio.gather(*tasks)
            except asyncio.CancelledError:
                for task in tasks:
                    task.cancel()
                raise
            finally:
                self.stop()
                with suppress(Exception):
                    await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, worker: _RunWorker) -> None:
        """Executes the runs of one workflow, as long as there is its queue."""
        try:
            await worker.run()
        except QueueNotFoundError as error:
            self._left -= 1
            if not self._left:
                raise
            _log.error("runs of %r are executed no more: %s", worker._queue, error)
