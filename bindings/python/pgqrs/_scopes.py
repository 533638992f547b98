"""In which order the calls of a workflow count, however its tasks take turns.

Each task has an order of its own, under a name that it gets when it is made.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from ._execution import Execution

# Where a task keeps its scope.
_ATTRIBUTE = "_pgqrs_scope"
_LONGEST_PREFIX = 200

# Whose step the code is inside of.
inside: ContextVar[Execution | None] = ContextVar("pgqrs_step", default=None)


class Scope:
    """The calls, and the tasks, that one task makes."""

    __slots__ = ("_tasks", "execution", "prefix")

    def __init__(self, execution: Execution, prefix: str) -> None:
        self.execution = execution
        self.prefix = prefix
        self._tasks: dict[str, int] = {}

    def for_task(self, name: str) -> Scope:
        """That of the next task of this name."""
        number = self._tasks.get(name, 0)
        self._tasks[name] = number + 1
        prefix = f"{self.prefix}{name}[{number}]/"
        if len(prefix) > _LONGEST_PREFIX:  # Of a task in a task in a task …
            digest = hashlib.blake2b(prefix.encode(errors="replace"), digest_size=16)
            prefix = f"[{digest.hexdigest()}]/"
        return Scope(self.execution, prefix)


class _Factory:
    """Makes the tasks of an event loop, as they were made before, and gives them their scopes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.users = 0
        # Of a task that begins to run while it is made.
        self.beginning: Scope | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        import asyncio

        scope = scope_of(asyncio.current_task(loop))
        own = None
        # A replay does not make the tasks of a step, so that they are not to count.
        if scope is not None and inside.get() is not scope.execution:
            own = scope.for_task(getattr(coroutine, "__name__", "task"))
        before, self.beginning = self.beginning, own
        try:
            task = self._make(loop, coroutine, options)
        finally:
            self.beginning = before
        if own is not None:
            setattr(task, _ATTRIBUTE, own)
        return task

    def _make(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, options: dict[str, Any]
    ) -> Any:
        if self.inner is not None:
            return self.inner(loop, coroutine, **options)
        import asyncio

        return asyncio.Task(coroutine, loop=loop, **options)


def scope_of(task: asyncio.Task[Any] | None) -> Scope | None:
    """That of a task that runs. None: no workflow has made it."""
    scope: Scope | None = getattr(task, _ATTRIBUTE, None)
    if scope is None and task is not None:
        factory = task.get_loop().get_task_factory()
        scope = factory.beginning if isinstance(factory, _Factory) else None
    return scope


def current_scope() -> Scope | None:
    """That of the task that runs, where there is an event loop."""
    if _core.is_blocking():
        return None
    import asyncio

    try:
        return scope_of(asyncio.current_task())
    except RuntimeError:  # This thread has none.
        return None


@contextmanager
def scopes_of_tasks(root: Scope) -> Iterator[None]:
    """Lets this task have that scope, and the tasks that it makes meanwhile have theirs."""
    if _core.is_blocking():
        yield
        return
    import asyncio

    task = asyncio.current_task()
    assert task is not None
    loop = task.get_loop()
    before = loop.get_task_factory()
    factory = before if isinstance(before, _Factory) else _Factory(before)
    if factory is not before:
        loop.set_task_factory(factory)
    factory.users += 1
    outer = getattr(task, _ATTRIBUTE, None)
    setattr(task, _ATTRIBUTE, root)
    try:
        yield
    finally:
        setattr(task, _ATTRIBUTE, outer)
        factory.users -= 1
        if not factory.users and loop.get_task_factory() is factory:
            loop.set_task_factory(factory.inner)
