"""The same interface without ``async``, for scripts, Django, Flask and threads.

Every class and function of :mod:`pgqrs` is here under the same name, made of the one there: what
is a coroutine there blocks here, without the GIL, until the result is there. Ctrl-C interrupts it.
Handlers are plain functions. Any thread may call anything.

Example:
    >>> import pgqrs.sync
    >>> store = pgqrs.sync.connect("sqlite:queue.db")
    >>> producer = store.producer("jobs")
    >>> producer.enqueue({"to": "ada"})
    64
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any

from . import _admin, _core, _functions, _poll, _store, _tables, _worker
from ._config import Config
from ._core import QueueInfo, QueueMessage, QueueMetrics, WorkerInfo, WorkerStatus  # noqa: TC001
from ._drive import run_blocking
from ._errors import *  # noqa: F403  All of them.
from ._worker import Discard, RetryAfter

if TYPE_CHECKING:
    from collections.abc import Callable


class _Blocking:
    """An object of the asynchronous interface whose coroutines block."""

    def __init__(self, wrapped: Any) -> None:
        self._async = wrapped

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}({self._async!r})"


# What iterators and context managers are made of.
_NAMES = {
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}

_classes: dict[type, type[_Blocking]] = {}


def _to_blocking(value: Any) -> Any:
    made = _classes.get(type(value))
    return value if made is None else made(value)


def _to_async(value: Any) -> Any:
    if isinstance(value, _Blocking):
        return value._async
    if not inspect.isroutine(value):
        return value

    async def handler(*args: Any) -> Any:
        return value(*args)

    return handler


def _blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        result = function(
            *map(_to_async, args), **{name: _to_async(value) for name, value in named.items()}
        )
        if inspect.iscoroutine(result):
            try:
                result = run_blocking(result)
            except StopAsyncIteration:
                raise StopIteration from None
        # A builder and an iterator give themselves.
        return args[0] if args and result is _to_async(args[0]) else _to_blocking(result)

    return call


def _property(name: str, doc: str | None) -> property:
    def read(self: _Blocking) -> Any:
        return _to_blocking(getattr(self._async, name))

    return property(read, doc=doc)


def _make_class(wrapped: type) -> type[_Blocking]:
    members: dict[str, Any] = {"__doc__": wrapped.__doc__, "__module__": __name__}
    for name, member in vars(wrapped).items():
        name = _NAMES.get(name, name)
        if name.startswith("_") and name not in _NAMES.values():
            continue
        if isinstance(member, property):
            members[name] = _property(name, member.__doc__)
        else:
            members[name] = _blocking(member)
    made = type(wrapped.__name__, (_Blocking,), members)
    _classes[wrapped] = made
    return made


class Worker(_Blocking):
    """A worker whose handler is a plain function; :meth:`run` blocks. See :class:`pgqrs.Worker`."""

    def __init__(
        self,
        store: Any,
        queue: str,
        handler: Callable[[QueueMessage], Any],
        **options: Any,
    ) -> None:
        """As for :class:`pgqrs.Worker`."""
        super().__init__(_worker.Worker(store._async, queue, handler, **options))
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def handled(self) -> int:
        """How many messages were handled."""
        handled: int = self._async.handled
        return handled

    @property
    def failed(self) -> int:
        """How often a handler failed."""
        failed: int = self._async.failed
        return failed

    def run(self, *, handle_signals: bool = False) -> None:
        """Handles messages until :meth:`stop`; with ``handle_signals`` also SIGINT, SIGTERM."""

        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            await self._async.run(handle_signals=handle_signals)

        asyncio.run(main())

    def stop(self) -> None:
        """Takes no more messages; from any thread. ``run`` returns when handlers have finished."""
        if self._loop is None:
            self._async.stop()
        else:
            self._loop.call_soon_threadsafe(self._async.stop)


Store = _make_class(_store.Store)
Producer = _make_class(_store.Producer)
Consumer = _make_class(_store.Consumer)
Admin = _make_class(_admin.Admin)
ConsumeIterator = _make_class(_poll.ConsumeIterator)
DequeueBuilder = _make_class(_poll.DequeueBuilder)
Queues = _make_class(_tables.Queues)
Messages = _make_class(_tables.Messages)
Workers = _make_class(_tables.Workers)

admin = _blocking(_functions.admin)
archive = _blocking(_functions.archive)
archive_batch = _blocking(_functions.archive_batch)
consume = _blocking(_functions.consume)
consume_batch = _blocking(_functions.consume_batch)
delete = _blocking(_functions.delete)
dequeue = _blocking(_functions.dequeue)
dequeue_builder = _blocking(_functions.dequeue_builder)
enqueue = _blocking(_functions.enqueue)
enqueue_batch = _blocking(_functions.enqueue_batch)
enqueue_delayed = _blocking(_functions.enqueue_delayed)
extend_vt = _blocking(_functions.extend_vt)
produce = _blocking(_functions.produce)
produce_batch = _blocking(_functions.produce_batch)


def connect_with(config: Config) -> Any:
    """Opens a database, and installs the schema where there is none."""
    return Store(_store.Store(_core.connect(config._fields()), config))


def connect(dsn: str) -> Any:
    """Opens a database with the default configuration."""
    return connect_with(Config(dsn))
