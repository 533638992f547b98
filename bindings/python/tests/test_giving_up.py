"""Who waits may give up, whenever it is: no message stays with a wait that nobody hears of."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import weakref
from typing import TYPE_CHECKING

import pytest

import pgqrs
import pgqrs.sync

if TYPE_CHECKING:
    from pathlib import Path


async def locked(store: pgqrs.Store) -> int:
    return (await store.metrics("jobs")).locked_messages


async def comes_to_rest(store: pgqrs.Store, held: int) -> bool:
    """Whether so many messages stay locked in the end. What is given back is so in a while."""
    for _ in range(500):
        if await locked(store) == held:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_wait_that_times_out_at_the_last_moment_keeps_nothing(config: pgqrs.Config) -> None:
    config.default_lock_time_seconds = 600
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        await producer.enqueue_batch(list(range(2000)))
        got: list[int] = []

        async def take() -> None:
            try:
                async with asyncio.timeout(random.uniform(0, 0.002)):
                    got.extend(m.id for m in await consumer.dequeue(1))
            except TimeoutError:
                pass

        for _ in range(20):
            await asyncio.gather(*[take() for _ in range(20)])
        assert await comes_to_rest(store, len(got))
        assert len(set(got)) == len(got)


def test_loops_that_end_with_a_cancelled_wait_leave_nothing(config: pgqrs.Config) -> None:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")

    async def wait() -> None:
        consumer = await store._async.consumer("jobs")  # type: ignore[attr-defined]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(consumer.dequeue_wait(60), 0.001)

    for _ in range(3):
        asyncio.run(wait())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        asyncio.run(wait())
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) < before + 15
    store.producer("jobs").enqueue("x")
    consumer = store.consumer("jobs")
    assert [message.payload for message in consumer.dequeue_wait(60)] == ["x"]


def test_a_loop_that_is_closed_with_requests_in_flight_keeps_nothing(config: pgqrs.Config) -> None:
    config.default_lock_time_seconds = 600
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    store.producer("jobs").enqueue_batch(list(range(100)))
    for _ in range(10):
        loop = asyncio.new_event_loop()
        consumer = loop.run_until_complete(store._async.consumer("jobs"))  # type: ignore[attr-defined]
        tasks = [loop.create_task(consumer.dequeue(1)) for _ in range(10)]
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task, tasks, consumer, loop
        gc.collect()
    for _ in range(500):
        if store.metrics("jobs").locked_messages == 0:
            return
        asyncio.run(asyncio.sleep(0.01))
    assert store.metrics("jobs").locked_messages == 0


def test_a_blocking_wait_that_a_signal_ends_keeps_nothing(config: pgqrs.Config) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    consumer = store.consumer("jobs")
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interrupted):
            consumer.dequeue_wait(60)
    finally:
        signal.signal(signal.SIGALRM, before)
    store.producer("jobs").enqueue("x")
    assert [m.payload for m in store.consumer("jobs").dequeue_wait(60)] == ["x"]


class Interrupted(Exception):
    pass


class Interruptible(asyncio.Future[None]):
    """A future in whose midst a signal comes, the handler of which raises."""

    left = 3

    def set_result(self, result: None) -> None:
        Interruptible.left -= 1
        if Interruptible.left == 0:
            raise Interrupted
        super().set_result(result)


class InterruptibleLoop(asyncio.SelectorEventLoop):
    def create_future(self) -> asyncio.Future[None]:  # type: ignore[override]
        return Interruptible(loop=self)


def test_a_signal_that_raises_leaves_no_future_waiting() -> None:
    raised: list[object] = []

    async def main() -> None:
        store = await pgqrs.connect_with(pgqrs.Config.unlimited("sqlite::memory:"))
        await store.queue("jobs")
        producer = await store.producer("jobs")
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: raised.append(context["exception"])
        )
        Interruptible.left = 3
        tasks = [asyncio.ensure_future(producer.enqueue(n)) for n in range(50)]
        _, waiting = await asyncio.wait(tasks, timeout=60)
        assert not waiting

    with asyncio.Runner(loop_factory=InterruptibleLoop) as runner:
        runner.run(main())
    assert [type(error) for error in raised] == [Interrupted]


def test_without_a_loop_nothing_is_begun(config: pgqrs.Config) -> None:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    producer = store.producer("jobs")._async  # type: ignore[attr-defined]
    coroutine = producer.enqueue("x")
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)
    assert store.get_messages().count() == 0


async def test_a_request_is_awaited_once() -> None:
    store = await pgqrs.connect("sqlite::memory:")
    request = store._core.queues()
    assert await request == []
    with pytest.raises(RuntimeError, match="awaited once"):
        await request


async def test_a_message_in_its_own_payload_is_collected() -> None:
    store = await pgqrs.connect("sqlite::memory:")
    await store.queue("jobs")
    await pgqrs.produce(store, "jobs", {})
    consumer = await store.consumer("jobs")

    class Marker:
        pass

    [message] = await consumer.dequeue()
    message.payload["itself"] = message
    marker = message.payload["marker"] = Marker()
    gone = weakref.ref(marker)
    del message, marker
    gc.collect()
    assert gone() is None


def test_a_daemon_thread_may_wait_while_the_interpreter_ends(tmp_path: Path) -> None:
    script = """
        import sys, threading, time
        import pgqrs.sync

        store = pgqrs.sync.connect("sqlite:" + sys.argv[1])
        store.queue("jobs")
        consumers = [store.consumer("jobs") for _ in range(4)]
        for consumer in consumers:
            threading.Thread(target=consumer.dequeue_wait, args=(0.3,), daemon=True).start()
        time.sleep(0.28)
        """
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), f"{tmp_path}/queue.db"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        (tmp_path / "queue.db").unlink()
