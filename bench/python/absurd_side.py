"""Workflows by absurd.

It has its worker only, whose tasks share one connection. Claims are as large as its concurrency,
and its polling is as short as lets it sleep.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from absurd_sdk import AsyncAbsurd
from psycopg import sql

from sides import AT_ONCE, STEPS, Figures, die, expect, output_of, play_async, rate

if TYPE_CHECKING:
    import argparse

QUEUE = "bench"
POLLING_INTERVAL = 0.01
# Of the process that dies, in seconds.
LEASE = 2

bodies = 0
executed = 0
replays: list[float] = []


def define(app: AsyncAbsurd) -> None:
    """Registers the tasks."""

    @app.register_task("short")
    async def short(first: int, context: Any) -> int:
        global executed
        total = 0
        for number in range(STEPS):

            async def body(number: int = number) -> int:
                return first + number

            total += await context.step("step", body)
        executed += 1
        return total

    @app.register_task("long")
    async def long(count: int, context: Any) -> int:
        start = time.perf_counter()

        async def body() -> int:
            global bodies
            bodies += 1
            return 1

        done = 0
        for _ in range(count):
            done += await context.step("step", body)
        if bodies:
            die(count, start)
        expect(done, count, "steps")
        replays.append(time.perf_counter() - start)
        return done


async def launch(arguments: argparse.Namespace) -> AsyncAbsurd:
    """Opens a database of its own, since its schema has a fixed name."""
    name = f"absurd_{arguments.schema}"
    async with await psycopg.AsyncConnection.connect(arguments.dsn, autocommit=True) as server:
        found = await server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        is_new = await found.fetchone() is None
        if is_new:
            await server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        info = server.info
        dsn = psycopg.conninfo.make_conninfo(
            host=info.host, port=info.port, user=info.user, dbname=name
        )
    if is_new:
        program = Path(sys.executable).with_name("absurdctl")
        for command in (["init"], ["create-queue", QUEUE]):
            subprocess.run(
                [program, command[0], "--database", dsn, *command[1:]],
                check=True,
                stdout=subprocess.DEVNULL,
            )
    app = AsyncAbsurd(dsn, queue_name=QUEUE)
    define(app)
    return app


async def describe(arguments: argparse.Namespace) -> Figures:
    """What this side is."""
    return {"package": importlib.metadata.version("absurd-sdk")}


async def runs_by_worker(arguments: argparse.Namespace) -> Figures:
    """A worker executes what is triggered."""
    app = await launch(arguments)
    start = time.perf_counter()
    spawned = [await app.spawn("short", number) for number in range(arguments.count)]
    worker = asyncio.ensure_future(
        app.start_worker(concurrency=AT_ONCE, poll_interval=POLLING_INTERVAL)
    )
    while executed < arguments.count:
        await asyncio.sleep(0.001)
    figures = rate(arguments.count, start)
    for number, task in enumerate(spawned):
        found = await app.await_task_result(task["task_id"])
        expect(found.result, output_of(number), "output of a run")
    expect(executed, arguments.count, "executions")
    app.stop_worker()
    await worker
    return figures


async def steps(arguments: argparse.Namespace) -> Figures:
    """Many of one run."""
    app = await launch(arguments)
    await app.spawn("long", arguments.count)
    await app.start_worker(claim_timeout=LEASE, poll_interval=POLLING_INTERVAL)
    raise AssertionError("it has not died")


async def resume(arguments: argparse.Namespace) -> Figures:
    """What it goes on with when the lease has ended, from the first step to the last one."""
    app = await launch(arguments)
    worker = asyncio.ensure_future(app.start_worker(poll_interval=POLLING_INTERVAL))
    while not replays:
        await asyncio.sleep(0.01)
    app.stop_worker()
    await worker
    return {"replay_ms": replays[0] * 1e3}


if __name__ == "__main__":
    play_async(
        {
            "describe": describe,
            "runs-by-worker": runs_by_worker,
            "steps": steps,
            "resume": resume,
        }
    )
