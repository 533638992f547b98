"""The roles that a side plays, the same for every peer."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import platform
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from errors import Failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from peer import Peer
    from tally import Payload, Tally

Figures = dict[str, Any]

FILL_CALLERS = 64
STEADY_BATCH = 100
# No multiple of any interval at which a worker may look.
WAKE_PAUSE = (0.1, 0.2)
# How often it is looked whether a backlog is drained.
LOOK = 0.003
# A worker that has done nothing for so long although nothing waits has lost a message.
IDLE_LIMIT = 2.0
# How long a worker may take until it is idle.
START_LIMIT = 1.0


@dataclass
class Meter:
    """Time, and CPU of all threads of this process, since it was made."""

    cpu: float = field(default_factory=time.process_time)
    start: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def mark(self) -> None:
        """Takes the time until now."""
        self.seconds = time.perf_counter() - self.start
        self.cpu_seconds = time.process_time() - self.cpu

    def figures(self, count: int) -> Figures:
        """The figures of so many messages, until the last mark."""
        return {"rate": count / self.seconds, "seconds": self.seconds, "cpu_s": self.cpu_seconds}


def make_payload(number: int, size: int, stamped: bool = False) -> Payload:
    """A document whose text has ``size`` bytes."""
    payload: Payload = {"n": number}
    if stamped:
        payload["t"] = time.time_ns() // 1000
    payload["pad"] = ""
    payload["pad"] = "x" * (size - len(json.dumps(payload)))
    return payload


def make_payloads(count: int, size: int) -> list[Payload]:
    """Documents with the numbers from 0."""
    return [make_payload(number, size) for number in range(count)]


def percentile(values: list[float], share: float) -> float:
    """In milliseconds, of seconds in any order."""
    ordered = sorted(values)
    return max(0.0, ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3)


@contextlib.asynccontextmanager
async def working(peer: Peer, tally: Tally, workers: int) -> AsyncIterator[asyncio.Task[None]]:
    """Runs workers as long as its body does."""
    task = asyncio.create_task(peer.work(tally.handle, workers))
    try:
        yield task
    finally:
        task.cancel()
        # What matters was checked before; the process ends next.
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await asyncio.wait_for(task, timeout=5)


async def sleep(task: asyncio.Task[None], seconds: float) -> None:
    """Raises if the workers have ended meanwhile."""
    await asyncio.sleep(seconds)
    if task.done():
        await task
        raise Failure("the workers have ended")


async def wait_for_all(
    peer: Peer, tally: Tally, task: asyncio.Task[None], count: int, meter: Meter
) -> None:
    """Waits until all messages are handled, and completed in the database.

    The meter's mark is from before the database was asked, which is no part of the work.
    """
    last, since = -1, time.perf_counter()
    while not tally.is_complete(count):
        await sleep(task, LOOK)
        if len(tally.numbers) != last:
            last, since = len(tally.numbers), time.perf_counter()
        elif time.perf_counter() - since > IDLE_LIMIT:
            if await peer.waiting() == 0:
                tally.verify(count)
            since = time.perf_counter()
    meter.mark()
    while await peer.waiting() > 0:
        await sleep(task, LOOK)
        meter.mark()


async def describe(peer: Peer, tally: Tally) -> Figures:
    """What the peer is."""
    description = peer.description
    name = description.distribution
    return {
        "package": f"{name} {importlib.metadata.version(name)}",
        "runtime": f"python{platform.python_version()}",
        "settings": description.settings,
        "delivery": description.delivery,
        "notes": description.notes,
    }


async def enqueue(peer: Peer, tally: Tally) -> Figures:
    """Callers enqueue one message after the other."""
    arguments = peer.arguments
    payloads = make_payloads(arguments.count, arguments.payload)
    meter = Meter()
    await peer.enqueue_each(payloads, arguments.callers)
    meter.mark()
    figures = meter.figures(arguments.count)
    await expect_waiting(peer, arguments.count)
    return figures


async def enqueue_bulk(peer: Peer, tally: Tally) -> Figures:
    """One caller enqueues many messages at a time."""
    if peer.bulk_size is None:
        return {"unsupported": "it has no call that enqueues several messages"}
    arguments = peer.arguments
    payloads = make_payloads(arguments.count, arguments.payload)
    meter = Meter()
    await peer.enqueue_all(payloads)
    meter.mark()
    figures = meter.figures(arguments.count)
    await expect_waiting(peer, arguments.count)
    return figures


async def fill(peer: Peer, tally: Tally) -> Figures:
    """Makes a backlog."""
    payloads = make_payloads(peer.arguments.count, peer.arguments.payload)
    if peer.bulk_size is None:
        return await fill_single(peer, tally)
    await peer.enqueue_all(payloads)
    await expect_waiting(peer, len(payloads))
    return {}


async def fill_single(peer: Peer, tally: Tally) -> Figures:
    """Makes a backlog of messages that were enqueued singly."""
    payloads = make_payloads(peer.arguments.count, peer.arguments.payload)
    await peer.enqueue_each(payloads, FILL_CALLERS)
    await expect_waiting(peer, len(payloads))
    return {}


async def expect_waiting(peer: Peer, count: int) -> None:
    """Raises unless the tables hold so many messages."""
    waiting = await peer.waiting()
    if waiting != count:
        raise Failure(f"{waiting} messages wait in the database, not {count}")


async def drain(peer: Peer, tally: Tally) -> Figures:
    """Workers handle the backlog."""
    arguments = peer.arguments
    await expect_waiting(peer, arguments.count)
    workers = 1 if arguments.role == "retry" else arguments.workers
    meter = Meter()
    async with working(peer, tally, workers) as task:
        await wait_for_all(peer, tally, task, arguments.count, meter)
    figures = meter.figures(arguments.count)
    figures["duplicates"] = tally.verify(arguments.count)
    await expect_waiting(peer, 0)
    return figures


async def steady(peer: Peer, tally: Tally) -> Figures:
    """Handles while others enqueue."""
    arguments = peer.arguments
    batch = min(STEADY_BATCH, arguments.outstanding)
    produced = 0
    meter = Meter()
    start = time.time()
    async with working(peer, tally, 1) as task:
        while time.time() < start + arguments.seconds:
            if produced - len(tally.numbers) > arguments.outstanding - batch:
                await sleep(task, 0.001)
                continue
            numbers = range(produced, produced + batch)
            if peer.bulk_size is None:
                # The stamp of each is that of its own call.
                await peer.enqueue(make_payload(produced, arguments.payload, stamped=True))
                peer.enqueued += 1
                produced += 1
            else:
                payloads = [make_payload(n, arguments.payload, stamped=True) for n in numbers]
                await peer.enqueue_all(payloads)
                produced += batch
            # Lets a worker of the same loop go on, even where the call did not wait.
            await sleep(task, 0)
        meter.mark()
        cpu = meter.cpu_seconds
        await wait_for_all(peer, tally, task, produced, meter)
    tally.verify(produced)
    await expect_waiting(peer, 0)
    return {**series_of(tally, start, arguments.seconds), "cpu_s": cpu}


def series_of(tally: Tally, start: float, seconds: int) -> Figures:
    """Figures of each second, and of all."""
    by_second: list[list[float]] = [[] for _ in range(seconds)]
    for begun, latency in zip(tally.begun, tally.latencies, strict=True):
        if begun < start + seconds:
            by_second[int(begun - start)].append(latency)
    measured = [latency for latencies in by_second for latency in latencies]
    if not measured:
        raise Failure("nothing was handled in time")
    series = [
        {
            "second": second,
            "handled": len(latencies),
            "p50_ms": percentile(latencies, 0.5) if latencies else None,
            "p99_ms": percentile(latencies, 0.99) if latencies else None,
        }
        for second, latencies in enumerate(by_second, 1)
    ]
    return {
        "rate": len(measured) / seconds,
        "series": series,
        "p50_ms": percentile(measured, 0.5),
        "p99_ms": percentile(measured, 0.99),
    }


async def wake(peer: Peer, tally: Tally) -> Figures:
    """How long an idle worker takes to begin with a message."""
    arguments = peer.arguments
    pauses = random.Random(arguments.count)
    since_return: list[float] = []
    since_call: list[float] = []
    async with working(peer, tally, 1) as task:
        await sleep(task, START_LIMIT)
        for number in range(arguments.count):
            await sleep(task, pauses.uniform(*WAKE_PAUSE))
            payload = make_payload(number, arguments.payload)
            called = time.time()
            await peer.enqueue(payload)
            returned = time.time()
            peer.enqueued += 1
            while len(tally.begun) <= number:
                await sleep(task, LOOK)
            begun = tally.begun[number]
            since_return.append(max(0.0, begun - returned) * 1e3)
            since_call.append(max(0.0, begun - called) * 1e3)
        await wait_for_all(peer, tally, task, arguments.count, Meter())
    tally.verify(arguments.count)
    return {"ms": since_return, "call_ms": since_call}


ROLES: dict[str, Callable[[Peer, Tally], Awaitable[Figures]]] = {
    "describe": describe,
    "enqueue": enqueue,
    "enqueue-bulk": enqueue_bulk,
    "fill": fill,
    "fill-single": fill_single,
    "drain": drain,
    "retry": drain,
    "steady": steady,
    "wake": wake,
}
