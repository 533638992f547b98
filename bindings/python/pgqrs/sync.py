"""The same interface without ``async``, for scripts, Django, Flask and threads.

Every class and function of :mod:`pgqrs` is here under the same name, made of the one there: what
is a coroutine there blocks here, without the GIL, until the result is there. Ctrl-C interrupts it.
Handlers are plain functions. Any thread may call anything.

Example:
    >>> import pgqrs.sync
    >>> with pgqrs.sync.connect("sqlite::memory:") as store:
    ...     info = store.queue("jobs")
    ...     message_id = store.producer("jobs").enqueue({"to": "ada"})
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from typing import TYPE_CHECKING, Any

from . import _admin, _dead_letters, _functions, _poll, _store, _tables, _worker
from ._config import Config
from ._core import (  # noqa: TC001
    QueueInfo,
    QueueMessage,
    QueueMetrics,
    WorkerHealth,
    WorkerInfo,
    WorkerStatus,
)
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
    return value._async if isinstance(value, _Blocking) else value


def _async_handler(handler: Any) -> Any:
    if not callable(handler):
        return handler

    async def call(*args: Any) -> Any:
        return handler(*args)

    return call


def _blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that blocks until the result of this one is there."""
    names = list(inspect.signature(function).parameters)
    converters = [_async_handler if name == "handler" else _to_async for name in names]

    @functools.wraps(function, assigned=("__name__", "__qualname__", "__annotations__"))
    def call(*args: Any, **named: Any) -> Any:
        converted = [convert(value) for convert, value in zip(converters, args, strict=False)]
        converted += args[len(converters) :]  # One too many, which the function will tell.
        for name, value in named.items():
            named[name] = _async_handler(value) if name == "handler" else _to_async(value)
        result = function(*converted, **named)
        if inspect.iscoroutine(result):
            try:
                result = run_blocking(result)
            except StopAsyncIteration:
                raise StopIteration from None
        # A builder, an iterator and a context give themselves.
        return args[0] if args and result is converted[0] else _to_blocking(result)

    call.__doc__ = _without_async(function.__doc__)
    return call


def _without_async(text: str | None) -> str | None:
    """A docstring whose example blocks."""
    return text and text.replace("await ", "").replace("async ", "")


def _property(name: str, doc: str | None) -> property:
    def read(self: _Blocking) -> Any:
        return _to_blocking(getattr(self._async, name))

    return property(read, doc=doc)


def _make_class(wrapped: type) -> type[_Blocking]:
    members: dict[str, Any] = {
        "__doc__": _without_async(wrapped.__doc__),
        "__module__": __name__,
    }
    for name, member in vars(wrapped).items():
        name = _NAMES.get(name, name)
        if name.startswith("_") and name not in _NAMES.values():
            continue
        if isinstance(member, property):
            members[name] = _property(name, member.__doc__)
        else:
            members[name] = _blocking(member)
    if hasattr(wrapped, "__class_getitem__"):
        members["__class_getitem__"] = classmethod(types.GenericAlias)
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

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

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
DeadLetters = _make_class(_dead_letters.DeadLetters)
ConsumerIterator = _make_class(_poll.ConsumerIterator)
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
connect = _blocking(_store.connect)
connect_with = _blocking(_store.connect_with)
