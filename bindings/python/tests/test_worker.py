"""Workers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import pgqrs
import pgqrs.sync

if TYPE_CHECKING:
    from pathlib import Path


async def open_queue(config: pgqrs.Config) -> tuple[pgqrs.Store, pgqrs.Producer]:
    store = await pgqrs.connect_with(config)
    await store.queue("jobs")
    return store, await store.producer("jobs")


async def metrics(store: pgqrs.Store) -> pgqrs.QueueMetrics:
    return await (await store.get_queues()).metrics("jobs")


def test_a_worker_handles_several_at_a_time(config: pgqrs.Config) -> None:
    async def main() -> None:
        store, producer = await open_queue(config)
        await producer.enqueue_batch(list(range(20)))
        running = 0
        most = 0
        seen: list[int] = []

        async def handle(message: pgqrs.QueueMessage) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            seen.append(message.payload)
            if len(seen) == 20:
                worker.stop()

        worker = pgqrs.Worker(store, "jobs", handle, concurrency=4)
        await asyncio.wait_for(worker.run(), 60)
        assert sorted(seen) == list(range(20))
        assert 1 < most <= 4
        assert worker.handled == 20
        assert (await metrics(store)).archived_messages == 20

    asyncio.run(main())


def test_what_fails_comes_again_and_ends_as_a_dead_letter(config: pgqrs.Config) -> None:
    async def main() -> None:
        store, producer = await open_queue(config)
        await producer.enqueue_batch(["flaky", "bad", "later", "useless"])
        tries: dict[str, int] = {}

        async def handle(message: pgqrs.QueueMessage) -> None:
            name = message.payload
            tries[name] = tries.get(name, 0) + 1
            if name == "bad" or (name == "flaky" and tries[name] < 3):
                raise ValueError(name)
            if name == "later" and tries[name] == 1:
                raise pgqrs.RetryAfter(0.01)
            if name == "useless":
                raise pgqrs.Discard("of no use")

        worker = pgqrs.Worker(store, "jobs", handle, base_delay=0.01, max_attempts=4)
        running = asyncio.ensure_future(worker.run())
        while (await metrics(store)).archived_messages + (await metrics(store)).dead_messages < 4:
            await asyncio.sleep(0.02)
        worker.stop()
        await asyncio.wait_for(running, 60)
        assert tries == {"flaky": 3, "bad": 4, "later": 2, "useless": 1}
        assert (await metrics(store)).dead_messages == 2

    asyncio.run(main())


def test_a_lease_is_extended_while_the_handler_runs(config: pgqrs.Config) -> None:
    async def main() -> None:
        store, producer = await open_queue(config)
        await producer.enqueue("long")
        other = await store.consumer("jobs")
        taken_by_others = 0

        async def handle(message: pgqrs.QueueMessage) -> None:
            nonlocal taken_by_others
            for _ in range(12):
                await asyncio.sleep(0.1)
                taken_by_others += len(await other.dequeue())
            worker.stop()

        worker = pgqrs.Worker(store, "jobs", handle, lease=0.6)
        await asyncio.wait_for(worker.run(), 60)
        assert taken_by_others == 0
        assert (await metrics(store)).archived_messages == 1

    asyncio.run(main())


def test_stopping_waits_for_the_handler_and_takes_no_more(config: pgqrs.Config) -> None:
    async def main() -> None:
        store, producer = await open_queue(config)
        await producer.enqueue_batch([1, 2, 3])
        began = asyncio.Event()

        async def handle(message: pgqrs.QueueMessage) -> None:
            began.set()
            await asyncio.sleep(0.1)

        async with pgqrs.Worker(store, "jobs", handle) as worker:
            running = asyncio.ensure_future(worker.run())
            await began.wait()
        await asyncio.wait_for(running, 60)
        assert worker.handled == 1
        assert (await metrics(store)).pending_messages == 2

    asyncio.run(main())


def test_a_plain_function_runs_in_threads(config: pgqrs.Config) -> None:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    store.producer("jobs").enqueue_batch(list(range(6)))
    names: set[str] = set()
    both = threading.Barrier(2, timeout=30)

    def handle(message: pgqrs.QueueMessage) -> None:
        names.add(threading.current_thread().name)
        both.wait()
        if worker.handled >= 4:
            worker.stop()

    worker = pgqrs.sync.Worker(store, "jobs", handle, concurrency=2)
    worker.run()
    assert len(names) == 2
    assert worker.handled == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"lease": 0}, "lease"),
        ({"max_attempts": 0}, "max_att"),
    ],
)
def test_options_outside_their_limits_are_named(
    config: pgqrs.Config, options: dict[str, Any], words: str
) -> None:
    async def main() -> None:
        store, _ = await open_queue(config)
        with pytest.raises(pgqrs.ValidationError, match=words):
            pgqrs.Worker(store, "jobs", print, **options)

    asyncio.run(main())


def test_priorities_and_delays(config: pgqrs.Config) -> None:
    async def main() -> None:
        store, producer = await open_queue(config)
        await producer.enqueue("normal")
        await producer.enqueue("first", priority=0)
        await producer.enqueue("later", delay=timedelta(hours=1))
        await producer.enqueue_batch(["later too"], delay=3600)
        with pytest.raises(pgqrs.ValidationError, match="priority"):
            await producer.enqueue("x", priority=10)
        consumer = await store.consumer("jobs")
        assert [message.payload for message in await consumer.dequeue(9)] == ["first", "normal"]
        assert (await metrics(store)).delayed_messages == 2

    asyncio.run(main())


def test_the_command_runs_a_function_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "handlers.py").write_text(
        "def handle(message):\n    open(message.payload, 'w').close()\n"
    )
    dsn = f"sqlite:{tmp_path}/queue.db"
    store = pgqrs.sync.connect(dsn)
    store.queue("jobs")
    command = [sys.executable, "-m", "pgqrs", "worker", "handlers:handle", "--verbose"]
    process = subprocess.Popen(
        [*command, "--dsn", dsn, "--queue", "jobs"],
        cwd=tmp_path,
        env={**os.environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    store.producer("jobs").enqueue(f"{tmp_path}/done")
    deadline = time.monotonic() + 60
    while not (tmp_path / "done").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "stopped; 1 handled, 0 failures" in log
    refused = subprocess.run(
        [*command, "--dsn", dsn, "--queue", "other"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert "other" in refused.stderr
