"""Interpreters that end, processes that fork, and another event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

import pgqrs
import pgqrs.sync

if TYPE_CHECKING:
    from pathlib import Path


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_uvloop_is_an_event_loop_too(config: pgqrs.Config) -> None:
    async def main() -> None:
        store = await pgqrs.connect_with(config)
        await store.queue("jobs")
        producer = await store.producer("jobs")
        ids = await asyncio.gather(*[producer.enqueue(n) for n in range(300)])
        assert len(set(ids)) == 300

    uvloop.run(main())


def test_an_interpreter_may_end_with_requests_in_flight(tmp_path: Path) -> None:
    ended = run_script(
        """
        import asyncio, sys
        import pgqrs

        async def main():
            config = pgqrs.Config("sqlite:" + sys.argv[1])
            config.max_enqueue_per_second = config.max_enqueue_burst = None
            store = await pgqrs.connect_with(config)
            await store.queue("jobs")
            producer = await store.producer("jobs")
            consumer = await store.consumer("jobs")
            requests = [producer._queue.enqueue(n) for n in range(1000)]
            requests.append(consumer._core.dequeue_wait(1, 60_000_000))
            globals().update(locals())
            sys.exit(7)

        asyncio.run(main())
        """,
        f"{tmp_path}/queue.db",
    )
    assert ended.returncode == 7, ended.stderr
    store = pgqrs.sync.connect(f"sqlite:{tmp_path}/queue.db")
    assert 1000 - store.get_messages().count() in (0, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_is_told_that_the_store_is_its_parents(config: pgqrs.Config) -> None:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    producer = store.producer("jobs")
    child = os.fork()
    if child == 0:
        try:
            producer.enqueue(1)
        except pgqrs.PgqrsError as error:
            os._exit(0 if "belongs to the parent process" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert producer.enqueue(2) > 0


def _enqueue_in_child(dsn: str, schema: str) -> None:
    store = pgqrs.sync.connect_with(pgqrs.Config(dsn, schema=schema))
    store.producer("jobs").enqueue("from the child")


def test_a_spawned_child_has_a_store_of_its_own(config: pgqrs.Config) -> None:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    if config.dsn.startswith("turso:"):
        del store  # A file of Turso is open in one process at a time.
    child = multiprocessing.get_context("spawn").Process(
        target=_enqueue_in_child, args=(config.dsn, config.schema)
    )
    child.start()
    child.join(60)
    assert child.exitcode == 0
    [message] = pgqrs.sync.connect_with(config).consumer("jobs").dequeue()
    assert message.payload == "from the child"


def _consume_in_forked_child(consumer: pgqrs.sync.Consumer, outcome: Any) -> None:
    try:
        consumer.dequeue()
    except pgqrs.PgqrsError as error:
        outcome.put(str(error))


def test_a_child_of_multiprocessing_by_fork_is_told_so_too(config: pgqrs.Config) -> None:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    consumer = store.consumer("jobs")
    context = multiprocessing.get_context("fork")
    outcome = context.Queue()
    child = context.Process(target=_consume_in_forked_child, args=(consumer, outcome))
    child.start()
    assert "belongs to the parent process" in outcome.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0
    assert consumer.dequeue() == []


SCRIPT = """
import asyncio, sys
import pgqrs, pgqrs.sync

def open_store(dsn):
    store = pgqrs.sync.connect(dsn)
    store.queue("jobs")
    return store

async def wait_async(dsn):
    store = await pgqrs.connect(dsn)
    await store.queue("jobs")
    consumer = await store.consumer("jobs")
    print("waiting", flush=True)
    await consumer.dequeue_wait(60)

def wait_blocking(dsn):
    consumer = open_store(dsn).consumer("jobs")
    print("waiting", flush=True)
    consumer.dequeue_wait(60)

async def iterate(dsn):
    store = await pgqrs.connect(dsn)
    await store.queue("jobs")
    async with store.consume_iter("jobs") as messages:
        print("waiting", flush=True)
        async for message in messages:
            pass

async def poll(dsn):
    store = await pgqrs.connect(dsn)
    await store.queue("jobs")
    await pgqrs.produce(store, "jobs", 1)
    async def handle(message): print("waiting", flush=True)
    await pgqrs.dequeue().from_queue("jobs").handle(handle).poll(store)

what = globals()[sys.argv[1]]
try:
    asyncio.run(what(sys.argv[2])) if asyncio.iscoroutinefunction(what) else what(sys.argv[2])
except KeyboardInterrupt:
    store = pgqrs.sync.connect(sys.argv[2])
    print(sorted(str(worker.status) for worker in store.get_workers().list()))
"""


@pytest.mark.parametrize("what", ["wait_async", "wait_blocking", "iterate", "poll"])
def test_ctrl_c_ends_whatever_waits(tmp_path: Path, what: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", SCRIPT, what, f"sqlite:{tmp_path}/queue.db"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            assert process.stdout.readline() == "waiting\n"
            process.send_signal(signal.SIGINT)
            workers, _ = process.communicate(timeout=60)
        finally:
            process.kill()  # Else it would be waited for, whatever became of it.
    assert process.returncode == 0
    # Workers of the calls are stopped: one of the iterator; those of the produce and of the poll.
    assert workers.count("Stopped") == {"iterate": 1, "poll": 2}.get(what, 0)
    assert "Polling" not in workers


def test_memory_stays_flat_over_100_000_calls(tmp_path: Path) -> None:
    ended = run_script(
        """
        import asyncio, gc, os, sys
        import pgqrs

        def resident():
            with open("/proc/self/statm") as statm:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        async def move(producer, consumer):
            # Four calls a message, each with its own future.
            async def one(n):
                await producer.enqueue({"n": n, "text": "x" * 100})
                for message in await consumer.dequeue(1):
                    message.payload, message.vt
                    await consumer.extend_vt(message.id, 30)
                    await consumer.delete(message.id)

            await asyncio.gather(*[one(n) for n in range(250)])

        async def main():
            store = await pgqrs.connect_with(pgqrs.Config.unlimited("sqlite:" + sys.argv[1]))
            await store.queue("jobs")
            producer = await store.producer("jobs")
            consumer = await store.consumer("jobs")

            async def settle():
                while messages := await consumer.dequeue(100):
                    await consumer.delete_many([message.id for message in messages])
                gc.collect()

            sizes, objects = [], []
            for _ in range(5):
                for _ in range(20):
                    await move(producer, consumer)
                await settle()
                sizes.append(resident())
                objects.append((len(gc.get_objects()), sys.getrefcount(pgqrs.QueueMessage)))
            print(sizes, objects)
            # The first round fills what is kept for use again.
            assert objects[-1][0] - objects[1][0] < 200, objects
            assert objects[-1][1] - objects[1][1] < 200, objects
            assert sizes[-1] - sizes[1] < 4_000_000, sizes

        asyncio.run(main())
        """,
        f"{tmp_path}/queue.db",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
