"""Requests and event loops."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

import pgqrs


async def open_queue(config: pgqrs.Config) -> pgqrs.Store:
    store = await pgqrs.connect_with(config)
    await store.queue("jobs")
    return store


def test_a_message_goes_through(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        payload = {"to": "ada", "n": [1, 2.5, None]}
        message_id = await producer.enqueue(payload)
        [message] = await consumer.dequeue(10)
        assert message.id == message_id
        assert message.payload == payload
        assert message.read_ct == 1
        assert message.consumer_worker_id == consumer.worker_id
        assert await consumer.archive(message.id)
        assert not await consumer.archive(message.id)
        assert await consumer.archive_many([message.id, 12345]) == [False, False]

    asyncio.run(main())


def test_a_queue_is_made_once(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        with pytest.raises(pgqrs.QueueAlreadyExistsError):
            await store.queue("jobs")
        with pytest.raises(pgqrs.QueueNotFoundError):
            await store.producer("other")

    asyncio.run(main())


def test_many_requests_at_once(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        ids = await asyncio.gather(*[producer.enqueue(n) for n in range(500)])
        assert len(set(ids)) == 500

        async def take() -> int:
            [message] = await consumer.dequeue(1)
            assert await consumer.archive(message.id)
            taken: int = message.payload
            return taken

        taken = await asyncio.gather(*[take() for _ in range(500)])
        assert sorted(taken) == list(range(500))

    asyncio.run(main())


def test_a_store_outlives_event_loops(config: pgqrs.Config) -> None:
    store = asyncio.run(open_queue(config))

    async def enqueue(n: int) -> int:
        producer = await store.producer("jobs")
        return await producer.enqueue(n)

    ids = [asyncio.run(enqueue(n)) for n in range(20)]
    assert ids == sorted(set(ids))


def test_event_loops_in_several_threads(config: pgqrs.Config) -> None:
    store = asyncio.run(open_queue(config))
    ids: list[int] = []

    def work(n: int) -> None:
        async def main() -> list[int]:
            producer = await store.producer("jobs")
            return await asyncio.gather(*[producer.enqueue([n, i]) for i in range(100)])

        ids.extend(asyncio.run(main()))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 400


def test_a_message_that_nobody_waits_for_any_more_is_given_back(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await open_queue(config)
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        waiting = asyncio.ensure_future(_wait(consumer))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await producer.enqueue("payload")
        for _ in range(200):
            if messages := await consumer.dequeue(1):
                break
            await asyncio.sleep(0.01)
        assert [(message.payload, message.read_ct) for message in messages] == [("payload", 1)]

    async def _wait(consumer: pgqrs.Consumer) -> list[pgqrs.QueueMessage]:
        return await consumer._core.dequeue_wait(1, 60_000_000, 60_000_000)

    asyncio.run(main())


def test_without_a_loop_it_blocks(config: pgqrs.Config) -> None:
    from pgqrs._drive import run_blocking

    store = asyncio.run(open_queue(config))
    producer = run_blocking(store.producer("jobs"))
    consumer = run_blocking(store.consumer("jobs"))
    message_id = run_blocking(producer.enqueue("payload"))
    assert [message.id for message in run_blocking(consumer.dequeue(5))] == [message_id]


def test_the_import_is_not_that_of_asyncio() -> None:
    check = "import sys, pgqrs; print('asyncio' in sys.modules, pgqrs.Worker.__name__)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "False Worker\n"
