"""Moves what waits in a queue into another database, by way of a file of JSON lines.

It uses only what pgqrs 0.15 has as well, so the one database can be of that package:

    old/bin/python move_messages.py export DSN QUEUE [SCHEMA] >> messages.jsonl
    new/bin/python move_messages.py import DSN QUEUE [SCHEMA] < messages.jsonl

What is exported is archived there. Messages with a delay come when it is over: export again then.
Stop all producers and consumers of the queue before. Where a run is cut short, run it again: a
message whose line was written, but which was not archived any more, is in the file twice then.
"""

import asyncio
import contextlib
import json
import os
import sys

import pgqrs

_BATCH = 100
_LEASE = 60  # Seconds.


async def export_messages(store: pgqrs.Store, queue: str) -> int:
    # What consumers of the past still hold would not come.
    admin = pgqrs.admin(store)
    for worker in await (await store.get_workers()).list():
        await admin.release_worker_messages(worker.id)
    consumer = await store.consumer(queue)
    count = 0
    while messages := await consumer.dequeue_many_with_delay(_BATCH, _LEASE):
        for message in messages:
            print(json.dumps(message.payload))
        sys.stdout.flush()
        if sys.stdout.seekable():  # A file; a pipe cannot be synced.
            os.fsync(sys.stdout.fileno())
        await consumer.archive_many([message.id for message in messages])
        count += len(messages)
    return count


async def import_messages(store: pgqrs.Store, queue: str) -> int:
    with contextlib.suppress(pgqrs.QueueAlreadyExistsError):
        await store.queue(queue)
    producer = await store.producer(queue)
    payloads = [json.loads(line) for line in sys.stdin]
    for start in range(0, len(payloads), _BATCH):
        await pgqrs.enqueue_batch(producer, payloads[start : start + _BATCH])
    return len(payloads)


async def main(command: str, dsn: str, queue: str, schema: str | None = None) -> None:
    config = pgqrs.Config(dsn, schema=schema)
    config.max_enqueue_per_second = None
    config.max_enqueue_burst = None
    store = await pgqrs.connect_with(config)
    move = {"export": export_messages, "import": import_messages}[command]
    print(await move(store, queue), "messages", file=sys.stderr)


if len(sys.argv) not in (4, 5) or sys.argv[1] not in ("export", "import"):
    sys.exit("usage: move_messages.py export|import DSN QUEUE [SCHEMA]")
asyncio.run(main(*sys.argv[1:]))
