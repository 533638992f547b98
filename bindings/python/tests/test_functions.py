"""The functions of the package, and the tables."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pgqrs._core import WorkerStatus

import pgqrs


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def open_queue(config: pgqrs.Config) -> pgqrs.Store:
    store = await pgqrs.connect_with(config)
    await store.queue("jobs")
    return store


def test_what_is_produced_is_consumed(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        message_id = await pgqrs.produce(store, "jobs", {"n": 1})
        ids = await pgqrs.produce_batch(store, "jobs", [2, 3])
        assert [message_id, *ids] == sorted({message_id, *ids})
        seen: list[Any] = []

        async def handle(message: pgqrs.QueueMessage) -> None:
            seen.append(message.payload)

        async def handle_batch(messages: list[pgqrs.QueueMessage]) -> None:
            seen.extend(message.payload for message in messages)

        await pgqrs.consume(store, "jobs", handle)
        await pgqrs.consume_batch(store, "jobs", 10, handle_batch)
        await pgqrs.consume(store, "jobs", handle)
        assert seen == [{"n": 1}, 2, 3]
        [queue] = await (await store.get_queues()).list()
        archived = await (await store.get_messages()).list_archived_by_queue(queue.id)
        assert [message.payload for message in archived] == seen
        assert all(message.archived_at for message in archived)
        ephemeral = [
            worker
            for worker in await (await store.get_workers()).list()
            if worker.name.startswith("__ephemeral__")
        ]
        assert len(ephemeral) == 5
        assert {worker.status for worker in ephemeral} == {WorkerStatus.Stopped}

    run(main())


def test_what_a_handler_raises_comes_out_and_the_message_is_given_back(
    config: pgqrs.Config,
) -> None:
    async def main() -> None:
        store = await open_queue(config)
        await pgqrs.produce(store, "jobs", "payload")

        async def fail(message: pgqrs.QueueMessage) -> None:
            raise KeyError(message.payload)

        with pytest.raises(KeyError, match="payload"):
            await pgqrs.consume(store, "jobs", fail)
        consumer = await store.consumer("jobs")
        [message] = await consumer.dequeue()
        assert message.read_ct == 2

    run(main())


def test_times_are_iso_8601_with_an_offset(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        await pgqrs.enqueue(producer, 1)
        [message] = await consumer.dequeue_many_with_delay(5, 60)
        now = datetime.now(UTC)
        assert abs(now - datetime.fromisoformat(message.enqueued_at)) < timedelta(minutes=5)
        assert abs(now - datetime.fromisoformat(message.dequeued_at or "")) < timedelta(minutes=5)
        lease = datetime.fromisoformat(message.vt or "") - datetime.fromisoformat(
            message.dequeued_at or ""
        )
        assert lease == timedelta(seconds=60)
        assert message.archived_at is None

    run(main())


def test_a_consumer_acts_on_what_it_holds_only(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        one = await store.consumer("jobs")
        two = await store.consumer("jobs")
        waiting, held = await producer.enqueue_batch(["waiting", "held"])
        [message] = await one.dequeue(1)
        assert message.id == waiting
        assert not await two.archive(message.id)
        assert not await one.archive(held)
        assert not await one.extend_vt(held, 5)
        assert await one.delete_many([held, message.id]) == [False, True]
        assert await one.release_messages([held]) == 0

    run(main())


def test_a_message_is_released_until_a_time(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        message_id = await producer.enqueue(1)
        [message] = await consumer.dequeue()
        taken = datetime.fromisoformat(message.dequeued_at or "")
        later = (taken + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-5)))
        assert await consumer.release_with_visibility(message_id, later.isoformat())
        [stored] = await store._core.messages(0, 10)
        assert datetime.fromisoformat(stored.vt or "") == later
        assert not await consumer.release_with_visibility(message_id, later.isoformat())
        for bad in ("soon", "", "2026-13-01T00:00:00+00:00"):
            with pytest.raises(pgqrs.ValidationError, match="visible_at"):
                await consumer.release_with_visibility(message_id, bad)

    run(main())


def test_a_delayed_message_comes_later(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        await pgqrs.enqueue_delayed(producer, "later", 3600)
        assert await consumer.dequeue() == []
        metrics = await (await store.get_queues()).metrics("jobs")
        assert (metrics.pending_messages, metrics.delayed_messages) == (1, 1)
        assert await (await store.get_messages()).count() == 1
        assert await (await store.get_queues()).purge("jobs") == 1

    run(main())


def test_administration(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        admin = pgqrs.admin(store)
        await admin.install()
        await admin.verify()
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        await producer.enqueue(1)
        with pytest.raises(pgqrs.ValidationError):
            await admin.delete_queue("jobs")
        with pytest.raises(pgqrs.QueueNotFoundError):
            await admin.delete_queue("other")
        await consumer.dequeue()
        assert await admin.release_worker_messages(consumer.worker_id) == 1
        with pytest.raises(pgqrs.WorkerNotFoundError):
            await (await store.get_workers()).get(10**9)

    run(main())


def test_an_iterator_gives_messages_as_they_come(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        seen: list[Any] = []

        async def produce() -> None:
            for n in range(5):
                await producer.enqueue(n)
                await asyncio.sleep(0.01)

        producing = asyncio.ensure_future(produce())
        async with store.consume_iter("jobs") as messages:
            async for message in messages:
                seen.append(message.payload)
                assert await messages.archive(message.id)
                if len(seen) == 5:
                    break
        await producing
        assert seen == list(range(5))
        workers = await (await store.get_workers()).list()
        [ephemeral] = [worker for worker in workers if worker.name.startswith("__ephemeral__")]
        assert ephemeral.status is WorkerStatus.Stopped

    run(main())


def test_a_poll_handles_until_it_is_interrupted(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        with pytest.raises(pgqrs.StateTransitionError):
            await consumer.interrupt()
        seen: list[Any] = []

        async def handle(message: pgqrs.QueueMessage) -> None:
            seen.append(message.payload)
            if message.payload == "bad":
                raise ValueError("bad")

        poll = pgqrs.dequeue().worker(consumer).poll_interval(20).handle(handle).poll(store)
        polling = asyncio.ensure_future(poll)
        await producer.enqueue_batch(["good", "bad", "good"])
        while len(seen) < 2 + config.max_read_ct:
            await asyncio.sleep(0.01)
        assert await consumer.status() is WorkerStatus.Polling
        await consumer.interrupt()
        with pytest.raises(pgqrs.PgqrsError, match="interrupted"):
            await polling
        assert await consumer.status() is WorkerStatus.Suspended
        metrics = await (await store.get_queues()).metrics("jobs")
        assert metrics.archived_messages == 2

    run(main())


@pytest.mark.parametrize("size", [None, 2])
def test_a_handler_of_batches_gets_as_many_as_are_there(
    config: pgqrs.Config, size: int | None
) -> None:
    async def main() -> None:
        config.default_max_batch_size = 4
        store = await pgqrs.connect_with(config)
        await store.queue("jobs")
        await pgqrs.produce_batch(store, "jobs", list(range(6)))
        consumer = await store.consumer("jobs")
        sizes: list[int] = []

        async def handle(messages: list[pgqrs.QueueMessage]) -> None:
            sizes.append(len(messages))
            if sum(sizes) == 6:
                await consumer.interrupt()

        builder = pgqrs.dequeue().worker(consumer).handle_batch(handle)
        with pytest.raises(pgqrs.PgqrsError, match="interrupted"):
            await (builder if size is None else builder.batch(size)).poll(store)
        assert sizes == ([4, 2] if size is None else [2, 2, 2])

    asyncio.run(main())
