"""What stands beside the compatible names: closing, dead letters, metrics, retention, times."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import pgqrs


async def open_queue(config: pgqrs.Config) -> tuple[pgqrs.Store, pgqrs.Producer]:
    store = await pgqrs.connect_with(config)
    await store.queue("jobs")
    return store, await store.producer("jobs")


def from_now(**duration: float) -> str:
    return (datetime.now(UTC) + timedelta(**duration)).isoformat()


async def test_a_store_closes_at_the_end_of_its_context(config: pgqrs.Config) -> None:
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        await producer.enqueue("x")
    queues = await store.get_queues()
    with pytest.raises(pgqrs.PgqrsError, match="closed"):
        await queues.list()
    with pytest.raises(pgqrs.PgqrsError, match="closed"):
        await producer.enqueue("y")
    with pytest.raises(pgqrs.PgqrsError, match="closed"):
        await consumer.dequeue()
    await store.close()
    async with await pgqrs.connect_with(config) as again:
        assert await (await again.get_messages()).count() == 1


async def test_a_consumer_gives_back_at_the_end_of_its_context(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    await producer.enqueue("x")
    async with await store.consumer("jobs") as consumer:
        assert len(await consumer.dequeue()) == 1
        worker_id = consumer.worker_id
    assert (await store.metrics("jobs")).pending_messages == 1
    worker = await (await store.get_workers()).get(worker_id)
    assert worker.status is pgqrs.WorkerStatus.Stopped
    with pytest.raises(pgqrs.PgqrsError, match="closed"):
        await consumer.dequeue()


async def test_dead_letters_are_listed_replayed_and_purged(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    ids = await producer.enqueue_batch(["a", "b", "c"])
    consumer = await store.consumer("jobs")
    await consumer.dequeue(3)
    assert await consumer.dead_letter(ids[0], "too old")
    assert await consumer.dead_letter(ids[1], "too young")
    assert not await consumer.dead_letter(ids[1], "again")
    dead = await store.dead_letters("jobs")
    assert [(m.id, m.payload, m.reason) for m in await dead.list()] == [
        (ids[0], "a", "too old"),
        (ids[1], "b", "too young"),
    ]
    assert [m.id for m in await dead.list(after_id=ids[0])] == [ids[1]]
    assert await dead.count() == 2
    assert await dead.replay(ids[0])
    assert not await dead.replay(ids[0])
    [message] = await consumer.dequeue()
    assert (message.id, message.read_ct) == (ids[0], 1)
    assert await dead.replay_all() == 1
    [message] = await consumer.dequeue()
    assert await consumer.dead_letter(message.id, "for good")
    assert await dead.purge() == 1
    assert await dead.count() == 0


async def test_metrics_count_by_state(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    ids = await producer.enqueue_batch([1, 2, 3])
    await producer.enqueue(4, delay=timedelta(hours=1))
    consumer = await store.consumer("jobs")
    await consumer.dequeue(2)
    await consumer.archive(ids[0])
    metrics = await store.metrics("jobs")
    assert metrics.name == "jobs"
    assert metrics.total_messages == 4
    assert metrics.pending_messages == 2
    assert metrics.delayed_messages == 1
    assert metrics.locked_messages == 1
    assert metrics.archived_messages == 1
    assert metrics.oldest_pending_message is not None
    assert metrics.newest_message is not None
    datetime.fromisoformat(metrics.newest_message)
    with pytest.raises(pgqrs.QueueNotFoundError, match="unknown"):
        await store.metrics("unknown")


async def test_messages_are_found_and_listed_in_any_state(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    ids = await producer.enqueue_batch([1, 2, 3])
    consumer = await store.consumer("jobs")
    await consumer.dequeue(1)
    await consumer.archive(ids[0])
    messages = await store.get_messages()
    found = await messages.get(ids[0])
    assert found is not None
    assert found.archived_at is not None
    assert found.consumer_worker_id == consumer.worker_id
    assert await messages.get(2**70) is None
    assert [m.payload for m in await messages.list()] == [1, 2, 3]
    assert [m.payload for m in await messages.list(after_id=ids[0], limit=1)] == [2]


async def test_retention_removes_what_is_archived(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    ids = await producer.enqueue_batch([1, 2, 3])
    consumer = await store.consumer("jobs")
    await consumer.dequeue(2)
    await consumer.archive_many(ids[:2])
    queues = await store.get_queues()
    assert await queues.apply_retention("jobs", max_age=timedelta(hours=1)) == 0
    assert await queues.apply_retention("jobs", max_count=1) == 1
    assert (await store.metrics("jobs")).total_messages == 2


async def test_a_dequeue_at_a_time_takes_what_is_visible_then(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    message_id = await producer.enqueue_delayed("later", 3600)
    consumer = await store.consumer("jobs")
    assert await consumer.dequeue_at(5, 30, from_now(minutes=50)) == []
    at = from_now(minutes=70)
    [message] = await consumer.dequeue_at(5, 30, at)
    assert message.id == message_id
    assert message.dequeued_at is not None
    assert message.vt is not None
    assert datetime.fromisoformat(message.dequeued_at) == datetime.fromisoformat(at)
    lease = datetime.fromisoformat(message.vt) - datetime.fromisoformat(at)
    assert lease == timedelta(seconds=30)
    assert await consumer.dequeue() == []
    assert await consumer.archive(message_id)


async def test_a_builder_polls_at_a_time(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    await producer.enqueue("later", delay=3600)
    consumer = await store.consumer("jobs")
    seen = []

    async def handle(message: pgqrs.QueueMessage) -> None:
        seen.append(message.payload)
        await consumer.interrupt()

    builder = pgqrs.dequeue().worker(consumer).at(from_now(minutes=70)).poll_interval(5)
    with pytest.raises(pgqrs.PgqrsError, match="interrupted"):
        await builder.handle(handle).poll(store)
    assert seen == ["later"]
    assert await consumer.status() is pgqrs.WorkerStatus.Suspended


async def test_the_health_of_workers_is_counted_by_queue(config: pgqrs.Config) -> None:
    store, _ = await open_queue(config)
    await store.queue("idle")
    consumer = await store.consumer("jobs")
    workers = await store.get_workers()
    by_name = {health.queue_name: health for health in await workers.health_stats()}
    assert by_name["jobs"].total_workers == by_name["jobs"].ready_workers == 1
    assert by_name["idle"].total_workers == 0
    await consumer.close()
    [_, jobs, *_] = await workers.health_stats(timeout_seconds=0)
    assert (jobs.queue_name, jobs.stopped_workers, jobs.stale_workers) == ("jobs", 1, 0)
    assert jobs.polling_workers == jobs.interrupted_workers == jobs.suspended_workers == 0


async def test_a_configuration_without_limits_takes_what_the_other_refuses(dsn: str) -> None:
    deep: object = "x"
    for _ in range(20):
        deep = [deep]
    payload = {"__proto__": 1, "deep": deep, "long": "y" * 5000}
    config = pgqrs.Config(dsn)
    unlimited = pgqrs.Config.unlimited(dsn)
    config.schema = unlimited.schema = "py_limits"
    async with await pgqrs.connect_with(config) as store:
        if "limits" not in [q.queue_name for q in await (await store.get_queues()).list()]:
            await store.queue("limits")
        with pytest.raises(pgqrs.ValidationError):
            await pgqrs.produce(store, "limits", payload)
    async with await pgqrs.connect_with(unlimited) as store:
        ids = [await pgqrs.produce(store, "limits", payload) for _ in range(60)]
        messages = await store.get_messages()
        found = await messages.get(ids[-1])
        assert found is not None
        assert found.payload == payload
        await (await store.get_queues()).purge("limits")


async def test_a_queue_that_is_deleted_as_soon_as_it_is_made_is_not_found(
    config: pgqrs.Config,
) -> None:
    async with await pgqrs.connect_with(config) as store:
        with pytest.raises(pgqrs.QueueNotFoundError, match="'jobs' was deleted"):
            await pgqrs.Store(Forgetful(store._core), config).queue("jobs")


class Forgetful:
    """The core of a store whose new queues go at once."""

    def __init__(self, core: Any) -> None:
        self._core = core

    async def create_queue(self, name: str) -> None:
        await self._core.create_queue(name)
        await self._core.delete_queue(name, False)

    async def queues(self) -> Any:
        return await self._core.queues()


async def test_dead_letters_keep_their_store_open(config: pgqrs.Config) -> None:
    async def dead_letters() -> pgqrs.DeadLetters:
        store = await pgqrs.connect_with(config)
        await store.queue("jobs")
        return await store.dead_letters("jobs")

    dead = await dead_letters()
    gc.collect()
    assert await dead.list() == []


async def test_a_queue_is_made_where_it_is_missing(config: pgqrs.Config) -> None:
    async with await pgqrs.connect_with(config) as store:
        made = await store.ensure_queue("jobs")
        again = await store.ensure_queue("jobs")
        assert (made.id, made.queue_name) == (again.id, again.queue_name)
        assert made.queue_name == "jobs"


def test_the_package_shows_all_its_names() -> None:
    assert {"Worker", "RetryAfter", "Discard", "__version__"} <= set(dir(pgqrs))
