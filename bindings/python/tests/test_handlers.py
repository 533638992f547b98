"""Handlers of the wrong kind, and what becomes of messages whose handler does not end well."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING, Any

import pytest
from pgqrs._core import WorkerStatus

import pgqrs
import pgqrs.sync

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
async def store(config: pgqrs.Config) -> AsyncIterator[pgqrs.Store]:
    config.default_lock_time_seconds = 0.2
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        yield store


@pytest.fixture
def blocking_store() -> Iterator[pgqrs.sync.Store]:
    with pgqrs.sync.connect("sqlite::memory:") as store:
        store.queue("jobs")
        pgqrs.sync.produce(store, "jobs", 1)
        yield store


async def handle_async(_: object) -> None:
    raise AssertionError


def handle_plainly(*_: object) -> None:
    raise AssertionError


class Method:
    def handle(self, _: object) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    "handler", [handle_plainly, Method().handle, functools.partial(handle_plainly, 1), None, "x"]
)
async def test_only_coroutine_functions_are_awaited(store: pgqrs.Store, handler: Any) -> None:
    message_id = await pgqrs.produce(store, "jobs", 1)
    calls: list[Callable[[], Any]] = [
        lambda: pgqrs.consume(store, "jobs", handler),
        lambda: pgqrs.consume_batch(store, "jobs", 1, handler),
        lambda: pgqrs.dequeue().handle(handler).poll(store),
        lambda: pgqrs.dequeue().handle_batch(handler).poll(store),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"^handler: a .*function is wanted"):
            await call()
    message = await (await store.get_messages()).get(message_id)
    assert message is not None
    assert message.read_ct == 0


class AsyncObject:
    async def __call__(self, _: object) -> None:
        raise AssertionError


@pytest.mark.parametrize("handler", [handle_async, AsyncObject(), functools.partial(handle_async)])
def test_no_coroutine_function_is_called_by_the_blocking_interface(
    blocking_store: pgqrs.sync.Store, handler: Any
) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: pgqrs.sync.consume(blocking_store, "jobs", handler),
        lambda: pgqrs.sync.consume_batch(blocking_store, "jobs", 1, handler),
        lambda: pgqrs.sync.dequeue().handle(handler),
        lambda: pgqrs.sync.dequeue().handle_batch(handler=handler),
        lambda: pgqrs.sync.Worker(blocking_store, "jobs", handler),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"^handler: a plain function is wanted"):
            call()
    assert blocking_store.metrics("jobs").pending_messages == 1


def test_a_result_that_is_to_be_awaited_is_refused(blocking_store: pgqrs.sync.Store) -> None:
    with pytest.raises(TypeError, match=r"^handler: its result"):
        pgqrs.sync.consume(blocking_store, "jobs", lambda message: handle_async(message))
    assert blocking_store.metrics("jobs").pending_messages == 1


def test_a_blocking_handler_may_run_an_event_loop(blocking_store: pgqrs.sync.Store) -> None:
    async def wait_for_an_enqueue() -> list[Any]:
        store = await pgqrs.connect("sqlite::memory:")
        await store.queue("other")
        consumer = await store.consumer("other")
        producer = await store.producer("other")
        # The wait would block the loop, and the enqueue never come.
        messages, _ = await asyncio.gather(consumer.dequeue_wait(60), producer.enqueue("x"))
        return [message.payload for message in messages]

    seen: list[Any] = []

    def handle(_: object) -> None:
        seen.extend(asyncio.run(wait_for_an_enqueue()))
        seen.append(blocking_store.metrics("jobs").locked_messages)

    pgqrs.sync.consume(blocking_store, "jobs", handle)
    assert seen == ["x", 1]
    assert blocking_store.metrics("jobs").archived_messages == 1


def test_a_worker_that_blocks_may_be_stopped_at_any_time(
    blocking_store: pgqrs.sync.Store,
) -> None:
    with pgqrs.sync.Worker(blocking_store, "jobs", lambda _: worker.stop()) as worker:
        worker.run()
    worker.stop()
    assert (worker.handled, worker.failed) == (1, 0)


async def take_it_away(store: pgqrs.Store, message: pgqrs.QueueMessage) -> None:
    """Waits until the lease has ended, and takes the message."""
    other = await store.consumer("jobs")
    while not await other.dequeue_wait(1):
        pass
    assert message.read_ct == 1


async def test_a_lease_that_ended_is_told(
    store: pgqrs.Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(message: pgqrs.QueueMessage) -> None:
        await take_it_away(store, message)

    message_id = await pgqrs.produce(store, "jobs", 1)
    with caplog.at_level(logging.WARNING, "pgqrs"):
        await pgqrs.consume(store, "jobs", handle)
    assert f"messages [{message_id}] were handled, but no longer held" in caplog.text
    assert (await store.metrics("jobs")).archived_messages == 0


async def test_a_worker_does_not_count_what_it_lost(store: pgqrs.Store) -> None:
    async def handle(message: pgqrs.QueueMessage) -> None:
        assert worker._consumer is not None
        await worker._consumer.release(message.id, 3600 * 1_000_000)
        worker.stop()

    await pgqrs.produce(store, "jobs", 1)
    worker = pgqrs.Worker(store, "jobs", handle)
    await worker.run()
    assert (worker.handled, worker.failed) == (0, 0)


async def test_a_poll_goes_on_from_where_an_outage_left_it(store: pgqrs.Store) -> None:
    consumer = await store.consumer("jobs")
    await consumer._core.set_status(WorkerStatus.Polling)
    await pgqrs.produce(store, "jobs", 1)

    async def handle(_: object) -> None:
        await consumer.interrupt()

    with pytest.raises(pgqrs.PgqrsError, match="interrupted"):
        await pgqrs.dequeue().worker(consumer).poll_interval(1).handle(handle).poll(store)
    assert await consumer.status() is WorkerStatus.Suspended


async def test_a_poll_that_is_cancelled_leaves_its_consumer_ready(store: pgqrs.Store) -> None:
    consumer = await store.consumer("jobs")
    for steps in range(12):  # Wherever it is then.
        builder = pgqrs.dequeue().worker(consumer).handle(handle_async)
        polling = asyncio.ensure_future(builder.poll(store))
        for _ in range(steps):
            await asyncio.sleep(0.002)
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling
        assert await consumer.status() is WorkerStatus.Ready


class Failing:
    """A worker whose every request fails, as while the database is away."""

    worker_id = 1

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: object) -> None:
            raise pgqrs.PgqrsConnectionError(name)

        return fail


@pytest.mark.parametrize("first", [KeyError("first"), asyncio.CancelledError("first")])
async def test_the_first_error_comes_out(first: BaseException) -> None:
    from pgqrs._poll import closing, give_back

    worker: Any = Failing()

    async def fail() -> None:
        async with closing(worker):
            try:
                raise first
            finally:
                await give_back(worker, [1])

    with pytest.raises(type(first), match="first"):
        await fail()


async def test_objects_of_both_interfaces_do_not_mix(
    store: pgqrs.Store, blocking_store: pgqrs.sync.Store
) -> None:
    blocking: Any = blocking_store
    producer, consumer = blocking.producer("jobs"), blocking.consumer("jobs")
    [message] = consumer.dequeue()
    calls: list[Callable[[], Any]] = [
        lambda: pgqrs.produce(blocking, "jobs", 1),
        lambda: pgqrs.consume(blocking, "jobs", handle_async),
        lambda: pgqrs.enqueue(producer, 1),
        lambda: pgqrs.enqueue_batch(producer, [1]),
        lambda: pgqrs.enqueue_delayed(producer, 1, 1),
        lambda: pgqrs.dequeue(consumer),
        lambda: pgqrs.archive(consumer, message),
        lambda: pgqrs.archive_batch(consumer, [message]),
        lambda: pgqrs.delete(consumer, message),
        lambda: pgqrs.extend_vt(consumer, message, 5),
        lambda: pgqrs.dequeue().worker(consumer),
        lambda: pgqrs.dequeue().from_queue("jobs").handle(handle_async).poll(blocking),
        lambda: pgqrs.admin(blocking).verify(),
        lambda: pgqrs.Worker(blocking, "jobs", handle_async),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r": a pgqrs.\w+ is wanted, not a pgqrs.sync.\w+$"):
            await call()
    mixed: Any = store
    for refused in (pgqrs.sync.produce, pgqrs.sync.Worker):
        with pytest.raises(TypeError, match=r"a pgqrs.sync.Store is wanted, not a pgqrs.Store$"):
            refused(mixed, "jobs", handle_plainly)


def test_a_builder_can_be_made_of_its_class(blocking_store: pgqrs.sync.Store) -> None:
    def handle(_: object) -> None:
        consumer.interrupt()

    consumer = blocking_store.consumer("jobs")
    with pytest.raises(pgqrs.PgqrsError, match="interrupted"):
        pgqrs.sync.DequeueBuilder().worker(consumer).handle(handle).poll(blocking_store)
    assert blocking_store.metrics("jobs").archived_messages == 1
    with pytest.raises(TypeError, match="made by functions and methods"):
        pgqrs.sync.Store()  # type: ignore[call-arg]
