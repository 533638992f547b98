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
    from collections.abc import Awaitable, Callable
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


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    async def wait() -> None:
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 60)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise KeyError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StopIteration(), "RuntimeError: the handler raised StopIteration"),
        (ValueError("file \udc80\0"), "ValueError: file \\udc80"),
        (Unspeakable(), "Unspeakable: (its text is not to be had: KeyError)"),
        (asyncio.CancelledError("inner"), "CancelledError: inner"),
    ],
)
@pytest.mark.parametrize("is_async", [True, False])
async def test_whatever_a_handler_raises_is_a_failure(
    error: BaseException, reason: str, is_async: bool
) -> None:
    async with await pgqrs.connect("sqlite::memory:") as store:
        await store.queue("jobs")
        await pgqrs.produce(store, "jobs", 1)

        def fail(_: object) -> None:
            worker.stop()
            raise error

        async def fail_async(message: object) -> None:
            fail(message)

        handler = fail_async if is_async else fail
        worker = pgqrs.Worker(store, "jobs", handler, max_attempts=1)
        await asyncio.wait_for(worker.run(), 60)
        assert (worker.handled, worker.failed) == (0, 1)
        [letter] = await (await store.dead_letters("jobs")).list()
        if is_async and isinstance(error, StopIteration):
            reason = "RuntimeError: coroutine raised StopIteration"
        assert letter.reason == reason


async def test_a_message_whose_lease_ended_is_not_handled_twice_at_once(
    config: pgqrs.Config,
) -> None:
    store, producer = await open_queue(config)
    message_id = await producer.enqueue("slow")
    running = 0
    most = 0

    async def handle(message: pgqrs.QueueMessage) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        assert worker._consumer is not None
        # As after a lease that has ended; the worker has a free place and takes it again.
        assert await worker._consumer.release(message.id, 0)

        async def is_taken_again() -> bool:
            return (await metrics(store)).locked_messages == 1

        await until(is_taken_again)
        await asyncio.sleep(0)
        running -= 1
        worker.stop()

    worker = pgqrs.Worker(store, "jobs", handle, concurrency=2)
    await asyncio.wait_for(worker.run(), 60)
    assert most == 1
    assert worker.handled == 1
    message = await (await store.get_messages()).get(message_id)
    assert message is not None
    assert message.archived_at is not None


async def test_a_worker_runs_once(config: pgqrs.Config) -> None:
    store, _ = await open_queue(config)
    worker = pgqrs.Worker(store, "jobs", print)
    running = asyncio.ensure_future(worker.run())
    await asyncio.sleep(0)
    with pytest.raises(pgqrs.PgqrsError, match="runs already"):
        await worker.run()
    worker.stop()
    await asyncio.wait_for(running, 60)
    with pytest.raises(pgqrs.PgqrsError, match="has ended"):
        await worker.run()


async def test_a_second_signal_cancels_and_handlers_of_signals_are_put_back(
    config: pgqrs.Config,
) -> None:
    store, producer = await open_queue(config)
    await producer.enqueue("endless")
    began = asyncio.Event()

    async def handle(_: object) -> None:
        began.set()
        await asyncio.Event().wait()

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    worker = pgqrs.Worker(store, "jobs", handle)
    running = asyncio.ensure_future(worker.run(handle_signals=True))
    await asyncio.wait_for(began.wait(), 60)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(worker._stopping.is_set)
    assert not running.done()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(running, 60)
    assert (worker.handled, worker.failed) == (0, 0)
    assert (await metrics(store)).pending_messages == 1
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_signals_are_for_the_main_thread(config: pgqrs.Config) -> None:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    workers = store.get_workers().count()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            pgqrs.sync.Worker(store, "jobs", print).run(handle_signals=True)
        except (RuntimeError, ValueError) as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in str(raised)
    assert store.get_workers().count() == workers


async def test_a_worker_that_is_cancelled_gives_back_everything(config: pgqrs.Config) -> None:
    store, producer = await open_queue(config)
    await producer.enqueue_batch([1, 2])
    ended: list[Any] = []

    async def handle(message: pgqrs.QueueMessage) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(message.payload)

    worker = pgqrs.Worker(store, "jobs", handle, concurrency=3)
    running = asyncio.ensure_future(worker.run())
    await until(lambda: len(worker._running) == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(ended) == [1, 2]
    assert (await metrics(store)).pending_messages == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


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
        [*command, "--queue", "jobs"],
        cwd=tmp_path,
        env={**os.environ, "PGQRS_DSN": dsn},
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dsn", "sqlite::memory:", "--max-attempts", "0"], "--max-attempts: must be a whole"),
        (["--dsn", "sqlite::memory:", "--concurrency", "x"], "--concurrency: must be a whole"),
        ([], "--dsn and the variable PGQRS_DSN"),
    ],
)
def test_the_command_names_the_option_that_it_refuses(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from pgqrs.__main__ import main

    with pytest.raises(SystemExit):
        main(["worker", "builtins:print", "--queue", "jobs", *arguments])
    assert words in capsys.readouterr().err


async def test_retry_after_is_no_try(config: pgqrs.Config) -> None:
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        await pgqrs.produce(store, "jobs", 1)
        reads: list[int] = []

        async def handle(message: pgqrs.QueueMessage) -> None:
            reads.append(message.read_ct)
            if len(reads) < 9:  # More often than max_read_ct.
                raise pgqrs.RetryAfter(0.001)
            worker.stop()

        worker = pgqrs.Worker(store, "jobs", handle)
        await asyncio.wait_for(worker.run(), 60)
        assert reads == [1] * 9
        assert worker.failed == 0
