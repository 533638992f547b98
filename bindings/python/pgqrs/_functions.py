"""The functions of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from ._admin import Admin
from ._arguments import batch_size as checked_size
from ._arguments import coroutine_function, instance, items
from ._poll import DequeueBuilder, closing, finish, give_back, new_ephemeral
from ._store import Consumer, Producer, Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from . import _core


def admin(store: Store) -> Admin:
    """The administration of a store."""
    return Admin(store)


async def enqueue(producer: Producer, payload: Any) -> int:
    """Stores a message and gives its id."""
    return await instance("producer", producer, Producer).enqueue(payload)


async def enqueue_batch(producer: Producer, payloads: Sequence[Any]) -> list[int]:
    """Stores all of the messages or none, and gives their ids in the same order."""
    return await instance("producer", producer, Producer).enqueue_batch(payloads)


async def enqueue_delayed(producer: Producer, payload: Any, delay_seconds: float) -> int:
    """Stores a message that nobody gets before ``delay_seconds`` are over."""
    return await instance("producer", producer, Producer).enqueue_delayed(payload, delay_seconds)


@overload
def dequeue(consumer: None = None, batch_size: None = None) -> DequeueBuilder: ...
@overload
def dequeue(
    consumer: Consumer[Any], batch_size: int | None = None
) -> Coroutine[Any, Any, list[_core.QueueMessage[Any]]]: ...
def dequeue(
    consumer: Consumer[Any] | None = None, batch_size: int | None = None
) -> DequeueBuilder | Coroutine[Any, Any, list[_core.QueueMessage[Any]]]:
    """Takes up to ``batch_size`` messages. Without arguments: a builder for more than that."""
    if consumer is None:
        return DequeueBuilder()
    return instance("consumer", consumer, Consumer).dequeue(batch_size)


def dequeue_builder() -> DequeueBuilder:
    """The same as ``dequeue()``."""
    return DequeueBuilder()


async def archive(consumer: Consumer[Any], message: _core.QueueMessage[Any]) -> bool:
    """Finishes a message. False where the consumer does not hold it."""
    return await instance("consumer", consumer, Consumer).archive(message.id)


async def archive_batch(
    consumer: Consumer[Any], messages: Sequence[_core.QueueMessage[Any]]
) -> list[bool]:
    """Finishes many messages in one transaction."""
    return await instance("consumer", consumer, Consumer).archive_many(
        [message.id for message in messages]
    )


async def delete(consumer: Consumer[Any], message: _core.QueueMessage[Any]) -> bool:
    """Removes a message for good. False where the consumer does not hold it."""
    return await instance("consumer", consumer, Consumer).delete(message.id)


async def extend_vt(
    consumer: Consumer[Any], message: _core.QueueMessage[Any], seconds: float
) -> bool:
    """Lets the lease of a message end ``seconds`` from now."""
    return await instance("consumer", consumer, Consumer).extend_vt(message.id, seconds)


async def produce(store: Store, queue: str, payload: Any) -> int:
    """Stores one message, as a worker that exists for this call."""
    [message_id] = await produce_batch(store, queue, [payload])
    return message_id


async def produce_batch(store: Store, queue: str, payloads: Sequence[Any]) -> list[int]:
    """Stores all of the messages or none, as a worker that exists for this call."""
    core = await instance("store", store, Store)._core.open_queue(queue)
    async with closing(await new_ephemeral(core)):
        return await core.enqueue_batch(items("payloads", payloads))


async def consume(
    store: Store, queue: str, handler: Callable[[_core.QueueMessage[Any]], Awaitable[Any]]
) -> None:
    """Takes one message, awaits ``handler(message)``, and archives it.

    It returns at once where there is none.

    Where the handler raises, the message is given back, and the exception comes out. The lease is
    as for :func:`consume_batch`.
    """
    coroutine_function(handler)

    async def handle_one(messages: list[_core.QueueMessage[Any]]) -> None:
        await handler(messages[0])

    await consume_batch(store, queue, 1, handle_one)


async def consume_batch(
    store: Store,
    queue: str,
    batch_size: int,
    handler: Callable[[list[_core.QueueMessage[Any]]], Awaitable[Any]],
) -> None:
    """Takes up to ``batch_size`` messages, awaits ``handler(messages)``, and archives all of them.

    Where the handler raises, all are given back, and the exception comes out.

    Leases are not extended: the handler has to end within the default lease, else others get the
    messages too, and a warning is logged. :class:`Worker` extends them.
    """
    size = checked_size("batch_size", batch_size)
    coroutine_function(handler)
    core = await instance("store", store, Store)._core.open_queue(queue)
    async with closing(await new_ephemeral(core)) as worker:
        messages = await worker.dequeue(size)
        if not messages:
            return
        ids = [message.id for message in messages]
        try:
            await handler(messages)
        except BaseException:
            await give_back(worker, ids)
            raise
        await finish(worker, ids)
