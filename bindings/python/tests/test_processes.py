"""Interpreters that end, processes that fork, and another event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

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
        timeout=60,
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
