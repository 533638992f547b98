"""One side of a comparison, in a process of its own.

It does its part on a database, checks what came of it, and prints its figures as a line of JSON.
It runs with the package of this repository and with the existing one, whichever can be imported,
and so uses nothing that only one of them has.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import random
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pgqrs
from sides import Figures, expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

QUEUE = "bench"
PAYLOAD_SIZE = 100
TEXT_SIZE = PAYLOAD_SIZE - len('{"number":"000000000000","text":""}')
DRAIN_BATCH = 50
ENQUEUE_BATCH = 1000
TASKS = 1000
MEMORY_STEPS = 10
MEMORY_BATCH = 500
# Before each message of `wake` nothing happens for so many seconds: no multiple of any interval at
# which a consumer may look.
PAUSE = (0.05, 0.35)


@dataclass
class Meter:
    """Time, and CPU of all threads of this process, since it was made."""

    cpu: float = field(default_factory=time.process_time)
    start: float = field(default_factory=time.perf_counter)

    def figures(self, count: int) -> Figures:
        """Messages a second, and microseconds of CPU a message."""
        seconds = time.perf_counter() - self.start
        return {
            "rate": count / seconds,
            "cpu_us": (time.process_time() - self.cpu) * 1e6 / count,
        }


@dataclass
class Tally:
    """The messages that came out of a queue."""

    reads_payloads: bool
    ids: list[int] = field(default_factory=list)
    acked: int = 0
    text: int = 0

    def take(self, messages: list[pgqrs.QueueMessage[Any]]) -> list[int]:
        """Notes messages, and gives their ids."""
        ids = [message.id for message in messages]
        self.ids += ids
        if self.reads_payloads:
            self.text += text_in(messages)
        return ids

    def note(self, acks: list[bool]) -> None:
        """Notes the answers to acks."""
        self.acked += sum(acks)

    def verify(self, count: int) -> None:
        """Raises unless these are ``count`` different messages, whole and acked."""
        expect(len(self.ids), count, "messages taken")
        expect(len(set(self.ids)), count, "different messages taken")
        expect(self.acked, count, "messages acked")
        if self.reads_payloads:
            expect(self.text, count * TEXT_SIZE, "characters of text in the payloads")


def text_in(messages: list[pgqrs.QueueMessage[Any]]) -> int:
    """How much text is in the payloads."""
    payloads: list[Any] = [message.payload for message in messages]
    return sum(len(payload["text"]) for payload in payloads)


def make_payloads(count: int) -> list[dict[str, str]]:
    """Documents of ``PAYLOAD_SIZE`` bytes, as the C++ side makes them."""
    return [{"number": f"{i:012d}", "text": "x" * TEXT_SIZE} for i in range(count)]


async def open_store(arguments: argparse.Namespace) -> pgqrs.Store:
    """Opens the database, with the default configuration but for the limit on the rate."""
    config = pgqrs.Config(arguments.dsn, arguments.schema)
    config.max_enqueue_per_second = None
    config.max_enqueue_burst = None
    store = await pgqrs.connect_with(config)
    await pgqrs.admin(store).install()
    return store


async def open_new(arguments: argparse.Namespace) -> pgqrs.Store:
    """The same for a database that has no queue yet."""
    store = await open_store(arguments)
    await store.queue(QUEUE)
    return store


async def expect_messages(store: pgqrs.Store, count: int) -> None:
    """Raises unless the database holds so many messages that are not archived."""
    messages = await store.get_messages()
    expect(await messages.count(), count, "messages left")


def expect_new_ids(ids: list[int], count: int) -> None:
    """Raises unless these are so many different ids."""
    expect(len(ids), count, "ids given")
    expect(len(set(ids)), count, "different ids given")


async def enqueue_batches(producer: pgqrs.Producer, count: int) -> list[int]:
    """Enqueues ``ENQUEUE_BATCH`` messages at a time, and gives their ids."""
    payloads = make_payloads(ENQUEUE_BATCH)
    ids: list[int] = []
    while len(ids) < count:
        ids += await pgqrs.enqueue_batch(producer, payloads[: count - len(ids)])
    return ids


async def describe(arguments: argparse.Namespace) -> Figures:
    """What this side is."""
    try:
        package = importlib.metadata.version("pgqrs")
    except importlib.metadata.PackageNotFoundError:
        package = "this repository"
    return {"package": package, "python": platform.python_version()}


async def fill(arguments: argparse.Namespace) -> Figures:
    """Makes the backlog that another process drains."""
    store = await open_new(arguments)
    ids = await enqueue_batches(await store.producer(QUEUE), arguments.count)
    expect_new_ids(ids, arguments.count)
    return {"filled": len(ids)}


async def drain(arguments: argparse.Namespace) -> Figures:
    """One consumer takes and acks ``DRAIN_BATCH`` messages at a time, each call waited for."""
    store = await open_store(arguments)
    consumer = await store.consumer(QUEUE)
    tally = Tally(arguments.read)
    left = arguments.count
    meter = Meter()
    while left > 0:
        messages = await consumer.dequeue(min(DRAIN_BATCH, left))
        if not messages:
            break
        left -= len(messages)
        tally.note(await consumer.archive_many(tally.take(messages)))
    figures = meter.figures(arguments.count)
    tally.verify(arguments.count)
    await expect_messages(store, 0)
    return figures


async def drain_by_tasks(arguments: argparse.Namespace) -> Figures:
    """``TASKS`` tasks share a consumer; each takes and acks one message at a time."""
    store = await open_store(arguments)
    consumer = await store.consumer(QUEUE)
    tally = Tally(arguments.read)
    left = arguments.count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            messages = await consumer.dequeue(1)
            left += 1 - len(messages)
            for message_id in tally.take(messages):
                tally.note([await consumer.archive(message_id)])

    meter = Meter()
    await asyncio.gather(*(work() for _ in range(TASKS)))
    figures = meter.figures(arguments.count)
    tally.verify(arguments.count)
    await expect_messages(store, 0)
    return figures


async def enqueue(arguments: argparse.Namespace) -> Figures:
    """One producer enqueues ``ENQUEUE_BATCH`` messages at a time."""
    store = await open_new(arguments)
    producer = await store.producer(QUEUE)
    meter = Meter()
    ids = await enqueue_batches(producer, arguments.count)
    figures = meter.figures(arguments.count)
    expect_new_ids(ids, arguments.count)
    await expect_messages(store, arguments.count)
    return figures


async def enqueue_by_tasks(arguments: argparse.Namespace) -> Figures:
    """``TASKS`` single enqueues at a time, all of them waited for before the next ones begin."""
    store = await open_new(arguments)
    producer = await store.producer(QUEUE)
    payloads = make_payloads(TASKS)
    ids: list[int] = []
    meter = Meter()
    while len(ids) < arguments.count:
        ids += await asyncio.gather(*(producer.enqueue(payload) for payload in payloads))
    figures = meter.figures(len(ids))
    expect_new_ids(ids, arguments.count)
    await expect_messages(store, arguments.count)
    return figures


async def send(arguments: argparse.Namespace) -> Figures:
    """Enqueues a message for each line of stdin, and answers its id, and when it did so.

    The times are of the clock of this machine, which all processes have.
    """
    producer = await (await open_store(arguments)).producer(QUEUE)
    payload = make_payloads(1)[0]
    count = 0
    while await asyncio.to_thread(sys.stdin.readline):
        called = time.monotonic()
        message_id = await producer.enqueue(payload)
        returned = time.monotonic()
        print(json.dumps([message_id, called, returned]), flush=True)
        count += 1
    return {"sent": count}


class Sender:
    """A process that enqueues."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Takes over a process that plays the role ``send``."""
        self._process = process

    @classmethod
    async def start(cls, arguments: argparse.Namespace) -> Sender:
        """Starts it on the same database."""
        command = [sys.executable, __file__, "send", "--dsn", arguments.dsn]
        if arguments.schema is not None:
            command += ["--schema", arguments.schema]
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))

    async def send(self, pause: float) -> tuple[int, float, float]:
        """Lets it enqueue after a while: the id, and when it called and when that returned."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        await asyncio.sleep(pause)
        self._process.stdin.write(b"\n")
        message_id, called, returned = json.loads(await self._process.stdout.readline())
        return message_id, called, returned

    async def end(self) -> None:
        """Waits for its end. Raises unless it went well."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        expect(await self._process.wait(), 0, "exit code of the sender")


async def wake(arguments: argparse.Namespace) -> Figures:
    """How long an idle consumer takes to have a message that another process enqueues.

    From the return of ``enqueue``, so from the commit, and from its call.
    """
    store = await open_new(arguments)
    sender = await Sender.start(arguments)
    pauses = random.Random(arguments.count)
    since_return: list[float] = []
    since_call: list[float] = []
    async with store.consume_iter(QUEUE) as messages:
        for _ in range(arguments.count):
            sending = asyncio.create_task(sender.send(pauses.uniform(*PAUSE)))
            message = await anext(messages)
            received = time.monotonic()
            message_id, called, returned = await sending
            expect(message.id, message_id, "message that woke the consumer")
            expect(await messages.archive(message.id), True, "its ack")
            since_return.append((received - returned) * 1e3)
            since_call.append((received - called) * 1e3)
    await sender.end()
    await expect_messages(store, 0)
    return {"since_return_ms": since_return, "since_call_ms": since_call}


def resident() -> float:
    """The memory of this process that is in RAM, in MiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


async def memory(arguments: argparse.Namespace) -> Figures:
    """Memory at the start, and each time after a part of the messages was enqueued and drained."""
    store = await open_new(arguments)
    producer = await store.producer(QUEUE)
    consumer = await store.consumer(QUEUE)
    share = arguments.count // MEMORY_STEPS
    start = resident()
    after = []
    for _ in range(MEMORY_STEPS):
        left = set(await enqueue_batches(producer, share))
        expect(len(left), share, "different ids given")
        while messages := await consumer.dequeue(MEMORY_BATCH):
            ids = [message.id for message in messages]
            expect(text_in(messages), len(ids) * TEXT_SIZE, "characters of text in the payloads")
            expect(await consumer.archive_many(ids), [True] * len(ids), "acks")
            left.symmetric_difference_update(ids)
        expect(len(left), 0, "messages missing or handed out twice")
        after.append(resident())
    await expect_messages(store, 0)
    # What a store fills once, as SQLite's page cache, is full after the first half.
    growth = after[-1] - after[MEMORY_STEPS // 2 - 1]
    return {"start": start, "after": after, "growth": growth}


ROLES: dict[str, Callable[[argparse.Namespace], Awaitable[Figures]]] = {
    "describe": describe,
    "fill": fill,
    "drain": drain,
    "drain-by-tasks": drain_by_tasks,
    "enqueue": enqueue,
    "enqueue-by-tasks": enqueue_by_tasks,
    "send": send,
    "wake": wake,
    "memory": memory,
}


def main() -> None:
    """Plays one role."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--dsn", default="")
    parser.add_argument("--schema", help="of Postgres")
    parser.add_argument("--count", type=int, default=0, help="of messages")
    parser.add_argument("--read", action="store_true", help="look into the payloads")
    arguments = parser.parse_args()

    async def play() -> Figures:
        return await ROLES[arguments.role](arguments)

    print(json.dumps(asyncio.run(play())))


if __name__ == "__main__":
    main()
