"""Workflows by the package of this repository, or by the existing one, whichever is there."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pgqrs
from pgqrs.decorators import step, workflow
from side import open_store
from sides import AT_ONCE, STEPS, Figures, die, expect, output_of, play_async, rate

if TYPE_CHECKING:
    import argparse

bodies = 0


@workflow(name="short")
async def short(run: pgqrs.Run, first: int) -> int:
    """Has three steps."""
    return sum([await steps_of_short[number](run, first + number) for number in range(STEPS)])


@workflow(name="long")
async def long(run: pgqrs.Run, count: int) -> int:
    """Has many, and dies behind them where they were not replayed."""
    start = time.perf_counter()
    done = 0
    for each in many:
        done += await each(run, 1)
    if bodies:
        die(count, start)
    return done


def named_step(name: str) -> Any:
    """A step of another name: in the existing package a name is a step once a run."""

    async def body(run: pgqrs.Run, number: int) -> int:
        global bodies
        bodies += 1
        return number

    body.__name__ = name
    return step(body)


steps_of_short = [named_step(f"step{number}") for number in range(STEPS)]
many: list[Any] = []


async def one(store: pgqrs.Store, number: int) -> None:
    """Triggers a run, and executes it."""
    message = await pgqrs.workflow().name("short").store(store).trigger(number).execute()
    run = await pgqrs.run().message(message).store(store).execute()
    expect(await short(run, number), output_of(number), "output of a run")


async def runs(arguments: argparse.Namespace) -> Figures:
    """One after another."""
    store = await open_store(arguments)
    await pgqrs.workflow().name("short").store(store).create()
    start = time.perf_counter()
    for number in range(arguments.count):
        await one(store, number)
    return rate(arguments.count, start)


async def runs_at_once(arguments: argparse.Namespace) -> Figures:
    """So many at a time."""
    store = await open_store(arguments)
    await pgqrs.workflow().name("short").store(store).create()
    numbers = iter(range(arguments.count))

    async def work() -> None:
        for number in numbers:
            await one(store, number)

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return rate(arguments.count, start)


async def runs_by_worker(arguments: argparse.Namespace) -> Figures:
    """A worker executes what is triggered."""
    store = await open_store(arguments)
    await pgqrs.workflow().name("short").store(store).create()
    if not hasattr(pgqrs, "WorkflowWorker"):
        return await _runs_by_poll(arguments, store)
    start = time.perf_counter()
    async with pgqrs.WorkflowWorker(store, [short], concurrency=AT_ONCE) as worker:
        triggered = [
            run
            for first in range(0, arguments.count, 1000)
            for run in await asyncio.gather(
                *(
                    store.trigger(short, number)
                    for number in range(first, min(first + 1000, arguments.count))
                )
            )
        ]
        while worker.succeeded < arguments.count:
            await asyncio.sleep(0.001)
        figures = rate(arguments.count, start)
        for number, run in enumerate(triggered):
            expect(await run.result(), output_of(number), "output of a run")
    return figures


async def _runs_by_poll(arguments: argparse.Namespace, store: pgqrs.Store) -> Figures:
    """What the existing package has in place of a worker."""
    start = time.perf_counter()
    messages = []
    for number in range(arguments.count):
        trigger = pgqrs.workflow().name("short").store(store).trigger(number)
        messages.append(await trigger.execute())
    consumer = await store.consumer("short")
    polling = asyncio.ensure_future(
        pgqrs.dequeue().worker(consumer).batch(AT_ONCE).handle_workflow(short).poll(store)
    )
    for number, message in enumerate(messages):
        output = await pgqrs.run().message(message).store(store).result()
        expect(output, output_of(number), "output of a run")
    figures = rate(arguments.count, start)
    polling.cancel()
    return figures


async def steps(arguments: argparse.Namespace) -> Figures:
    """Many of one run."""
    many.extend(named_step(f"step{number}") for number in range(arguments.count))
    store = await open_store(arguments)
    await pgqrs.workflow().name("long").store(store).create()
    trigger = pgqrs.workflow().name("long").store(store).trigger(arguments.count)
    run = await pgqrs.run().message(await trigger.execute()).store(store).execute()
    await long(run, arguments.count)
    raise AssertionError("it has not died")


async def resume(arguments: argparse.Namespace) -> Figures:
    """Goes on with it, from the call to the end of the run."""
    many.extend(named_step(f"step{number}") for number in range(arguments.count))
    store = await open_store(arguments)
    consumer = await store.consumer("long")
    [message] = await consumer.dequeue(1)
    run = await pgqrs.run().message(message).store(store).execute()
    start = time.perf_counter()
    output = await long(run, message.payload)
    seconds = time.perf_counter() - start
    expect(output, arguments.count, "output of the run")
    return {"replay_ms": seconds * 1e3}


if __name__ == "__main__":
    play_async(
        {
            "runs": runs,
            "runs-at-once": runs_at_once,
            "runs-by-worker": runs_by_worker,
            "steps": steps,
            "resume": resume,
        }
    )
